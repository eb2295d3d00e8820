import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { call, query, Trouble, troubleOf } from "../shared/api";
import type { Conversation, FileFact, Message, Survey } from "../shared/contract";
import { messageOf } from "../shared/message";
import { branch, leaf } from "../shared/tree";
import { ask, resume, type Question } from "../stream/follow";
import { advance, newTurn, replyOf, type Turn } from "../stream/turn";
import { restoreDraft, type Sent } from "./draft";

/** `sent` and `head` are of a question that is asked here: what goes back to the field, and what was shown before it. */
type Live = { question: Message | null; turn: Turn; since: string; sent?: Sent; head?: string | null };

export type Talk = {
  id: string | null;
  title: string;
  /** The current branch, the running answer last. */
  path: Message[];
  messages: Message[];
  turn: Turn | null;
  loading: boolean;
  isCut: boolean;
  trouble: Trouble | null;
  /** Who of the team answers in the desk's place. */
  holder: string | null;
  survey: Survey | null;
  hasEarlier: boolean;
  earlier: () => void;
  /** Look whether something has changed, without a word if that fails. */
  refresh: () => void;
  /** Ask; with `again` what was asked before is asked once more, as the same question. */
  send: (text: string, files: FileFact[], again?: Sent | null) => void;
  edit: (message: Message, text: string) => void;
  regenerate: (question: Message) => void;
  stop: () => void;
  choose: (message: Message) => void;
  change: (id: string, values: Partial<Message>) => void;
  changeTurn: (change: (turn: Turn) => Turn) => void;
  rename: (title: string) => Promise<void>;
  reload: () => void;
};

const LOCAL_QUESTION = "local_question";
const LOCAL_REPLY = "local_reply";
const NEWEST = 200;
const SOON = 300;

type Facts = { holder: string | null; survey: Survey | null; hasEarlier: boolean };
const NO_FACTS: Facts = { holder: null, survey: null, hasEarlier: false };

