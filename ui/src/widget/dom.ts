// Elements by DOM calls alone. The panel has no framework: it would be a third of what the panel may weigh.

type Props<K extends keyof HTMLElementTagNameMap> = Partial<Omit<HTMLElementTagNameMap[K], "children">>;
type Child = Node | string | false | null | undefined;

/** An element with properties (ARIA's are properties too) and children; false and null are no children. */
export function el<K extends keyof HTMLElementTagNameMap>(name: K, props: Props<K> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const node = Object.assign(document.createElement(name), props);
  fill(node, ...children);
  return node;
}

/** Give a node these children in place of its own. */
export const fill = (node: Element, ...children: Child[]): void =>
  node.replaceChildren(...children.filter((child): child is Node | string => !!child));

const PATHS = {
  close: "M5 5l10 10M15 5 5 15",
  send: "M10 16V4.5M5 9l5-5 5 5",
  stop: "M6 6h8v8H6z",
  up: "M7 17V9l3.5-6c1.4 0 2 1 1.8 2.2L12 8h4.2c1 0 1.6 1 1.3 1.9l-1.8 6c-.2.7-.8 1.1-1.5 1.1zM3.5 9H7v8H3.5z",
  down: "M7 3v8l3.5 6c1.4 0 2-1 1.8-2.2L12 12h4.2c1 0 1.6-1 1.3-1.9l-1.8-6C15.5 3.4 14.9 3 14.2 3zM3.5 3H7v8H3.5z",
};

/** A button that is an icon, 20 px, one stroke. */
export function iconButton(icon: keyof typeof PATHS, label: string, onclick: (() => void) | null): HTMLButtonElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.ariaHidden = "true";
  path.setAttribute("d", PATHS[icon]);
  svg.append(path);
  return el("button", { type: onclick ? "button" : "submit", className: "icon", ariaLabel: label, title: label, onclick }, svg);
}

/** A field with its label. */
export const labelled = (text: string, field: HTMLElement): HTMLElement =>
  el("label", { className: "field" }, el("span", {}, text), field);

/** A form that hands its values on, and shows what was wrong with them. Esc is `onEscape`'s. */
export function form(
  className: string,
  send: (values: Record<string, string>) => Promise<unknown>,
  ...children: Child[]
): HTMLFormElement {
  const problem = el("div");
  const node = el("form", { className }, ...children, problem);
  node.onsubmit = (event) => {
    event.preventDefault();
    const values = Object.fromEntries([...new FormData(node)].map(([name, value]) => [name, String(value)]));
    send(values).catch((reason: unknown) => fill(problem, note(reason as { message: string; hint?: string })));
  };
  return node;
}

/** What went wrong, and what to do. */
export const note = ({ message, hint }: { message: string; hint?: string }): HTMLElement =>
  el("p", { className: "trouble", role: "alert" }, el("strong", {}, message), ` ${hint ?? ""}`);
