import { useCallback, useEffect, useRef, useState } from "react";
import type { Citation, Desk, Me, Message } from "../shared/contract";
import { Bell, Skeleton, TroubleNote } from "../shared/parts";
import { useAtEnd } from "../shared/use-at-end";
import { versions } from "../shared/tree";
import { go } from "./address";
import { Composer } from "./composer";
import { IconButton } from "./icons";
import { useLayer } from "./layers";
import { AnswerView, QuestionView } from "./message";
import { PassagePanel } from "./passage";
import { Holder, NoticeLine, PersonView } from "./person";
import { words } from "./strings";
import { SurveyCard } from "./survey";
import { TalkHeader } from "./talk-header";
import type { Asked, Turn } from "../stream/turn";
import { useNews, useTyping, useTypists } from "../stream/use-news";
import { useTalk, type Talk } from "./use-talk";

type Props = { desk: Desk; me: Me; id: string | null; isNarrow: boolean; onMenu: () => void; onListChange: () => void };

export function TalkView({ desk, me, id, isNarrow, onMenu, onListChange }: Props) {
  const begun = useCallback(
    (fresh: string) => {
      go({ view: "talk", id: fresh }, true);
      onListChange();
    },
    [onListChange],
  );
  const talk = useTalk(id, begun);
  const now = useRef(talk);
  now.current = talk;
  const [source, setSource] = useState<Citation | null>(null);
  const [editing, setEditing] = useState<string | null>(null);
  const opener = useRef<Element | null>(null);
  const end = useAtEnd(talk.path, talk.id);
  const announcement = useAnnouncement(talk, onListChange);
  const typists = useTypists();
  const address = talk.id && `/api/v1/conversations/${encodeURIComponent(talk.id)}`;
  const typed = useTyping(address && `${address}/typing`);
  useNews(address && `${address}/events`, (news) => {
    typists.hear(news);
    if (news.kind === "changed") talk.refresh();
  });
  useLayer(talk.turn !== null, talk.stop);
  useEffect(() => {
    setSource(null);
    setEditing(null);
  }, [id]);

  const open = (citation: Citation): void => {
    opener.current = document.activeElement;
    setSource(citation);
  };
  const close = (): void => {
    setSource(null);
    if (opener.current instanceof HTMLElement) opener.current.focus();
  };
  const lastQuestion = talk.path.findLast((message) => message.role === "user");
  const isEmpty = !talk.loading && talk.path.length === 0 && !talk.trouble;

  return (
    <>
      <main className="talk" id="main">
        <TalkHeader talk={talk} onMenu={onMenu} onListChange={onListChange} />
        <div className="scroller" ref={end.scroller} onScroll={end.onScroll} tabIndex={isEmpty ? -1 : 0}>
          <div className="log" role="log" aria-live="off" aria-label={words.log}>
            {talk.loading && <Skeleton label={words.loading} lines={9} />}
            {talk.hasEarlier && (
              <button
                type="button"
                className="link"
                onClick={() => {
                  end.hold();
                  talk.earlier();
                }}
              >
                {words.earlierMessages}
              </button>
            )}
            {isEmpty && <Welcome desk={desk} onAsk={(text) => talk.send(text, [])} />}
            {talk.path.map((message, index) => {
              const { place, count } = versionsOf(talk.messages, message);
              const onVersion = (step: number): void => chooseVersion(now.current, message.id, step);
              const shared = { message, place, count, onVersion };
              if (message.role === "notice") return <NoticeLine key={`${index}-${place}`} message={message} />;
              if (message.author) return <PersonView key={`${index}-${place}`} message={message} name={message.author.name} />;
              return message.role === "user" ? (
                <QuestionView
                  key={`${index}-${place}`}
                  {...shared}
                  isBusy={talk.turn !== null}
                  isEditing={editing === message.id}
                  onEditing={(isEditing) => setEditing(isEditing ? message.id : null)}
                  onEdit={(text) => {
                    setEditing(null);
                    now.current.edit(message, text);
                  }}
                />
              ) : (
                <AnswerView
                  key={`${index}-${place}`}
                  {...shared}
                  turn={index === talk.path.length - 1 ? talk.turn : null}
                  desk={desk}
                  conversationId={talk.id ?? ""}
                  question={talk.path[index - 1]?.text ?? ""}
                  contact={me.person.email ?? ""}
                  isLast={index === talk.path.length - 1}
                  openPassage={source?.passage_id ?? null}
                  onSource={open}
                  onAgain={() => regenerate(now.current, message)}
                  onChange={(values) => now.current.change(message.id, values)}
                  onApproval={(id, state) => now.current.changeTurn((turn) => answered(turn, id, state))}
                />
              );
            })}
            {talk.id && talk.survey && (
              <SurveyCard
                key={talk.survey.id}
                conversation={talk.id}
                survey={talk.survey}
                isPast={Date.parse(lastQuestion?.created_at ?? "") > Date.parse(talk.survey.asked_at)}
              />
            )}
            {talk.trouble && <TroubleNote trouble={talk.trouble} words={words.trouble} onAgain={talk.reload} />}
          </div>
        </div>
        {!end.isAtEnd && !isEmpty && (
          <div className="to-end">
            <IconButton icon="end" label={words.toEnd} onPress={end.go} />
          </div>
        )}
        <div className="foot">
          <LineNotice isCut={talk.isCut} />
          {talk.holder !== null && <Holder name={talk.holder} isTyping={typists.of("answering", "") !== undefined} />}
          <Composer
            conversationId={id}
            holder={talk.holder}
            isRunning={talk.turn !== null}
            isNarrow={isNarrow}
            maxBytes={desk.max_upload_bytes}
            onSend={(text, files, again) => {
              end.stick();
              talk.send(text, files, again);
            }}
            onStop={talk.stop}
            onTyped={typed}
            onEditLast={() => lastQuestion && !talk.turn && setEditing(lastQuestion.id)}
          />
        </div>
        <p className="hidden-label" role="status" data-announcer>
          {announcement}
        </p>
      </main>
      {source && <PassagePanel citation={source} onClose={close} />}
    </>
  );
}

