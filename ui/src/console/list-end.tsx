import { words } from "./strings";
import { SIZES, type List } from "./use-list";

/** Below a list: more of it, and how many lines at first. */
export function ListEnd<T>({ list, size, onSize }: { list: List<T>; size: number; onSize: (size: number) => void }) {
  if (!list.items?.length) return null;
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
