import { safeHref } from "../markdown/inline";
import { MarkdownView } from "../markdown/view";
import { call } from "../shared/api";
import type { Citation, Message } from "../shared/contract";
import type { Turn } from "../stream/turn";
import { el, fill, iconButton, note } from "./dom";
import { leave } from "./forms";
import { words } from "./strings";

export type Around = { path: string; turn: Turn | null; email: string };

/** A message on the page. It is painted again only when it has changed. */
export type MessageView = { root: HTMLElement; show: (message: Message, around: Around) => void };

/** The view of what somebody said: the visitor, the desk, a person of the team; or of what happened. */
export function messageView(message: Message): MessageView {
  if (message.role === "assistant") return answer();
  const isNotice = message.role === "notice";
  const said = el(isNotice ? "p" : "div", { className: isNotice ? "notice" : "said", dir: "auto" });
  const root = isNotice ? said : el("article", { className: "question" }, el("h2", { className: "hidden-label" }, words.you), said);
  return {
    root,
    show: ({ text }) => {
      if (said.textContent !== text) said.textContent = text;
    },
  };
}

function answer(): MessageView {
  const name = el("h2");
  const prose = el("div", { className: "prose", dir: "auto" });
  const after = el("div", { className: "after" });
  const root = el("article", { className: "answer" }, name, prose, after);
  const sources = new Map<number, HTMLButtonElement>();
  const view = new MarkdownView(prose, {
    onMark: (number) => sources.get(number)?.click(),
    onCopy: (code) => void navigator.clipboard.writeText(code).catch(() => undefined),
    words: { copyCode: words.copy, source: words.source },
  });
  let shown = "";
  return {
    root,
    show: (message, { path, turn, email }) => {
      const isOpen = message.state === "running";
      const { author, citations, grounding, state } = message;
      view.show({ text: message.text, open: isOpen, marks: new Set(citations.map(({ number }) => number)) });
      const activity = isOpen ? (turn?.activity ? words.working(turn.activity.kind, turn.activity.detail) : words.waiting) : "";
      const key = [state, activity, grounding, citations.length, message.feedback?.value, author?.name].join();
      if (key === shown) return; // what stands below keeps what the reader has opened and written there
      shown = key;
      name.textContent = author?.name ?? words.desk;
      name.className = author ? "author" : "hidden-label";
      root.dataset["grounding"] = grounding ?? "";
      const isDone = !isOpen && !author;
      fill(
        after,
        isOpen && el("p", { className: "working" }, activity),
        state === "stopped" && el("p", { className: "aside" }, words.stopped),
        message.error && note(message.error),
        isDone && grounding && words.grounds[grounding] && el("p", { className: "aside" }, words.grounds[grounding]),
        isDone && citations.length > 0 && sourceList(citations, sources),
        isDone && state === "complete" && thumbs(message),
        isDone && message.can_leave_message && leave(path, email),
      );
    },
  };
}

/** What the answer stands on: each source opens its very words. */
function sourceList(citations: Citation[], buttons: Map<number, HTMLButtonElement>): HTMLElement {
  const list = el("ol", { className: "plain sources", ariaLabel: words.sources });
  for (const { number, title, heading, quote, source } of citations) {
    const href = safeHref(source);
    const link = href && el("a", { href, target: "_blank", rel: "noopener noreferrer" }, words.openDocument);
    const passage = el("blockquote", { hidden: true, dir: "auto" }, heading && el("p", { className: "muted" }, heading), el("p", {}, quote), link);
    const button = el("button", { type: "button", ariaExpanded: "false" }, el("span", { className: "cite" }, String(number)), el("span", {}, title));
    button.onclick = () => {
      passage.hidden = !passage.hidden;
      button.ariaExpanded = String(!passage.hidden);
      if (!passage.hidden) passage.scrollIntoView({ block: "nearest" });
    };
    buttons.set(number, button);
    list.append(el("li", {}, button, passage));
  }
  return list;
}

function thumbs(message: Message): HTMLElement {
  let value = message.feedback?.value ?? 0;
  const show = (next: number): void => {
    value = next;
    up.ariaPressed = String(next > 0);
    down.ariaPressed = String(next < 0);
  };
  const choose = (wanted: number): void => {
    const before = value;
    show(value === wanted ? 0 : wanted);
    call(`/api/v1/messages/${message.id}/feedback`, { method: "PUT", body: { value } }).catch(() => show(before));
  };
  const up = iconButton("up", words.helpful, () => choose(1));
  const down = iconButton("down", words.unhelpful, () => choose(-1));
  show(value);
  return el("p", { className: "thumbs" }, up, down);
}
