import { useId, useState, type KeyboardEvent, type TextareaHTMLAttributes } from "react";
import { useAnswer } from "../shared/use-answer";
import type { Page } from "../shared/contract";
import type { Canned } from "./contract";
import { words } from "./strings";

const text = words.inbox;
const ASKED = /(^|\s)\/([\p{L}\p{N}_-]*)$/u;
const SHOWN = 8;

export type Picker = {
  found: Canned[] | null;
  list: string;
  at: number;
  choose: (canned: Canned) => void;
  /** True where the key was the picker's own. */
  onKeyDown: (event: KeyboardEvent) => boolean;
  aria: Pick<TextareaHTMLAttributes<HTMLTextAreaElement>, "aria-autocomplete" | "aria-controls" | "aria-activedescendant" | "aria-haspopup">;
};

/** Canned replies to choose from while the text ends in "/" and some letters. */
export function useCanned(written: string, person: string, onWrite: (text: string) => void): Picker {
  const canned = useAnswer<Page<Canned>>("/api/v1/console/canned");
  const [moved, setMoved] = useState({ letters: "", to: 0 });
  const [left, setLeft] = useState("");
  const list = useId();
  const asked = ASKED.exec(written);
  const letters = asked?.[2]?.toLowerCase() ?? "";
  const at = moved.letters === letters ? moved.to : 0; // other letters begin again at the first

  const fits = ({ shortcut, title }: Canned): boolean =>
    shortcut.toLowerCase().startsWith(letters) || title.toLowerCase().includes(letters);
  const found = asked && left !== written ? (canned.value?.items.filter(fits).slice(0, SHOWN) ?? null) : null;
  const choose = (chosen: Canned): void => {
    const before = written.slice(0, written.length - letters.length - 1);
    onWrite(before + chosen.text.replaceAll("{name}", person));
  };
  const onKeyDown = (event: KeyboardEvent): boolean => {
    if (!found) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const chosen = found[at];
    if (step && found.length) setMoved({ letters, to: (at + step + found.length) % found.length });
    else if (event.key === "Escape") setLeft(written);
    else if (chosen && (event.key === "Enter" || event.key === "Tab")) choose(chosen);
    else return false;
    event.preventDefault();
    return true;
  };
  const aria = {
    "aria-autocomplete": "list" as const,
    "aria-haspopup": "listbox" as const,
    ...(found?.length ? { "aria-controls": list, "aria-activedescendant": `${list}-${at}` } : {}),
  };
  return { found, list, at, choose, onKeyDown, aria };
}

export const CannedList = ({ picker }: { picker: Picker }) => {
  if (!picker.found) return null;
  if (picker.found.length === 0) return <p className="inbox-canned small muted">{text.noCanned}</p>;
  return (
    <ul className="plain inbox-canned" role="listbox" id={picker.list} aria-label={text.canned}>
      {picker.found.map((one, index) => (
        <li
          key={one.id}
          id={`${picker.list}-${index}`}
          role="option"
          aria-selected={index === picker.at}
          onMouseDown={(event) => {
            event.preventDefault();
            picker.choose(one);
          }}
        >
          <code>/{one.shortcut}</code> <strong>{one.title}</strong> <span className="muted">{one.text}</span>
        </li>
      ))}
    </ul>
  );
};
