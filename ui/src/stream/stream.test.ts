import { afterEach, describe, expect, it, vi } from "vitest";
import type { TurnEvent } from "../shared/contract";
import { ask } from "./follow";
import { frames, type Frame } from "./sse";
import { advance, newTurn, type Turn } from "./turn";

const bodyOf = (...chunks: string[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      controller.close();
    },
  });

async function all(body: ReadableStream<Uint8Array>): Promise<Frame[]> {
  const list: Frame[] = [];
  for await (const frame of frames(body)) list.push(frame);
  return list;
}

const started: TurnEvent = {
  type: "turn.started",
  turn_id: "turn_1",
  conversation_id: "conv_1",
  message_id: "msg_1",
  reply_id: "msg_2",
};
const text = (words: string): TurnEvent => ({ type: "text.added", text: words });
const finished: TurnEvent = {
  type: "turn.finished",
  reply_id: "msg_2",
  grounding: "sourced",
  model: "m",
  reason: "stop",
  can_leave_message: false,
};

const fold = (events: [number, TurnEvent][]): Turn =>
  events.reduce((turn, [seq, event]) => advance(turn, seq, event), newTurn());

describe("frames", () => {
  it("are the same however the bytes are cut", async () => {
    const stream = ': ping\n\nid: 1\nevent: text.added\ndata: {"text":"ä"}\n\nid: 2\r\ndata: a\r\ndata: b\r\n\r\n';
    const whole = await all(bodyOf(stream));
    expect(whole).toEqual([
      { id: "1", event: "text.added", data: '{"text":"ä"}' },
      { id: "2", event: "", data: "a\nb" },
    ]);
    expect(await all(bodyOf(...stream))).toEqual(whole);
  });

  it("that were cut off are not shown", async () => {
    expect(await all(bodyOf("id: 1\ndata: x\n"))).toEqual([]);
  });
});

describe("a turn", () => {
  it("adds its text up and ends", () => {
    const turn = fold([[1, started], [2, text("a")], [3, text("b")], [4, finished]]);
    expect(turn).toMatchObject({ text: "ab", state: "complete", grounding: "sourced", replyId: "msg_2" });
  });

  it("holds nothing twice when events come again", () => {
    expect(fold([[1, started], [2, text("a")], [2, text("a")], [1, started], [3, text("b")]]).text).toBe("ab");
  });

  it("joins a tool's result to its call and closes the question about it", () => {
    const call = { id: "c1", name: "calendar__list", arguments: "{}" };
    const turn = fold([
      [1, { type: "approval.asked", approval_id: "a1", call }],
      [2, { type: "tool.called", call, server: "calendar" }],
      [3, { type: "tool.returned", result: { call_id: "c1", name: call.name, text: "ok", is_error: false } }],
    ]);
    expect(turn.tools).toEqual([
      { call_id: "c1", name: call.name, server: "calendar", arguments: "{}", result: "ok", is_error: false },
    ]);
    expect(turn.approvals).toEqual([]);
  });

  it("is handed to a person without an answer", () => {
    const turn = fold([[1, started], [2, { type: "turn.handed", name: "Grace" }]]);
    expect(turn).toMatchObject({ state: "handed", text: "", error: null });
  });

  it("ignores events that this page does not know", () => {
    const odd = { type: "turn.sang" } as unknown as TurnEvent;
    expect(fold([[1, started], [2, odd], [3, text("a")]])).toMatchObject({ text: "a", seq: 3 });
  });
});

describe("following", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });

  const frame = (seq: number, event: TurnEvent): string => {
    const { type, ...data } = event;
    return `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  };

  async function follow(...answers: (Response | Error)[]): Promise<{ turn: Turn; calls: [string, RequestInit][] }> {
    const calls: [string, RequestInit][] = [];
    vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
      calls.push([path, init]);
      const answer = answers.shift();
      if (!answer || answer instanceof Error) throw answer ?? new Error("no answer is left");
      return answer;
    });
    let turn = newTurn();
    await ask(
      { text: "hello" },
      "key_1",
      {
        onEvent: (seq, event) => {
          turn = advance(turn, seq, event);
        },
        onCut: () => undefined,
        signal: new AbortController().signal,
      },
    );
    return { turn, calls };
  }

  it("picks a cut line up after the last event", async () => {
    const { turn, calls } = await follow(
      new Response(bodyOf(frame(1, started), frame(2, text("a")), "id: 3\nevent: text.ad")),
      new Response(bodyOf(frame(3, text("b")), frame(4, finished))),
    );
    expect(turn).toMatchObject({ text: "ab", state: "complete" });
    expect(calls[1]?.[0]).toBe("/api/v1/turns/turn_1/events");
    expect(new Headers(calls[1]?.[1].headers).get("Last-Event-ID")).toBe("2");
  });

  it("ends when a person has the conversation", async () => {
    const { turn, calls } = await follow(new Response(bodyOf(frame(1, started), frame(2, { type: "turn.handed", name: "Grace" }))));
    expect(turn.state).toBe("handed");
    expect(calls).toHaveLength(1);
  });

  it("sends a question again under the same key when no answer began", async () => {
    const { turn, calls } = await follow(
      new TypeError("network"),
      new Response(bodyOf(frame(1, started), frame(2, finished))),
    );
    expect(calls.map(([, init]) => new Headers(init.headers).get("Idempotency-Key"))).toEqual(["key_1", "key_1"]);
    expect(turn.state).toBe("complete");
  });

  it("keeps a question through any time without a network, and is patient once there is one", async () => {
    vi.useFakeTimers();
    const isOnline = vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
    setTimeout(() => isOnline.mockReturnValue(true), 60_000);
    const failures = Array<Error>(20).fill(new TypeError("network"));
    const following = follow(...failures, new Response(bodyOf(frame(1, started), frame(2, finished))));
    await vi.runAllTimersAsync();
    const { turn, calls } = await following;
    expect(turn.state).toBe("complete");
    expect(new Set(calls.map(([, init]) => new Headers(init.headers).get("Idempotency-Key"))).size).toBe(1);
  });

  it("gives a question back that a desk which cannot be reached has not taken", async () => {
    vi.useFakeTimers();
    const following = expect(follow()).rejects.toMatchObject({ isOffline: true });
    await vi.runAllTimersAsync();
    await following;
  });

  it("gives up at once on an answer that will not change", async () => {
    const body = JSON.stringify({ error: { code: "too_large", message: "Too large", hint: "Send less" } });
    await expect(follow(new Response(body, { status: 413 }))).rejects.toMatchObject({ code: "too_large", status: 413 });
  });
});