const Welcome = ({ desk, onAsk }: { desk: Desk; onAsk: (text: string) => void }) => (
  <div className="welcome">
    <Bell size={44} />
    <h2>{desk.greeting || words.emptyLine}</h2>
    {desk.suggestions.length > 0 && (
      <ul className="plain">
        {desk.suggestions.map((suggestion) => (
          <li key={suggestion}>
            <button type="button" onClick={() => onAsk(suggestion)}>
              {suggestion}
            </button>
          </li>
        ))}
      </ul>
    )}
  </div>
);

function LineNotice({ isCut }: { isCut: boolean }) {
  const [isOnline, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const read = (): void => setOnline(navigator.onLine);
    window.addEventListener("online", read);
    window.addEventListener("offline", read);
    return () => {
      window.removeEventListener("online", read);
      window.removeEventListener("offline", read);
    };
  }, []);
  if (isOnline && !isCut) return null;
  return (
    <p className="notice" role="status">
      {isOnline ? words.cut : words.offline}
    </p>
  );
}

/** Which version of a message this is; one that is being written is the newest. */
function versionsOf(messages: Message[], message: Message): { place: number; count: number } {
  const all = versions(messages, message);
  const at = all.findIndex((one) => one.id === message.id);
  return at < 0 ? { place: all.length + 1, count: all.length + 1 } : { place: at + 1, count: all.length };
}

function chooseVersion(talk: Talk, id: string, step: number): void {
  const message = talk.messages.find((one) => one.id === id);
  const all = message ? versions(talk.messages, message) : [];
  const other = all[all.findIndex((one) => one.id === id) + step];
  if (other && !talk.turn) talk.choose(other);
}

function regenerate(talk: Talk, answer: Message): void {
  const question = talk.messages.find((message) => message.id === answer.parent_id);
  if (question) talk.regenerate(question);
}

const answered = (turn: Turn, id: string, state: Asked["state"]): Turn => ({
  ...turn,
  approvals: turn.approvals.map((asked) => (asked.id === id ? { ...asked, state } : asked)),
});

/** What has come to its end or from the team, said once to screen readers; a growing answer is never read out. */
function useAnnouncement(talk: Talk, onListChange: () => void): string {
  const [said, setSaid] = useState("");
  const wasRunning = useRef(false);
  const known = useRef({ talk: talk.id, last: talk.path.at(-1)?.id });
  const isRunning = talk.turn !== null;
  useEffect(() => {
    const last = talk.path.at(-1);
    const isFresh = known.current.talk === talk.id && !talk.loading && known.current.last !== undefined && known.current.last !== last?.id;
    if (wasRunning.current && !isRunning) {
      onListChange();
      if (last?.state === "failed" || talk.trouble) setSaid(words.answerFailed);
      else if (last?.state === "stopped") setSaid(words.answerStopped);
      else if (last?.role === "assistant") setSaid(words.answered(lastWords(".answer .prose")));
    } else if (isRunning) setSaid("");
    else if (isFresh && last?.author) setSaid(words.said(last.author.name, lastWords(".person .prose")));
    else if (isFresh && last?.role === "notice") setSaid(last.text);
    wasRunning.current = isRunning;
    known.current = { talk: talk.id, last: last?.id };
  }, [isRunning, talk.id, talk.loading, talk.path, talk.trouble, onListChange]);
  return said;
}

/** The newest message of a kind as it is shown, without its Markdown. */
const lastWords = (selector: string): string => [...document.querySelectorAll(selector)].at(-1)?.textContent ?? "";
