import "../shared/base.css";
import "../chat/prose.css";
import "./widget.css";
import { call, inTurn } from "../shared/api";
import { el, fill, iconButton, note } from "./dom";
import { preChat, type Field } from "./forms";
import { follow, type Host } from "./host";
import type { ToPanel } from "./protocol";
import { Door, type Session } from "./session";
import { words } from "./strings";
import { Talk } from "./talk";

type Config = {
  name: string;
  greeting: string;
  accent: string;
  on_accent: string;
  suggestions: string[];
  pre_chat: Field[];
  origins: string[];
};

const place = new URLSearchParams(location.search);
const site = place.get("site") ?? "";
const page = document.documentElement;
const title = el("h1");
const body = el("main");
let host: Host = { tell: () => undefined };
let talk: Talk | null = null;
let now: ToPanel | null = null;

/** The panel: it comes in as whom the page says, asks what the site wants to know first, and then talks. */
async function begin(): Promise<void> {
  const config = await call<Config>(`/api/v1/widget/config?site=${encodeURIComponent(site)}`);
  document.title = title.textContent = config.name;
  page.style.setProperty("--site", config.accent);
  page.style.setProperty("--on-site", config.on_accent);
  const door = new Door(site, (session) => show(session));

  const show = (session: Session): void => {
    talk?.close();
    talk = session.token ? new Talk({ ...config, id: site }, session, host) : null;
    fill(body, ...(talk?.root ?? [preChat(config.pre_chat, session, enter)]));
    talk?.open(now?.open ?? false);
  };
  /** One tab after the other: a browser comes in as one visitor, and a site's word is used once. */
  const enter = (answers?: Record<string, string>): Promise<void> =>
    inTurn("frontdesk.enter", async () => show(await door.enter(now?.identity ?? "", answers)));

  host = follow(place.get("host") ?? "", config.origins, (state) => {
    const isOther = now?.identity !== state.identity;
    now = state;
    page.dir = state.dir;
    if (isOther) enter().catch(failed);
    else talk?.open(state.open);
  });
}

const failed = (reason: unknown): void =>
  fill(body, el("div", { className: "page" }, note(reason as { message: string }), el("button", { className: "button", onclick: () => location.reload() }, words.again)));

const close = (): void => host.tell({ ask: "close" });
page.lang = words.language;
fill(document.getElementById("root") as HTMLElement, el("header", {}, title, iconButton("close", words.close, close)), body);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented) close();
});
begin().catch(failed);
