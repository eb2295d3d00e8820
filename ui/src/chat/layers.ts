import { useEffect, useRef } from "react";

const layers: (() => void)[] = [];

/** Esc undoes the layer that was opened last. Native dialogs close themselves and are left alone. */
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog:modal")) return;
  const undo = layers.at(-1);
  if (!undo) return;
  event.preventDefault();
  undo();
});

/** While `isOpen`, Esc calls `undo` unless something newer is open. */
export function useLayer(isOpen: boolean, undo: () => void): void {
  const latest = useRef(undo);
  latest.current = undo;
  useEffect(() => {
    if (!isOpen) return undefined;
    const layer = (): void => latest.current();
    layers.push(layer);
    return () => {
      layers.splice(layers.indexOf(layer), 1);
    };
  }, [isOpen]);
}
