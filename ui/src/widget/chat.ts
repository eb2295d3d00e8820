import { call, troubleOf, type Trouble } from "../shared/api";
import type { Conversation, Message } from "../shared/contract";
import { messageOf } from "../shared/message";
import { ask, resume } from "../stream/follow";
import { listen, POLL, TYPING_LASTS, TYPING_PAUSE, type News } from "../stream/news";
import { advance, newTurn, replyOf, type Turn } from "../stream/turn";

type Follower = Parameters<typeof resume>[2];

const PAINT = 40; // milliseconds between two paintings of a growing answer: a frame that is hidden has no frames to count

/** The widget's one conversation: as the desk holds it, and what is being said right now. `onChange` paints it. */
export class Chat {
  conversation: Conversation | null = null;
  turn: Turn | null = null;
  /** The line is cut, and will be tried again. */
  isCut = false;
  isLoading: boolean;
  /** Who of the team types; null while nobody does. */
  typist: string | null = null;
  trouble: Trouble | null = null;
  /** What was said before `turn`: as the desk tells it, and earlier turns of this page that it could not tell of yet. */
  private said: Message[] = [];
  private question: Message | null = null;
  /** The key of the question that was asked last. It goes with `unsent` too: the desk may have taken that. */
  private key = "";
  private unsent = "";
  private following: AbortController | null = null;
  private readonly listening = new AbortController();
  private isStopWanted = false;
  private painting = 0;
  private typed = 0;
  private fading = 0;
  private polling = 0;
  private round = 0;

  constructor(
    private id: string | null,
    private readonly onChange: () => void,
    private readonly onUnsent: (text: string) => void,
  ) {
    this.isLoading = id !== null;
    this.hear();
  }

  /** All messages, with the question that is being asked and the answer that is being written: each once. */
  get messages(): Message[] {
    const { turn, question, said } = this;
    if (!turn) return said;
    const shown = said.filter((message) => message.id !== turn.replyId);
    if (question && !shown.some((message) => message.id === turn.messageId)) shown.push({ ...question, id: turn.messageId || question.id });
    if (turn.state !== "handed") shown.push(replyOf(turn, turn.messageId, new Date().toISOString()));
    return shown;
  }

  get isRunning(): boolean {
    return this.following !== null;
  }

  get path(): string {
    return `/api/v1/conversations/${this.id ?? ""}`;
  }

  send(text: string): void {
    this.said = this.messages;
    this.question = messageOf({ id: "question", role: "user", text });
    const body = { text, ...(this.id ? { conversation_id: this.id } : {}) };
    if (text !== this.unsent) this.key = crypto.randomUUID();
    this.unsent = "";
    void this.follow(newTurn({ replyId: "reply" }), (follower) => ask(body, this.key, follower));
  }

  stop(): void {
    this.isStopWanted = true;
    if (this.turn?.turnId) this.post(`/api/v1/turns/${this.turn.turnId}/stop`);
  }

  /** What is written changes: it is another question now. Tell the team that the visitor types, now and then. */
  typing(): void {
    this.unsent = "";
    const now = Date.now();
    if (!this.id || now - this.typed < TYPING_PAUSE) return;
    this.typed = now;
    this.post(`${this.path}/typing`);
  }

  /** Somebody else chats here from now on. */
  close(): void {
    this.listening.abort();
    this.following?.abort();
    clearInterval(this.polling);
  }

  /** Fetch it anew. Of answers that overtake each other the one that was asked for last counts. */
  async reload(): Promise<void> {
    const round = ++this.round;
    try {
      const found = await call<Conversation>(`${this.path}?limit=100`);
      if (round !== this.round) return;
      this.conversation = found;
      this.said = found.messages;
      this.trouble = null;
      if (!this.following) {
        this.turn = this.question = null;
        const running = found.running_turn_id;
        const reply = found.messages.find((message) => message.turn_id === running && message.role === "assistant");
        if (running) void this.follow(newTurn({ replyId: reply?.id ?? "reply" }), (follower) => resume(running, 0, follower));
      }
    } catch (reason) {
      const trouble = troubleOf(reason);
      if (!trouble.isOffline) this.trouble = trouble;
    }
    this.isLoading = false;
    this.onChange();
  }

  private async follow(turn: Turn, run: (follower: Follower) => Promise<void>): Promise<void> {
    const abort = new AbortController();
    this.following?.abort();
    this.following = abort;
    this.turn = turn;
    this.trouble = null;
    this.isStopWanted = false;
    this.onChange();
    try {
      await run({
        signal: abort.signal,
        onEvent: (seq, event) => {
          this.turn = turn = advance(turn, seq, event);
          if (event.type === "turn.started") this.started(event.conversation_id);
          this.painting ||= window.setTimeout(() => this.paint(), PAINT);
        },
        onCut: (isCut) => {
          this.isCut = isCut;
          this.onChange();
        },
      });
    } catch (reason) {
      if (!abort.signal.aborted) this.failed(turn, troubleOf(reason));
    }
    if (abort.signal.aborted) return;
    this.following = null;
    this.isCut = false;
    if (this.turn && this.id) await this.reload();
    else this.onChange();
  }

  private started(id: string): void {
    if (this.isStopWanted) this.stop();
    if (this.id === id) return;
    this.id = id;
    this.hear();
  }

  /** A question of which nobody knows whether the desk took it goes back to where it was written. */
  private failed(turn: Turn, trouble: Trouble): void {
    this.trouble = trouble;
    if (turn.turnId) return;
    this.turn = null;
    if (!this.question) return;
    this.unsent = this.question.text;
    this.onUnsent(this.unsent);
  }

  /** Follow what happens in the conversation, and look by the clock as well: news may be lost. */
  private hear(): void {
    if (!this.id) return;
    const poll = (every: number): void => {
      clearInterval(this.polling);
      this.polling = window.setInterval(() => document.hidden || this.following || void this.reload(), every);
    };
    poll(POLL.cut);
    void this.reload();
    void listen(`${this.path}/events`, (news) => this.heard(news), (isLive) => poll(isLive ? POLL.live : POLL.cut), this.listening.signal);
  }

  private heard({ kind, name }: News): void {
    if (kind === "typing") return;
    clearTimeout(this.fading);
    this.typist = kind === "answering" ? name : null;
    this.fading = window.setTimeout(() => {
      this.typist = null;
      this.onChange();
    }, TYPING_LASTS);
    if (kind === "changed" && !this.following) void this.reload();
    else this.onChange();
  }

  private paint(): void {
    this.painting = 0;
    this.onChange();
  }

  private post(path: string): void {
    call(path, { method: "POST" }).catch(() => undefined);
  }
}