/** One conversation: its messages as the desk holds them, and the answer that is being written. */
export function useTalk(wanted: string | null, onBegun: (id: string) => void): Talk {
  const [id, setId] = useState<string | null>(null);
  const [title, setTitle] = useState("");
  const [messages, setMessages] = useState<Message[]>([]);
  const [headId, setHeadId] = useState<string | null>(null);
  const [facts, setFacts] = useState(NO_FACTS);
  const [live, setLive] = useState<Live | null>(null);
  const [loading, setLoading] = useState(wanted !== null);
  const [isCut, setCut] = useState(false);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [round, setRound] = useState(0);
  const following = useRef<AbortController | null>(null);
  const current = useRef<string | null>(null);
  const stopWanted = useRef(false);
  const size = useRef(NEWEST);
  const isFollowing = useRef(false);
  const wasChanged = useRef(false);
  const looking = useRef(0);

  const follow = useCallback(
    async (begin: Live, run: (onTurn: (turn: Turn) => void, signal: AbortSignal) => Promise<void>) => {
      following.current?.abort();
      const abort = new AbortController();
      following.current = abort;
      stopWanted.current = false;
      isFollowing.current = true;
      setTrouble(null);
      setCut(false);
      setLive(begin);
      let turn = begin.turn;
      let painting = 0;
      const paint = (): void => {
        painting = 0;
        if (!abort.signal.aborted) setLive((old) => old && { ...old, turn: { ...turn, approvals: mergeAnswers(old.turn, turn) } });
      };
      const onTurn = (next: Turn): void => {
        const isFirst = !turn.turnId && next.turnId !== "";
        turn = next;
        if (isFirst) {
          current.current = turn.conversationId;
          setId(turn.conversationId);
          onBegun(turn.conversationId);
          if (stopWanted.current) void stopTurn(turn.turnId);
        }
        painting ||= requestAnimationFrame(paint);
      };
      try {
        await run(onTurn, abort.signal);
        if (abort.signal.aborted) return;
        cancelAnimationFrame(painting);
        setMessages((old) => settle(old, begin.question, turn));
        setHeadId(turn.state === "handed" ? turn.messageId : turn.replyId);
        if (turn.state === "handed") wasChanged.current = true;
        setLive(null);
      } catch (reason) {
        if (abort.signal.aborted) return;
        cancelAnimationFrame(painting);
        setTrouble(troubleOf(reason));
        setLive(null);
        if (turn.turnId) setRound((count) => count + 1);
        else if (begin.sent) {
          if (begin.question) restoreDraft(current.current, begin.sent);
          setHeadId(begin.head ?? null);
        }
      } finally {
        if (!abort.signal.aborted) {
          setCut(false);
          isFollowing.current = false;
          if (wasChanged.current) refreshing.current();
        }
      }
    },
    [onBegun],
  );

  const show = useCallback(
    (found: Conversation): void => {
      setTitle(found.title);
      setMessages(found.messages);
      setHeadId(found.head_id);
      setFacts({ holder: found.held_by?.name ?? null, survey: found.survey, hasEarlier: found.earlier });
      if (found.running_turn_id) void follow(resumed(found, found.running_turn_id), resumeRun(found.running_turn_id));
    },
    [follow],
  );

  /** What is written here is not disturbed: while an answer is followed, the look waits for its end. */
  const refresh = (): void => {
    const wanted = current.current;
    wasChanged.current = isFollowing.current;
    if (wanted === null || isFollowing.current) return;
    clearTimeout(looking.current);
    looking.current = window.setTimeout(() => {
      call<Conversation>(pathOfTalk(wanted, size.current))
        .then((found) => {
          if (current.current === wanted && !isFollowing.current) show(found);
        })
        .catch(() => undefined);
    }, SOON);
  };
  const refreshing = useRef(refresh);
  refreshing.current = refresh;

  useEffect(() => {
    if (wanted === current.current && round === 0) return undefined;
    following.current?.abort();
    isFollowing.current = false;
    current.current = wanted;
    size.current = NEWEST;
    setFacts(NO_FACTS);
    setLive(null);
    setTrouble(null);
    setCut(false);
    setMessages([]);
    setHeadId(null);
    setId(wanted);
    setTitle("");
    setLoading(wanted !== null);
    if (wanted === null) return undefined;
    const abort = new AbortController();
    call<Conversation>(pathOfTalk(wanted, size.current), { signal: abort.signal })
      .then((found) => {
        setLoading(false);
        show(found);
      })
      .catch((reason: unknown) => {
        if (abort.signal.aborted) return;
        setTrouble(troubleOf(reason));
        setLoading(false);
      });
    return () => abort.abort();
  }, [wanted, round, show]);

  useEffect(
    () => () => {
      following.current?.abort();
      clearTimeout(looking.current);
    },
    [],
  );

  const isHeld = facts.holder !== null;
  const path = useMemo(() => pathOf(messages, headId, live, isHeld), [messages, headId, live, isHeld]);

  const start = (sent: Sent, shown: Message | null, base: string | null): void => {
    setHeadId(base);
    const body = { ...sent.question, ...(id ? { conversation_id: id } : {}) };
    const turn = newTurn({ messageId: shown?.id ?? base ?? "", replyId: LOCAL_REPLY });
    const since = new Date().toISOString();
    void follow({ question: shown, turn, since, sent, head: headId }, asking(body, sent.key, { ...turn, conversationId: id ?? "" }));
  };

  const put = (sent: Sent): void => {
    const { text = "", parent_id: named, at_start: isFirst } = sent.question;
    const parent = isFirst ? null : (named ?? path.at(-1)?.id ?? null);
    start(sent, asQuestion(text, parent, sent.files), parent);
  };

  /** No parent is named: what somebody of the team has said meanwhile comes before it, though it is not seen here yet. */
  const send: Talk["send"] = (text, files, again) => put(again ?? fresh({ text }, files));

  const edit = (message: Message, text: string): void =>
    put(fresh({ text, ...(message.parent_id ? { parent_id: message.parent_id } : { at_start: true }) }, message.files));

  const choose = (message: Message): void => {
    const end = leaf(messages, message.id);
    setHeadId(end);
    call(`/api/v1/conversations/${id ?? ""}`, { method: "PATCH", body: { head_id: end } }).catch((reason: unknown) =>
      setTrouble(troubleOf(reason)),
    );
  };

  const stop = (): void => {
    const turnId = live?.turn.turnId;
    if (turnId) void stopTurn(turnId).catch((reason: unknown) => setTrouble(troubleOf(reason)));
    else stopWanted.current = true;
  };

  return {
    id,
    title,
    path,
    messages,
    turn: live?.turn ?? null,
    loading,
    isCut,
    trouble,
    ...facts,
    earlier: () => {
      size.current += NEWEST;
      refresh();
    },
    refresh,
    send,
    edit,
    regenerate: (question) => start(fresh({ regenerate: question.id }), null, question.id),
    stop,
    choose,
    change: (messageId, values) =>
      setMessages((old) => old.map((message) => (message.id === messageId ? { ...message, ...values } : message))),
    changeTurn: (change) => setLive((old) => old && { ...old, turn: change(old.turn) }),
    rename: async (next) => {
      await call(`/api/v1/conversations/${id ?? ""}`, { method: "PATCH", body: { title: next } });
      setTitle(next);
    },
    reload: () => setRound((count) => count + 1),
  };

  function asking(body: Question, key: string, first: Turn) {
    return (onTurn: (turn: Turn) => void, signal: AbortSignal): Promise<void> => {
      let turn = first;
      return ask(body, key, {
        onEvent: (seq, event) => onTurn((turn = advance(turn, seq, event))),
        onCut: setCut,
        signal,
      });
    };
  }

  function resumeRun(turnId: string) {
    return (onTurn: (turn: Turn) => void, signal: AbortSignal): Promise<void> => {
      let turn = newTurn();
      return resume(turnId, 0, {
        onEvent: (seq, event) => onTurn((turn = advance(turn, seq, event))),
        onCut: setCut,
        signal,
      });
    };
  }
}

