import { useEffect, useState } from "react";
import type { FileFact } from "../shared/contract";
import type { Question } from "../stream/follow";

/** A question as it is sent. Sent once more, it keeps its key: the desk may have taken it, though no answer told so. */
export type Sent = { key: string; question: Question; files: FileFact[] };

type Draft = { text: string; sent: Sent | null };

const RESTORED = "frontdesk:draft";
const textSlot = (id: string | null): string => `frontdesk.draft.${id ?? "new"}`;
const sentSlot = (id: string | null): string => `frontdesk.sent.${id ?? "new"}`;

function read(id: string | null): Draft {
  const sent = sessionStorage.getItem(sentSlot(id));
  return { text: sessionStorage.getItem(textSlot(id)) ?? "", sent: sent === null ? null : (JSON.parse(sent) as Sent) };
}

function keep(id: string | null, { text, sent }: Draft): void {
  const put = (slot: string, value: string): void => (value ? sessionStorage.setItem(slot, value) : sessionStorage.removeItem(slot));
  put(textSlot(id), text);
  put(sentSlot(id), sent ? JSON.stringify(sent) : "");
}

/**
 * A question of which nobody knows whether the desk took it goes back to where it was written, before what has been
 * written since. Only as long as it stands there alone is it the same question.
 */
export function restoreDraft(id: string | null, sent: Sent): void {
  const since = read(id).text;
  const { text = "" } = sent.question;
  const isAlone = !since || since === text;
  const joined = isAlone ? text : `${text}\n\n${since}`;
  keep(id, { text: joined, sent: isAlone ? sent : { ...sent, key: crypto.randomUUID(), question: { ...sent.question, text: joined } } });
  window.dispatchEvent(new Event(RESTORED));
}

/** What is being written survives a reload, for each conversation by itself. Whoever writes, writes another question. */
export function useDraft(id: string | null): [Draft, (text: string) => void] {
  const [{ of, draft }, setDraft] = useState(() => ({ of: id, draft: read(id) }));
  const shown = of === id ? draft : read(id);
  if (of !== id) setDraft({ of: id, draft: shown });
  useEffect(() => {
    const restore = (): void => setDraft({ of: id, draft: read(id) });
    window.addEventListener(RESTORED, restore);
    return () => window.removeEventListener(RESTORED, restore);
  }, [id]);
  const write = (text: string): void => {
    const draft = { text, sent: null };
    setDraft({ of: id, draft });
    keep(id, draft);
  };
  return [shown, write];
}

/** What was sent, if the same files go with it. */
export const withFiles = (sent: Sent | null, files: FileFact[]): Sent | null =>
  sent && String(sent.files.map((file) => file.id)) === String(files.map((file) => file.id)) ? sent : null;
