// The page round the panel, over `postMessage`. It is believed as far as its origin is the one that the frame was made for
// and the desk lists; everything else that arrives is ignored.

import type { ToPage, ToPanel } from "./protocol";

export type Host = { tell: (state: Partial<ToPage>) => void };

const isPage = (data: unknown): data is ToPanel => {
  const page = data as Partial<ToPanel> | null;
  return (
    typeof page === "object" &&
    page !== null &&
    (page.dir === "ltr" || page.dir === "rtl") &&
    typeof page.identity === "string" &&
    typeof page.open === "boolean"
  );
};

/** Follow the page of `origin`, one of `origins`; without a page round it the panel stands alone, and open. */
export function follow(origin: string, origins: readonly string[], onPage: (page: ToPanel) => void): Host {
  const alone: ToPanel = { dir: document.documentElement.dir || "ltr", identity: "", open: true };
  if (window.parent === window) {
    onPage(alone);
    return { tell: () => undefined };
  }
  if (![...origins, location.origin].includes(origin)) return { tell: () => undefined };
  let state: ToPage = { height: 600, unread: "", kept: "", ask: "state" };
  const tell = (change: Partial<ToPage>): void => {
    state = { ...state, ...change };
    window.parent.postMessage(state, origin);
    state = { ...state, ask: "" };
  };
  window.addEventListener("message", (event) => {
    if (event.origin === origin && event.source === window.parent && isPage(event.data)) onPage(event.data);
  });
  tell({});
  return { tell };
}
