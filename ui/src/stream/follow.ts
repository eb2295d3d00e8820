import { request, Trouble } from "../shared/api";
import type { TurnEvent } from "../shared/contract";
import { frames } from "./sse";

export type Question = {
  text?: string;
  conversation_id?: string;
  parent_id?: string;
  at_start?: boolean;
  regenerate?: string;
  file_ids?: string[];
};

type Follower = {
  onEvent: (seq: number, event: TurnEvent) => void;
  /** The line is cut and will be tried again (true), or stands again (false). */
  onCut: (isCut: boolean) => void;
  signal: AbortSignal;
  /** Where turns are read; operators read those of others elsewhere. */
  root?: string;
};

const WAITS = [300, 700, 1500, 3000, 5000];
const ENDS: ReadonlySet<TurnEvent["type"]> = new Set(["turn.finished", "turn.failed", "turn.handed"]);
const isWorthRetrying = (trouble: Trouble): boolean => trouble.isOffline || trouble.status === 503;

/**
 * Ask, and follow the answer to its end. A cut line is picked up after the last event; a question whose answer never
 * began is sent again under the same key, which the desk takes as the same question. Whoever asks it once more after
 * this has thrown gives the key again: the desk may have taken the question before its answer was lost.
 */
export async function ask(question: Question, key: string, follower: Follower): Promise<void> {
  await run("", 0, follower, () =>
    request("/api/v1/chat", {
      method: "POST",
      body: question,
      headers: { Accept: "text/event-stream", "Idempotency-Key": key },
      signal: follower.signal,
    }),
  );
}

/** Follow a turn that was begun elsewhere or before a reload, from event `after` on. */
export async function resume(turnId: string, after: number, follower: Follower): Promise<void> {
  await run(turnId, after, follower, () => eventsOf(turnId, after, follower));
}

const eventsOf = (turnId: string, after: number, { signal, root = "/api/v1/turns" }: Follower): Promise<Response> =>
  request(`${root}/${turnId}/events`, {
    headers: { Accept: "text/event-stream", "Last-Event-ID": String(after) },
    signal,
  });

async function run(turnId: string, after: number, follower: Follower, begin: () => Promise<Response>): Promise<void> {
  let id = turnId;
  let seq = after;
  let tries = 0;
  let failures = 0; // in a row, of a machine that was online: without a network a try tells nothing of the desk
  let open = begin;
  for (;;) {
    try {
      const answer = await open();
      if (!answer.body) throw new Trouble(0, "offline", "The answer has no body");
      for await (const frame of frames(answer.body)) {
        const event = { ...JSON.parse(frame.data), type: frame.event } as TurnEvent;
        if (event.type === "turn.started") id = event.turn_id;
        if (tries) follower.onCut(false);
        tries = failures = 0;
        seq = Number(frame.id) || seq + 1;
        follower.onEvent(seq, event);
        if (ENDS.has(event.type)) return;
      }
    } catch (reason) {
      if (follower.signal.aborted) return;
      if (reason instanceof Trouble && !isWorthRetrying(reason)) throw reason;
      failures = navigator.onLine ? failures + 1 : 0;
      if (failures > WAITS.length && !id) throw reason;
    }
    if (follower.signal.aborted) return;
    follower.onCut(true);
    await pause(WAITS[Math.min(tries, WAITS.length - 1)] as number, follower.signal);
    if (follower.signal.aborted) return;
    tries += 1;
    if (id) open = () => eventsOf(id, seq, follower);
  }
}

/** Wait, but not longer than until the machine is online again. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    window.addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}
