import { el, iconButton } from "./dom";
import { words } from "./strings";

export type Composer = {
  root: HTMLElement;
  field: HTMLTextAreaElement;
  show: (isRunning: boolean) => void;
  /** What could not be sent comes back, before what has been written since. */
  restore: (text: string) => void;
};

/** Where people write. Stop is where Send was. */
export function composer(on: { type: () => void; send: (text: string) => void; stop: () => void }): Composer {
  const field = el("textarea", { ariaLabel: words.composer, placeholder: words.placeholder, dir: "auto", rows: 1 });
  const send = iconButton("send", words.send, null);
  const stop = iconButton("stop", words.stop, on.stop);
  const root = el("form", { className: "composer" }, field, send, stop);
  const grow = (): void => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
    send.disabled = !field.value.trim();
  };
  root.onsubmit = (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text || send.hidden) return;
    field.value = "";
    grow();
    on.send(text);
  };
  field.oninput = () => {
    grow();
    on.type();
  };
  field.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    root.requestSubmit();
  };
  send.disabled = stop.hidden = true;
  return {
    root,
    field,
    show: (isRunning) => {
      const hadFocus = [send, stop].includes(document.activeElement as HTMLButtonElement);
      send.hidden = isRunning;
      stop.hidden = !isRunning;
      if (hadFocus) field.focus();
    },
    restore: (text) => {
      field.value = [text, field.value].filter(Boolean).join("\n");
      grow();
    },
  };
}
