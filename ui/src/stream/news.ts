import { request, Trouble } from "../shared/api";
import { pause } from "./follow";
import { frames } from "./sse";

/** Something happened in a conversation: fetch it again, or somebody types there (`name`, where it is known). */
export type News = { kind: "changed" | "typing" | "answering"; conversation: string; name: string };

export const CHANGED: News = { kind: "changed", conversation: "", name: "" };

/** How often a page looks by itself, in milliseconds: news may be lost. */
export const POLL = { live: 30_000, cut: 5_000 };

/** How long a sign of typing is believed, and how often one is given, in milliseconds. */
export const TYPING_LASTS = 6000;
export const TYPING_PAUSE = 3000;

const WAITS = [500, 1000, 2000, 4000, 8000, 15_000];
const KINDS: ReadonlySet<string> = new Set(["changed", "typing", "answering"]);

/** Listen until `signal` ends it; what no try can mend is left to the polling. */
export async function listen(
  path: string,
  tell: (news: News) => void,
  onLive: (isLive: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      const answer = await request(path, { headers: { Accept: "text/event-stream" }, signal });
      onLive(true);
      if (tries) tell(CHANGED);
      for await (const { event, data } of frames(answer.body as ReadableStream<Uint8Array>)) {
        tries = 0;
        if (KINDS.has(event)) tell(newsOf(event as News["kind"], data));
      }
    } catch (reason) {
      if (signal.aborted) return;
      if (reason instanceof Trouble && !reason.isOffline && reason.status < 500) return;
    }
    if (signal.aborted) return;
    onLive(false);
    await pause(WAITS[Math.min(tries, WAITS.length - 1)] as number, signal);
  }
}

function newsOf(kind: News["kind"], data: string): News {
  const { conversation_id = "", name = "" } = JSON.parse(data) as { conversation_id?: string; name?: string };
  return { kind, conversation: conversation_id, name };
}
