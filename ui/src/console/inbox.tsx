import { useEffect, useRef, useState } from "react";
import { call, query } from "../shared/api";
import type { Me } from "../shared/contract";
import { useAnswer } from "../shared/use-answer";
import { useKeys } from "../shared/use-keys";
import { useNews, useTypists } from "../stream/use-news";
import type { InboxPage, WatchedConversation } from "./contract";
import { InboxKeys } from "./inbox-keys";
import { InboxList } from "./inbox-list";
import { InboxTalk } from "./inbox-talk";
import "./inbox.css";
import "./inbox-message.css";
import { Screen, Search } from "./parts";
import { filter, go, hrefOf, type Route } from "./route";
import { words } from "./strings";

const text = words.inbox;
const SEVERAL = 30;
const EARLIER = 200;

/** Live conversations over all channels: who waits, what is said, and a person who takes over. */
export function InboxScreen({ route }: { route: Route }) {
  const { id, params } = route;
  const [limit, setLimit] = useState(SEVERAL);
  const filters = { view: params.get("view") ?? "open", channel: params.get("channel"), query: params.get("query") };
  const list = useAnswer(`/api/v1/console/inbox${query({ ...filters, limit })}`, inPages);
  const [size, setSize] = useState<number | undefined>(undefined);
  const talk = useAnswer<WatchedConversation>(id && `/api/v1/console/inbox/${encodeURIComponent(id)}${query({ limit: size })}`);
  const me = useAnswer<Me>("/api/v1/me");
  const [areKeysOpen, setKeysOpen] = useState(false);
  const typists = useTypists();
  const reloadList = useSoon(list.reload, 2000);
  const reloadTalk = useSoon(talk.reload, 300);
  const isLive = useNews("/api/v1/console/events", (news) => {
    typists.hear(news);
    if (news.kind !== "changed") return;
    reloadList();
    if (!news.conversation || news.conversation === id) reloadTalk();
  });
  const shown = talk.value?.id === id ? talk.value : null;
  const lines = list.value?.items ?? [];

  useEffect(() => setSize(undefined), [id]);
  const step = (by: number): void => {
    const at = lines.findIndex((line) => line.id === id);
    const next = lines[at < 0 ? 0 : at + by];
    if (next) go(hrefOf("inbox", next.id) + location.search, id !== null);
  };
  const leave = (): void => go(hrefOf("inbox") + location.search);
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    s: () => document.querySelector<HTMLElement>(".search-field")?.focus(),
    "?": () => setKeysOpen(true),
    Escape: id ? leave : undefined,
  });

  return (
    <Screen
      page="inbox"
      sentence={list.value?.answer ?? null}
      trouble={list.value && list.trouble?.isOffline ? null : list.trouble}
      loading={list.loading}
      onAgain={list.reload}
      acts={
        <>
          <Search value={filters.query ?? ""} />
          <Channels chosen={filters.channel ?? ""} />
          <button type="button" className="icon-button" aria-label={text.keys} title={text.keys} onClick={() => setKeysOpen(true)}>
            <kbd aria-hidden="true">?</kbd>
          </button>
        </>
      }
    >
      <div className="inbox" data-open={id !== null}>
        <InboxList
          lines={lines}
          counts={list.value?.counts}
          view={filters.view}
          isFiltered={Boolean(filters.channel ?? filters.query)}
          isOld={list.isOld}
          here={id}
          me={me.value?.person.id ?? ""}
          typists={typists}
          hasMore={Boolean(list.value?.next)}
          onMore={() => setLimit(limit + SEVERAL)}
        />
        <InboxTalk
          key={id}
          id={id}
          talk={shown}
          trouble={talk.trouble}
          isLive={isLive}
          me={me.value?.person ?? null}
          typists={typists}
          onEarlier={() => setSize((shown?.messages.length ?? 0) + EARLIER)}
          onChanged={() => {
            talk.reload();
            list.reload();
          }}
          onAgain={talk.reload}
        />
      </div>
      <InboxKeys isOpen={areKeysOpen} onClose={() => setKeysOpen(false)} />
    </Screen>
  );
}

function Channels({ chosen }: { chosen: string }) {
  const known = Object.entries(text.channels);
  const all = !chosen || chosen in text.channels ? known : [...known, [chosen, chosen]];
  return (
    <select
      className="input"
      aria-label={text.channel}
      value={chosen}
      onChange={(event) => filter("channel", event.currentTarget.value)}
    >
      <option value="">{text.anyChannel}</option>
      {all.map(([id, name]) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </select>
  );
}

const MOST = 100;

/** As many lines as `limit` in the address asks for, though one call brings no more than `MOST`. */
async function inPages(path: string, how: { signal: AbortSignal }): Promise<InboxPage> {
  const address = new URL(path, location.origin);
  const ask = (limit: number, cursor: string | null): Promise<InboxPage> => {
    address.searchParams.set("limit", String(Math.min(limit, MOST)));
    if (cursor) address.searchParams.set("cursor", cursor);
    return call<InboxPage>(address.pathname + address.search, how);
  };
  const wanted = Number(address.searchParams.get("limit"));
  const page = await ask(wanted, null);
  while (page.next && page.items.length < wanted) {
    const following = await ask(wanted - page.items.length, page.next);
    page.items.push(...following.items);
    page.next = following.next;
  }
  return page;
}

const SOON = 150;

/** The same work soon, but not more often than each `pause` milliseconds: on a busy desk something changes all the time. */
function useSoon(work: () => void, pause: number): () => void {
  const latest = useRef(work);
  latest.current = work;
  const timer = useRef(0);
  const last = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  return () => {
    const wait = Math.max(SOON, last.current + pause - Date.now());
    timer.current ||= window.setTimeout(() => {
      timer.current = 0;
      last.current = Date.now();
      latest.current();
    }, wait);
  };
}
