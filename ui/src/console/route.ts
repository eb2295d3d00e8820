import { useMemo, useSyncExternalStore } from "react";
import { words, type PageName } from "./strings";

const CHANGED = "frontdesk:route";

export type Route = { page: PageName; id: string | null; params: URLSearchParams };

function subscribe(listener: () => void): () => void {
  window.addEventListener("popstate", listener);
  window.addEventListener(CHANGED, listener);
  return () => {
    window.removeEventListener("popstate", listener);
    window.removeEventListener(CHANGED, listener);
  };
}

/** The page, the thing and the filters that the address names: a view can be sent to a colleague. */
export function useRoute(): Route {
  const address = useSyncExternalStore(subscribe, () => location.pathname + location.search);
  return useMemo(() => {
    const url = new URL(address, location.origin);
    const [, , page = "overview", id] = url.pathname.split("/");
    const known = page in words.pages ? (page as PageName) : "overview";
    return { page: known, id: id ? decodeURIComponent(id) : null, params: url.searchParams };
  }, [address]);
}

export const hrefOf = (page: PageName, id?: string): string =>
  page === "overview" ? "/console" : `/console/${page}${id ? `/${encodeURIComponent(id)}` : ""}`;

/** Show an address. `quietly` leaves no step to go back to. */
export function go(href: string, quietly = false): void {
  if (quietly) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  window.dispatchEvent(new Event(CHANGED));
}

/** Put a filter into the address; an empty one leaves it. */
export function filter(name: string, value: string): void {
  const url = new URL(location.href);
  if (value) url.searchParams.set(name, value);
  else url.searchParams.delete(name);
  history.replaceState(null, "", url);
  window.dispatchEvent(new Event(CHANGED));
}
