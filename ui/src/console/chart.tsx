import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { words } from "./strings";
import type { DayTokens } from "./usage";

const HEIGHT = 260;
const DAY = 86_400;

/** Tokens as a bar for each day. What it shows stands in a sentence above it, the figures in the table beside it. */
export function DayChart({ days, label, unit }: { days: DayTokens[]; label: string; unit: string }) {
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = frame.current;
    if (!box) return undefined;
    const data: uPlot.AlignedData = [days.map((day) => Date.parse(day.day) / 1000), days.map((day) => day.tokens)];
    let chart: uPlot | null = null;
    const draw = (): void => {
      chart?.destroy();
      chart = new uPlot(optionsFor(box, unit), data, box);
    };
    const observer = new ResizeObserver(() => chart?.setSize({ width: box.clientWidth, height: HEIGHT }));
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const theme = new MutationObserver(draw);
    draw();
    observer.observe(box);
    scheme.addEventListener("change", draw);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      observer.disconnect();
      theme.disconnect();
      scheme.removeEventListener("change", draw);
      chart?.destroy();
    };
  }, [days, unit]);
  return <div ref={frame} className="chart" role="img" aria-label={label} />;
}

function optionsFor(box: HTMLElement, unit: string): uPlot.Options {
  const ink = colour(box, "--muted");
  const line = colour(box, "--line");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: `13px ${getComputedStyle(box).fontFamily}` };
  const compact = new Intl.NumberFormat(words.language, { notation: "compact" });
  return {
    width: box.clientWidth,
    height: HEIGHT,
    tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), "UTC"),
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { range: (_, from, to) => [from - DAY / 2, to + DAY / 2] }, y: { range: (_, __, most) => [0, Math.max(most, 10) * 1.1] } },
    axes: [
      { ...axis, grid: { show: false }, values: "{MMM} {D}" },
      { ...axis, size: 56, values: (_, splits) => splits.map((split) => compact.format(split)) },
    ],
    series: [
      {},
      {
        label: unit,
        stroke: colour(box, "--accent"),
        fill: colour(box, "--accent"),
        width: 0,
        points: { show: false },
        ...(uPlot.paths.bars ? { paths: uPlot.paths.bars({ size: [0.6, 28], radius: 0.15 }) } : {}),
      },
    ],
  };
}

/** What a token of the page's colours is right now, in this theme. */
function colour(box: HTMLElement, token: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${token})`;
  box.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
