import { Chat } from "./chat";
import { composer } from "./composer";
import { el, note } from "./dom";
import { survey } from "./forms";
import type { Host } from "./host";
import { messageView, type MessageView } from "./message";
import { lasting, type Session } from "./session";
import { words } from "./strings";

const HEIGHT = { empty: 480, talk: 640 };
const NEAR = 48; // pixels from the end within which the list follows what is new

type Site = { id: string; greeting: string; suggestions: string[] };

/** The conversation on the page: its messages, what is going on, and the field to write in. */
export class Talk {
  readonly root: HTMLElement[];
  private readonly chat: Chat;
  private readonly log = el("div", { className: "log", role: "log", ariaLive: "off", ariaLabel: words.log });
  private readonly scroller = el("div", { className: "scroller", tabIndex: 0 }, this.log);
  private readonly line = el("p", { className: "line" });
  private readonly said = el("p", { className: "hidden-label", role: "status" });
  private readonly writing = composer({
    type: () => this.chat.typing(),
    send: (text) => this.send(text),
    stop: () => this.chat.stop(),
  });
  private readonly views = new Map<string, MessageView>();
  private readonly welcome: HTMLElement;
  private asked = "";
  private question: HTMLElement | null = null;
  private isOpen = false;
  private sticks = true;
  private known: string | null = null;

  constructor(
    private readonly site: Site,
    private readonly session: Session,
    private readonly host: Host,
  ) {
    const offers = site.suggestions.map((text) => el("button", { type: "button", className: "button", onclick: () => this.send(text) }, text));
    this.welcome = el("div", { className: "welcome" }, el("h2", {}, site.greeting || words.empty), ...offers);
    this.root = [this.scroller, el("footer", {}, this.line, this.writing.root), this.said];
    this.scroller.onscroll = () => {
      const { scrollHeight, scrollTop, clientHeight } = this.scroller;
      this.sticks = scrollHeight - scrollTop - clientHeight < NEAR;
    };
    this.chat = new Chat(
      session.conversation_id,
      () => this.show(),
      (text) => this.writing.restore(text),
    );
    addEventListener("online", this.showLine);
    addEventListener("offline", this.showLine);
    this.show();
  }

  /** Whether somebody looks: then nothing is unread, and the field is ready. */
  open(isOpen: boolean): void {
    const isNew = isOpen && !this.isOpen;
    this.isOpen = isOpen;
    this.show();
    if (isNew) this.writing.field.focus();
  }

  close(): void {
    this.chat.close();
    removeEventListener("online", this.showLine);
    removeEventListener("offline", this.showLine);
  }

  private send(text: string): void {
    this.sticks = true;
    this.chat.send(text);
    this.writing.field.focus();
  }

  private show(): void {
    const { chat } = this;
    const { messages } = chat;
    const around = { path: chat.path, turn: chat.turn, email: this.session.email };
    const shown = new Set<string>();
    const nodes = messages.map((message) => {
      const view = this.view(message.id, message);
      view.show(message, around);
      shown.add(message.id);
      return view.root;
    });
    for (const id of this.views.keys()) if (!shown.has(id)) this.views.delete(id);
    const wanted = [
      !chat.isLoading && !messages.length && this.welcome,
      chat.conversation?.earlier && el("p", { className: "notice" }, words.earlier),
      ...nodes,
      chat.typist !== null && el("p", { className: "working" }, words.types(chat.typist)),
      chat.trouble && note(chat.trouble),
      this.survey(),
    ].filter((node): node is HTMLElement => !!node);
    arrange(this.log, wanted);
    this.writing.show(chat.isRunning);
    this.showLine();
    if (this.sticks) this.scroller.scrollTop = this.scroller.scrollHeight;
    this.tell();
    this.announce();
  }

  /** A message's view. What had a name of the page's own gets the desk's, and stays the same view. */
  private view(id: string, message: Parameters<typeof messageView>[0]): MessageView {
    const local = message.role === "user" ? "question" : "reply";
    const view = this.views.get(id) ?? (this.chat.turn && this.views.get(local)) ?? messageView(message);
    if (id !== local) this.views.delete(local);
    this.views.set(id, view);
    return view;
  }

  private survey(): HTMLElement | null {
    const open = this.chat.conversation?.survey;
    if (open && open.score === null && open.id !== this.asked) {
      this.asked = open.id;
      this.question = survey(this.chat.path);
    }
    return this.question;
  }

  private readonly showLine = (): void => {
    const { isCut, conversation } = this.chat;
    const held = conversation?.held_by ? words.here(conversation.held_by.name) : "";
    const state = conversation?.status === "closed" ? words.closed : held;
    this.line.textContent = navigator.onLine ? (isCut ? words.cut : state) : words.offline;
  };

  /** What came while nobody looked is told to the launcher, and remembered over pages. */
  private tell(): void {
    if (this.chat.isLoading) return;
    const key = `frontdesk.${this.site.id}.seen`;
    const stored = this.chat.conversation?.messages.filter((message) => message.state !== "running") ?? [];
    const last = stored.at(-1)?.id;
    if (this.isOpen && last) lasting.setItem(key, last);
    const seen = stored.findIndex((message) => message.id === lasting.getItem(key));
    const unread = stored.slice(seen + 1).filter((message) => message.role === "assistant").length;
    const height = this.chat.messages.length ? HEIGHT.talk : HEIGHT.empty;
    const isGoingOn = this.chat.conversation?.status === "open" || unread > 0;
    this.host.tell({ unread: this.isOpen || !unread ? "" : String(unread), kept: isGoingOn ? "yes" : "", height });
  }

  /** What has just been finished, said once to screen readers; growing text is never read out. */
  private announce(): void {
    const last = this.chat.messages.at(-1);
    if (this.chat.isLoading || this.chat.isRunning || this.known === last?.id) return;
    const isFirst = this.known === null;
    this.known = last?.id ?? "";
    if (isFirst || !last || last.role === "user") return;
    const written = this.views.get(last.id)?.root.querySelector(".prose")?.textContent;
    this.said.textContent = last.role === "notice" ? last.text : words.answered(written || last.error?.message || "");
  }
}

/** Make `wanted` the children of `box`, moving none that stands where it should: so nothing loses its focus. */
function arrange(box: HTMLElement, wanted: HTMLElement[]): void {
  const keep = new Set<Node>(wanted);
  for (const node of [...box.childNodes]) if (!keep.has(node)) node.remove();
  wanted.forEach((node, place) => {
    const there = box.childNodes[place] ?? null;
    if (there !== node) box.insertBefore(node, there);
  });
}
