import { useEffect, useState, type MouseEvent, type ReactNode } from "react";
import { query } from "../shared/api";
import type { ConversationLine, Desk, Me, Page } from "../shared/contract";
import { Bell, Skeleton, TroubleNote, When } from "../shared/parts";
import { chooseTheme, chosenTheme, type Theme } from "../shared/theme";
import { useAnswer } from "../shared/use-answer";
import { signOut } from "./account-view";
import { addressOf, go, type Place } from "./address";
import { Icon, IconButton } from "./icons";
import { words } from "./strings";

type Props = {
  desk: Desk;
  me: Me;
  place: Place;
  isOpen: boolean;
  /** Grows when the list of conversations may have changed. */
  round: number;
  onClose: () => void;
  onKeys: () => void;
};

const PlaceLink = ({ to, isHere, children }: { to: Place; isHere: boolean; children: ReactNode }) => (
  <a
    href={addressOf(to)}
    aria-current={isHere ? "page" : undefined}
    onClick={(event: MouseEvent) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      go(to);
    }}
  >
    {children}
  </a>
);

export function Sidebar({ desk, me, place, isOpen, round, onClose, onKeys }: Props) {
  const [search, setSearch] = useState("");
  const [wanted, setWanted] = useState("");
  const [limit, setLimit] = useState(30);
  useEffect(() => {
    const timer = setTimeout(() => setWanted(search.trim()), 200);
    return () => clearTimeout(timer);
  }, [search]);
  const path = `/api/v1/conversations${query({ query: wanted, limit })}`;
  const { value, trouble, loading, reload } = useAnswer<Page<ConversationLine>>(path);
  useEffect(() => {
    if (round) reload();
  }, [round, reload]);
  const here = place.view === "talk" ? place.id : null;

  return (
    <nav className="sidebar" aria-label={words.conversations} data-open={isOpen}>
      <div className="brand">
        <Bell size={26} />
        <span>{desk.name}</span>
        <span className="only-narrow">
          <IconButton icon="close" label={words.closeMenu} onPress={onClose} />
        </span>
      </div>
      <PlaceLink to={{ view: "talk", id: null }} isHere={place.view === "talk" && !here}>
        <Icon name="plus" /> {words.newOne}
      </PlaceLink>
      <label className="search">
        <Icon name="search" />
        <input
          id="search"
          type="search"
          aria-label={words.search}
          placeholder={words.search}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </label>
      <div className="list" tabIndex={-1}>
        {trouble && <TroubleNote trouble={trouble} words={words.trouble} onAgain={reload} />}
        {!value && loading && <Skeleton label={words.loading} lines={6} />}
        {value?.items.length === 0 && <p className="small muted">{wanted ? words.noneFound : words.noneYet}</p>}
        <ul className="plain">
          {value?.items.map((line) => (
            <li key={line.id}>
              <PlaceLink to={{ view: "talk", id: line.id }} isHere={here === line.id}>
                <span className="line-title" dir="auto">
                  {line.title || words.untitled}
                </span>
                <span className="small muted">
                  <When at={line.updated_at} brief />
                </span>
              </PlaceLink>
            </li>
          ))}
        </ul>
        {value?.next && (
          <button type="button" className="link small" onClick={() => setLimit((count) => Math.min(count + 50, 200))}>
            {words.more}
          </button>
        )}
      </div>
      <Settings me={me} desk={desk} place={place} onKeys={onKeys} />
    </nav>
  );
}

function Settings({ me, desk, place, onKeys }: Pick<Props, "me" | "desk" | "place" | "onKeys">) {
  const [theme, setTheme] = useState<Theme>(chosenTheme);
  const isVisitor = me.person.role === "visitor";
  const choose = (next: Theme): void => {
    chooseTheme(next);
    setTheme(next);
  };
  return (
    <details className="settings">
      <summary>
        <span className="line-title">{me.person.name || desk.name}</span>
      </summary>
      <div className="settings-list">
        <PlaceLink to={{ view: "account" }} isHere={place.view === "account"}>
          {words.account}
        </PlaceLink>
        <PlaceLink to={{ view: "memory" }} isHere={place.view === "memory"}>
          {words.memory}
        </PlaceLink>
        <PlaceLink to={{ view: "usage" }} isHere={place.view === "usage"}>
          {words.usage}
        </PlaceLink>
        {(me.person.role === "owner" || me.person.role === "operator") && <a href="/console">{words.console}</a>}
        <button type="button" onClick={onKeys}>
          {words.keys} <kbd>?</kbd>
        </button>
        <fieldset className="themes">
          <legend className="label">{words.theme}</legend>
          {(["system", "light", "dark"] as const).map((choice) => (
            <label key={choice}>
              <input type="radio" name="theme" checked={theme === choice} onChange={() => choose(choice)} />
              {words.themes[choice]}
            </label>
          ))}
        </fieldset>
        {isVisitor ? (
          <a href="/sign-in">{words.signIn}</a>
        ) : (
          <button type="button" onClick={signOut}>
            {words.signOut}
          </button>
        )}
      </div>
    </details>
  );
}
