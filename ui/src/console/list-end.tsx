import { words } from "./strings";
import { SIZES, type List } from "./use-list";

type Props<T> = { list: Pick<List<T>, "items" | "hasMore" | "loading" | "more">; size: number; onSize: (size: number) => void };

/** Below a list: more of it, and how many lines at first; nothing below one that is whole and short. */
export function ListEnd<T>({ list, size, onSize }: Props<T>) {
  if (!list.items?.length || (!list.hasMore && list.items.length <= SIZES[0])) return null;
  return (
    <div className="row list-end">
      {list.hasMore && (
        <button type="button" className="button" disabled={list.loading} onClick={list.more}>
          {words.more}
        </button>
      )}
      <label className="choice">
        <span className="small muted">{words.pageSize}</span>
        <select className="input" value={size} onChange={(event) => onSize(Number(event.currentTarget.value))}>
          {SIZES.map((option) => (
            <option key={option}>{option}</option>
          ))}
        </select>
      </label>
    </div>
  );
}
