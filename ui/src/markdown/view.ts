// Markdown to the page, by DOM calls alone: no text is ever read as HTML, nothing is fetched.

import { parseBlocks, type Block } from "./blocks";
import { parseInline, type Inline, type InlineRules } from "./inline";

/** The page has h1 and an h2 for each message, so the headings of an answer begin below. */
const HEADINGS: Record<number, number> = { 1: 3, 2: 3, 3: 4, 4: 5 };

export type ViewOptions = {
  onMark: (number: number, mark: HTMLElement) => void;
  onCopy: (text: string) => void;
  words: { copyCode: string; source: (number: number) => string };
};

export type Shown = { text: string; open: boolean; marks: ReadonlySet<number> };

/**
 * Keeps an element equal to a Markdown text. Blocks that did not change keep their nodes, so a growing answer repaints
 * its last block alone.
 */
export class MarkdownView {
  private keys: string[] = [];

  constructor(
    private readonly root: HTMLElement,
    private readonly options: ViewOptions,
  ) {}

  show({ text, open, marks }: Shown): void {
    const { blocks, references } = parseBlocks(text, open);
    const context = `${[...marks].join()}|${[...references].join()}`;
    const keys = blocks.map((block, index) => {
      const isLast = open && index === blocks.length - 1;
      return `${isLast ? "open" : "done"}|${context}|${block.kind}|${block.raw}`;
    });
    let same = 0;
    while (same < keys.length && keys[same] === this.keys[same]) same += 1;
    while (this.root.childNodes.length > same) this.root.lastChild?.remove();
    blocks.slice(same).forEach((block, offset) => {
      const isLast = open && same + offset === blocks.length - 1;
      this.root.append(this.block(block, { open: isLast, marks, references }));
    });
    this.keys = keys;
  }

  private block(block: Block, rules: InlineRules): HTMLElement {
    switch (block.kind) {
      case "paragraph":
        return this.inlines(element("p"), block.text, rules);
      case "heading":
        return this.inlines(element(`h${HEADINGS[block.level] ?? 6}`), block.text, rules);
      case "code":
        return this.code(block.text, block.language);
      case "quote":
        return this.blocks(element("blockquote"), block.blocks, rules);
      case "list":
        return this.list(block, rules);
      case "table":
        return this.table(block, rules);
      case "rule":
        return element("hr");
    }
  }

  private blocks<E extends HTMLElement>(parent: E, blocks: Block[], rules: InlineRules): E {
    blocks.forEach((block, index) => {
      parent.append(this.block(block, { ...rules, open: rules.open && index === blocks.length - 1 }));
    });
    return parent;
  }

  private list(block: Extract<Block, { kind: "list" }>, rules: InlineRules): HTMLElement {
    const list = block.start === null ? element("ul") : element("ol");
    if (list instanceof HTMLOListElement && block.start !== 1) list.start = block.start ?? 1;
    block.items.forEach((item, index) => {
      const inner = { ...rules, open: rules.open && index === block.items.length - 1 };
      const [first, ...rest] = item;
      const line = element("li");
      if (block.tight && first?.kind === "paragraph") {
        this.inlines(line, first.text, { ...inner, open: inner.open && rest.length === 0 });
        this.blocks(line, rest, inner);
      } else this.blocks(line, item, inner);
      list.append(line);
    });
    return list;
  }

  private table(block: Extract<Block, { kind: "table" }>, rules: InlineRules): HTMLElement {
    const frame = element("div");
    frame.className = "table-frame";
    frame.tabIndex = 0;
    const table = element("table");
    const row = (name: "th" | "td", texts: string[], isLast: boolean): HTMLElement => {
      const line = element("tr");
      texts.forEach((text, column) => {
        const cell = this.inlines(element(name), text, { ...rules, open: rules.open && isLast });
        const align = block.align[column];
        if (align) cell.dataset["align"] = align;
        line.append(cell);
      });
      return line;
    };
    const head = element("thead");
    head.append(row("th", block.head, false));
    const body = element("tbody");
    block.rows.forEach((texts, index) => body.append(row("td", texts, index === block.rows.length - 1)));
    table.append(head, body);
    frame.append(table);
    return frame;
  }

  private code(text: string, language: string): HTMLElement {
    const frame = element("figure");
    frame.className = "code";
    const bar = element("figcaption");
    const name = element("span");
    name.textContent = language.slice(0, 24);
    const copy = element("button");
    copy.type = "button";
    copy.className = "link";
    copy.textContent = this.options.words.copyCode;
    copy.addEventListener("click", () => this.options.onCopy(text));
    bar.append(name, copy);
    const pre = element("pre");
    pre.tabIndex = 0;
    pre.dir = "ltr";
    const code = element("code");
    code.textContent = text;
    pre.append(code);
    frame.append(bar, pre);
    return frame;
  }

  private inlines<E extends HTMLElement>(parent: E, text: string, rules: InlineRules): E {
    parent.append(...parseInline(text, rules).map((node) => this.inline(node)));
    return parent;
  }

  private inline(node: Inline): Node {
    switch (node.kind) {
      case "text":
        return document.createTextNode(node.text);
      case "break":
        return element("br");
      case "code": {
        const code = element("code");
        code.textContent = node.text;
        return code;
      }
      case "mark":
        return this.mark(node.number);
      case "link": {
        const link = element("a");
        link.href = node.href;
        link.rel = "noopener noreferrer nofollow";
        link.target = "_blank";
        link.title = node.href;
        link.append(...node.children.map((child) => this.inline(child)));
        return link;
      }
      case "strong":
      case "em":
      case "strike": {
        const wrapped = element(node.kind === "strike" ? "s" : node.kind);
        wrapped.append(...node.children.map((child) => this.inline(child)));
        return wrapped;
      }
    }
  }

  private mark(number: number): HTMLElement {
    const mark = element("button");
    mark.type = "button";
    mark.className = "cite";
    mark.textContent = String(number);
    mark.setAttribute("aria-label", this.options.words.source(number));
    mark.addEventListener("click", () => this.options.onMark(number, mark));
    return mark;
  }
}

function element<K extends keyof HTMLElementTagNameMap>(name: K): HTMLElementTagNameMap[K];
function element(name: string): HTMLElement;
function element(name: string): HTMLElement {
  return document.createElement(name);
}
