import { useEffect, useRef } from "react";

const LAYERS = "dialog:modal, [role=dialog], [role=alertdialog], [role=menu]";

const isWriting = (target: HTMLElement): boolean =>
  target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);

/** Acts on single keys, while nothing is being written and no dialog is open. What is undefined cannot be done now. */
export function useKeys(acts: Record<string, (() => void) | undefined>): void {
  const latest = useRef(acts);
  latest.current = acts;
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector(LAYERS) || isWriting(event.target as HTMLElement)) return;
      const act = latest.current[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
