import { useCallback, useEffect, useState } from "react";
import type { Desk, Me } from "../shared/contract";
import { Skeleton, TroubleNote } from "../shared/parts";
import { useAnswer } from "../shared/use-answer";
import { useKeys } from "../shared/use-keys";
import { AccountView } from "./account-view";
import { go, usePlace } from "./address";
import { KeysDialog } from "./keys";
import { useLayer } from "./layers";
import { MemoryView } from "./memory-view";
import { Sidebar } from "./sidebar";
import { words } from "./strings";
import { TalkView } from "./talk-view";
import { UsageView } from "./usage-view";

const NARROW = matchMedia("(max-width: 52rem)");

export function App() {
  const desk = useAnswer<Desk>("/api/v1/desk");
  const me = useAnswer<Me>("/api/v1/me");
  const trouble = desk.trouble ?? me.trouble;
  const again = (): void => {
    desk.reload();
    me.reload();
  };
  if (desk.value && me.value) return <Shell desk={desk.value} me={me.value} onMe={(next) => me.set(() => next)} />;
  return (
    <main className="sheet">
      {trouble && trouble.status !== 401 ? (
        <TroubleNote trouble={trouble} words={words.trouble} onAgain={again} />
      ) : (
        <Skeleton label={words.loading} />
      )}
    </main>
  );
}

function Shell({ desk, me, onMe }: { desk: Desk; me: Me; onMe: (me: Me) => void }) {
  const place = usePlace();
  const isNarrow = useNarrow();
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [areKeysOpen, setKeysOpen] = useState(false);
  const [round, setRound] = useState(0);
  const listChanged = useCallback(() => setRound((count) => count + 1), []);
  const openMenu = (): void => setMenuOpen(true);
  useLayer(isMenuOpen, () => setMenuOpen(false));
  useEffect(() => setMenuOpen(false), [place]);
  useEffect(() => {
    document.title = desk.name;
  }, [desk.name]);
  useKeys({
    "?": () => setKeysOpen(true),
    "/": () => {
      openMenu();
      setTimeout(() => document.getElementById("search")?.focus());
    },
    n: () => go({ view: "talk", id: null }),
    c: () => document.getElementById("composer")?.focus(),
  });

  return (
    <div className="shell">
      <a className="skip" href="#main">
        {words.skip}
      </a>
      <Sidebar
        desk={desk}
        me={me}
        place={place}
        isOpen={isMenuOpen}
        round={round}
        onClose={() => setMenuOpen(false)}
        onKeys={() => setKeysOpen(true)}
      />
      {isMenuOpen && <div className="veil" onClick={() => setMenuOpen(false)} />}
      {place.view === "memory" && <MemoryView onMenu={openMenu} />}
      {place.view === "usage" && <UsageView onMenu={openMenu} />}
      {place.view === "account" && <AccountView desk={desk} me={me} onMe={onMe} onMenu={openMenu} />}
      {place.view === "talk" && (
        <TalkView desk={desk} me={me} id={place.id} isNarrow={isNarrow} onMenu={openMenu} onListChange={listChanged} />
      )}
      {areKeysOpen && <KeysDialog onClose={() => setKeysOpen(false)} />}
    </div>
  );
}

function useNarrow(): boolean {
  const [isNarrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const read = (): void => setNarrow(NARROW.matches);
    NARROW.addEventListener("change", read);
    return () => NARROW.removeEventListener("change", read);
  }, []);
  return isNarrow;
}