const pathOfTalk = (id: string, limit: number): string =>
  `/api/v1/conversations/${encodeURIComponent(id)}${query({ limit: limit === NEWEST ? undefined : limit })}`;

const stopTurn = (turnId: string): Promise<unknown> => call(`/api/v1/turns/${turnId}/stop`, { method: "POST" });

/** Answers to approvals that the reader has given while the stream went on. */
const mergeAnswers = (shown: Turn, next: Turn): Turn["approvals"] =>
  next.approvals.map((asked) => shown.approvals.find((old) => old.id === asked.id) ?? asked);

const resumed = (found: Conversation, turnId: string): Live => {
  const reply = found.messages.find((message) => message.turn_id === turnId && message.role === "assistant");
  const turn = newTurn({ replyId: reply?.id ?? LOCAL_REPLY, messageId: reply?.parent_id ?? found.head_id ?? "" });
  return { question: null, turn, since: reply?.created_at ?? new Date().toISOString() };
};

function pathOf(messages: Message[], headId: string | null, live: Live | null, isHeld: boolean): Message[] {
  if (!live) return branch(messages, headId);
  const reply = messages.find((message) => message.id === live.turn.replyId);
  const base = branch(messages, reply ? reply.parent_id : headId);
  const question = live.question && { ...live.question, id: live.turn.messageId || live.question.id };
  const isStored = question && base.some((message) => message.id === question.id);
  const asked = question && !isStored ? [...base, question] : base;
  if (isHeld && !live.turn.text) return asked;
  return [...asked, replyOf(live.turn, asked.at(-1)?.id ?? null, live.since)];
}

/** The messages with the finished turn among them. */
function settle(messages: Message[], question: Message | null, turn: Turn): Message[] {
  const reply = replyOf(turn, turn.messageId, new Date().toISOString());
  const kept = messages.filter((message) => message.id !== turn.replyId && message.id !== turn.messageId);
  const asked = messages.find((message) => message.id === turn.messageId) ?? (question && { ...question, id: turn.messageId });
  const replies = turn.state === "handed" ? [] : [reply];
  return asked ? [...kept, asked, ...replies] : [...kept, ...replies];
}

const asQuestion = (text: string, parent: string | null, files: FileFact[]): Message =>
  messageOf({ id: LOCAL_QUESTION, parent_id: parent, role: "user", text, files });

const fresh = (question: Question, files: FileFact[] = []): Sent => ({
  key: crypto.randomUUID(),
  question: files.length ? { ...question, file_ids: files.map((file) => file.id) } : question,
  files,
});
