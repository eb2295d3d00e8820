// The script that a site names: a button, and the panel's frame once it is wanted. It touches nothing else of the page,
// and needs no more of the page's policy than `script-src` and `frame-src` of the desk.

import type { ToPage, ToPanel } from "./protocol";

/** Label, colour, colour on it, and the side where it stands. The desk writes its sites in here. */
declare const __SITES__: Record<string, [string, string, string, "left" | "right"]>;

declare global {
  interface Window {
    frontdesk?: { open: () => void; identify: (token: string) => void };
  }
}

(() => {
  const script = document.currentScript as HTMLScriptElement;
  let { site = "", identity = "" } = script.dataset;
  const looks = __SITES__[site];
  if (!looks || window.frontdesk) return;
  const [label, accent, ink, side] = looks;
  const desk = new URL(script.src).origin;
  const make = <K extends keyof HTMLElementTagNameMap>(name: K): HTMLElementTagNameMap[K] => document.createElement(name);
  const host = make("div");
  const button = make("button");
  const badge = make("b");
  const frame = make("iframe");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  const key = "frontdesk." + site;
  let isOpen = false;
  let panel: Window | null = null;
  let memory: Record<string, unknown> = {};

  sheet.replaceSync(
    `:host{all:initial}[hidden],b:empty{display:none!important}` +
      `button,iframe{position:fixed;${side}:20px;bottom:20px;z-index:99999;box-shadow:0 6px 24px #0004}` +
      `button{padding:13px 20px;border:2px solid ${ink};border-radius:24px;background:${accent};color:${ink};font:600 16px system-ui}` +
      `:focus-visible{outline:3px solid ${accent};outline-offset:2px}` +
      `b{margin-inline-start:8px;padding:0 7px;border-radius:9px;background:${ink};color:${accent}}` +
      `iframe{bottom:84px;width:384px;height:600px;max-height:calc(100dvh - 104px);border:0;border-radius:14px}` +
      `@media(max-width:480px){iframe{inset:0;width:100%;height:100%!important;max-height:none;border-radius:0}}`,
  );
  root.adoptedStyleSheets = [sheet];

  try {
    memory = localStorage;
  } catch {
    // The site's pages keep nothing: the next one looks for answers once the chat is opened.
  }
  const tell = (): void => {
    const dir = getComputedStyle(document.documentElement).direction;
    panel?.postMessage({ dir, identity, open: isOpen } satisfies ToPanel, desk);
  };
  const load = (): void => {
    if (frame.src) return;
    frame.src = `${desk}/widget?site=${site}&host=${location.origin}`;
    root.append(frame);
  };
  const show = (open: boolean): void => {
    isOpen = open;
    frame.hidden = !open;
    button.ariaExpanded = `${open}`;
    if (open) load();
    tell();
    (open ? frame : button).focus();
  };

  addEventListener("message", ({ origin, source, data }: MessageEvent<ToPage>) => {
    if (origin !== desk || source !== frame.contentWindow) return;
    frame.style.height = data.height + "px";
    badge.textContent = data.unread;
    memory[key] = data.kept;
    if (data.ask === "state") {
      panel = frame.contentWindow;
      tell();
    }
    if (data.ask === "close") show(false);
  });

  button.textContent = label;
  button.append(badge);
  button.onclick = () => show(!isOpen);
  frame.title = label;
  frame.hidden = true;
  root.append(button);
  document.documentElement.append(host);
  if (memory[key]) load();
  window.frontdesk = {
    open: () => show(true),
    identify: (token) => {
      identity = token;
      tell();
    },
  };
})();
