import { useEffect, useState } from "react";

export type Place = { view: "talk"; id: string | null } | { view: "memory" } | { view: "usage" } | { view: "account" };

export function placeOf(url: Pick<Location, "pathname" | "search">): Place {
  const id = /^\/c\/([^/]+)$/.exec(url.pathname)?.[1];
  if (id) return { view: "talk", id: decodeURIComponent(id) };
  const view = new URLSearchParams(url.search).get("view");
  return view === "memory" || view === "usage" || view === "account" ? { view } : { view: "talk", id: null };
}

export function addressOf(place: Place): string {
  if (place.view !== "talk") return `/?view=${place.view}`;
  return place.id ? `/c/${encodeURIComponent(place.id)}` : "/";
}

const CHANGED = "frontdesk:place";

/** Go to a place of this page. `quietly` replaces the address, for a conversation that has just got its id. */
export function go(place: Place, quietly = false): void {
  if (quietly) history.replaceState(null, "", addressOf(place));
  else history.pushState(null, "", addressOf(place));
  window.dispatchEvent(new Event(CHANGED));
}

export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location));
  useEffect(() => {
    const read = (): void => setPlace(placeOf(location));
    window.addEventListener("popstate", read);
    window.addEventListener(CHANGED, read);
    return () => {
      window.removeEventListener("popstate", read);
      window.removeEventListener(CHANGED, read);
    };
  }, []);
  return place;
}
