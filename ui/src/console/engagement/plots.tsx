/** Small pictures of our own: each says in `label` what it shows, and its figures stand in a table beside it. */

const WIDE = 400;
const HIGH = 240;
const EDGE = 48;

type Line = { name: string; points: [number, number][]; kind?: "main" | "quiet" };
type PlotProps = { label: string; lines: Line[]; x: [number, number]; y: [number, number]; ticks: (value: number) => string; xTicks?: (value: number) => string; xName?: string };

/** Lines over two axes with their ends named; `xName` says what runs along the lower one. */
export function Plot({ label, lines, x, y, ticks, xTicks = ticks, xName }: PlotProps) {
  const across = (value: number): number => EDGE + ((value - x[0]) / (x[1] - x[0] || 1)) * (WIDE - EDGE - 8);
  const up = (value: number): number => HIGH - EDGE - ((value - y[0]) / (y[1] - y[0] || 1)) * (HIGH - EDGE - 12);
  return (
    <figure className="plot">
      <svg viewBox={`0 0 ${WIDE} ${HIGH}`} role="img" aria-label={label}>
        <path className="axis" d={`M${EDGE} 8V${HIGH - EDGE}H${WIDE - 4}`} />
        {[y[0], (y[0] + y[1]) / 2, y[1]].map((value) => (
          <text key={value} x={EDGE - 4} y={up(value) + 4} textAnchor="end">
            {ticks(value)}
          </text>
        ))}
        {[x[0], x[1]].map((value, place) => (
          <text key={value} x={across(value)} y={HIGH - EDGE + 20} textAnchor={place ? "end" : "start"}>
            {xTicks(value)}
          </text>
        ))}
        {xName && (
          <text x={across((x[0] + x[1]) / 2)} y={HIGH - EDGE + 20} textAnchor="middle">
            {xName}
          </text>
        )}
        {lines.map((line) => (
          <polyline
            key={line.name}
            data-kind={line.kind ?? "main"}
            points={line.points.map(([one, other]) => `${across(one).toFixed(1)},${up(other).toFixed(1)}`).join(" ")}
          />
        ))}
      </svg>
      <figcaption className="small muted">
        {lines.map((line) => (
          <span key={line.name} data-kind={line.kind ?? "main"}>
            {line.name}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

/** A range with its best guess, and a mark to compare it with, all between `from` and `to`. */
export function Range({ low, high, value, mark, from, to }: { low: number; high: number; value: number; mark: number; from: number; to: number }) {
  const at = (one: number): number => Math.max(0, Math.min(100, ((one - from) / (to - from || 1)) * 100));
  return (
    <svg className="range" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden>
      <line className="mark-line" x1={at(mark)} x2={at(mark)} y1="0" y2="12" />
      <line className="reach" x1={at(low)} x2={at(high)} y1="6" y2="6" />
      <line className="guess" x1={at(value)} x2={at(value)} y1="2" y2="10" />
    </svg>
  );
}
