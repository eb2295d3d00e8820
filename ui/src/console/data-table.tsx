import {
  createSortedRowModel,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_text,
  tableFeatures,
  useTable,
  type ColumnDef,
  type SortingState,
} from "@tanstack/react-table";
import { ArrowDown, ArrowUp } from "lucide-react";
import { useMemo, useState, type ReactNode } from "react";
import { filter } from "./route";
import { words } from "./strings";

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, text: sortFn_text },
});

export type Column<T> = {
  id: string;
  title: string;
  /** What the column sorts by, and shows unless `show` says otherwise. */
  value: (row: T) => string | number;
  show?: (row: T) => ReactNode;
  isNumber?: boolean;
  /** Words of any length, such as an address: broken anywhere, while other columns break between words alone. */
  isLong?: boolean;
};

type Props<T> = {
  label: string;
  columns: Column<T>[];
  rows: T[];
  nameOf: (row: T) => string;
  /** `id` of a column, with `-` before it for the other way round; from the address. */
  sort: string;
  /** The order's name in the address, where a page has several tables. */
  sortName?: string;
  empty: string;
  /** Acts on one line. */
  acts?: (row: T) => ReactNode;
  /** Acts on the chosen lines. */
  bulk?: (rows: T[], clear: () => void) => ReactNode;
};

const NONE: ReadonlySet<string> = new Set();

/** A table that sorts by its headers, with the keyboard too; the order lives in the address. */
export function DataTable<T extends { id: string }>({ label, columns, rows, nameOf, sort, sortName = "sort", empty, acts, bulk }: Props<T>) {
  const [selection, setSelection] = useState(NONE);
  const defs = useMemo(
    () =>
      columns.map(
        (column): ColumnDef<typeof features, T> => ({
          id: column.id,
          accessorFn: column.value,
          header: column.title,
          sortFn: "auto",
        }),
      ),
    [columns],
  );
  const sorting = useMemo<SortingState>(() => (sort ? [{ id: sort.replace(/^-/, ""), desc: sort.startsWith("-") }] : []), [sort]);
  const table = useTable({
    features,
    columns: defs,
    data: rows,
    getRowId: (row: T) => row.id,
    state: { sorting },
  });
  const chosen = rows.filter((row) => selection.has(row.id));
  const byId = new Map(columns.map((column) => [column.id, column]));

  if (rows.length === 0) return <p className="empty">{empty}</p>;
  return (
    <>
      <div className="table-frame" tabIndex={0} role="region" aria-label={label}>
        <table>
          <thead>
            <tr>
              {bulk && (
                <th className="tick">
                  <input
                    type="checkbox"
                    aria-label={words.selectAll}
                    checked={chosen.length === rows.length}
                    onChange={(event) =>
                      setSelection(event.currentTarget.checked ? new Set(rows.map((row) => row.id)) : NONE)
                    }
                  />
                </th>
              )}
              {columns.map((column) => (
                <SortHeader key={column.id} column={column} sort={sort} name={sortName} />
              ))}
              {acts && <td />}
            </tr>
          </thead>
          <tbody>
            {table.getRowModel().rows.map((line) => (
              <tr key={line.id}>
                {bulk && (
                  <td className="tick">
                    <input
                      type="checkbox"
                      aria-label={words.select(nameOf(line.original))}
                      checked={selection.has(line.id)}
                      onChange={() => setSelection((old) => toggled(old, line.id))}
                    />
                  </td>
                )}
                {line.getAllCells().map((cell) => {
                  const column = byId.get(cell.column.id);
                  return (
                    <td key={cell.id} data-align={column?.isNumber ? "end" : undefined} data-long={column?.isLong}>
                      {column?.show ? column.show(line.original) : column?.value(line.original)}
                    </td>
                  );
                })}
                {acts && <td className="line-acts">{acts(line.original)}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {bulk && chosen.length > 0 && (
        <div className="bulk row" role="status">
          <span className="small muted">{words.chosen(chosen.length)}</span>
          {bulk(chosen, () => setSelection(NONE))}
        </div>
      )}
    </>
  );
}

function toggled(chosen: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(chosen);
  if (!next.delete(id)) next.add(id);
  return next;
}

function SortHeader<T>({ column, sort, name }: { column: Column<T>; sort: string; name: string }) {
  const isUp = sort === column.id;
  const isDown = sort === `-${column.id}`;
  const next = isUp ? `-${column.id}` : isDown ? "" : column.id;
  return (
    <th aria-sort={isUp ? "ascending" : isDown ? "descending" : "none"} data-align={column.isNumber ? "end" : undefined}>
      <button type="button" title={words.sortBy(column.title)} onClick={() => filter(name, next)}>
        {column.title}
        {isUp && <ArrowUp size={14} aria-hidden />}
        {isDown && <ArrowDown size={14} aria-hidden />}
      </button>
    </th>
  );
}
