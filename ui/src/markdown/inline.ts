// The inside of a Markdown paragraph as values. Raw HTML is text here, an image is its description.

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "em" | "strike"; children: Inline[] }
  | { kind: "link"; href: string; children: Inline[] }
  | { kind: "mark"; number: number }
  | { kind: "break" };

export type InlineRules = {
  /** The text goes on arriving: what is not closed at its end counts as closed there. */
  open: boolean;
  /** Numbers of the citations that `[n]` may point to. */
  marks: ReadonlySet<number>;
  /** Targets of reference links, by lower-case label. */
  references: ReadonlyMap<string, string>;
};

const DEPTH = 12;
const PUNCTUATION = /[!-/:-@[-`{-~\p{P}\p{S}]/u;
const AUTOLINK = /^https?:\/\/[^\s<>"'`]+/i;
const ESCAPABLE = /[!-/:-@[-`{-~]/;

/** The address if a click on it is harmless (http, https, mailto), else null. */
export function safeHref(address: string): string | null {
  const text = [...address].filter((sign) => sign > " " && sign !== "\u007f").join("");
  if (!/^(https?:\/\/|mailto:)/i.test(text)) return null;
  try {
    const url = new URL(text);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function parseInline(text: string, rules: InlineRules, depth = 0): Inline[] {
  return new InlineParser(text, rules, depth).parse();
}

class InlineParser {
  private readonly out: Inline[] = [];
  private plain = "";
  private at = 0;
  /** Delimiters that were looked for without success: there is none further right either. */
  private readonly absent = new Set<string>();
  private readonly closing: Int32Array;

  constructor(
    private readonly text: string,
    private readonly rules: InlineRules,
    private readonly depth: number,
  ) {
    this.closing = bracketPairs(text);
  }

  parse(): Inline[] {
    while (this.at < this.text.length) this.step();
    this.flush();
    return this.out;
  }

  private step(): void {
    const sign = this.text[this.at] as string;
    if (sign === "\\") this.escape();
    else if (sign === "`") this.code();
    else if (sign === "\n") this.lineEnd();
    else if (sign === "[" || (sign === "!" && this.text[this.at + 1] === "[")) this.bracket(sign === "!");
    else if (sign === "*" || sign === "_" || sign === "~") this.emphasis(sign);
    else if (sign === "<") this.angle();
    else if ((sign === "h" || sign === "H") && !/\w/.test(this.text[this.at - 1] ?? "")) this.autolink();
    else this.take(1);
  }

  private take(length: number): void {
    this.plain += this.text.slice(this.at, this.at + length);
    this.at += length;
  }

  private flush(): void {
    if (this.plain) this.out.push({ kind: "text", text: this.plain });
    this.plain = "";
  }

  private push(node: Inline, next: number): void {
    this.flush();
    this.out.push(node);
    this.at = next;
  }

  private inner(from: number, to: number, open = false): Inline[] {
    const part = this.text.slice(from, to);
    if (this.depth >= DEPTH) return [{ kind: "text", text: part }];
    return parseInline(part, { ...this.rules, open: open && this.rules.open }, this.depth + 1);
  }

  private escape(): void {
    const next = this.text[this.at + 1];
    if (next === undefined && this.rules.open) this.at += 1;
    else if (next === "\n") this.push({ kind: "break" }, this.at + 2);
    else if (next !== undefined && ESCAPABLE.test(next)) {
      this.plain += next;
      this.at += 2;
    } else this.take(1);
  }

  private lineEnd(): void {
    const hard = this.text.startsWith("  ", this.at - 2); // to ask the growing text itself takes its whole length
    if (hard) this.plain = this.plain.trimEnd();
    if (hard) this.push({ kind: "break" }, this.at + 1);
    else this.take(1);
    while (this.text[this.at] === " ") this.at += 1;
  }

  private code(): void {
    const fence = /^`+/.exec(this.text.slice(this.at, this.at + 64))?.[0] ?? "`";
    const from = this.at + fence.length;
    const end = this.absent.has(fence) ? -1 : this.findFence(fence, from);
    if (end >= 0) this.push({ kind: "code", text: tidyCode(this.text.slice(from, end)) }, end + fence.length);
    else if (this.rules.open) {
      const rest = tidyCode(this.text.slice(from).replace(/`+$/, ""));
      if (rest) this.push({ kind: "code", text: rest }, this.text.length);
      else this.at = this.text.length;
    } else {
      this.absent.add(fence);
      this.take(fence.length);
    }
  }

  private findFence(fence: string, from: number): number {
    for (let at = this.text.indexOf(fence, from); at >= 0; ) {
      let end = at + fence.length;
      while (this.text[end] === "`") end += 1;
      if (end - at === fence.length && this.text[at - 1] !== "`") return at;
      at = this.text.indexOf(fence, end);
    }
    return -1;
  }

  /** `[n]` marks, `[text](address)`, `[text][label]`, and images, which become their description. */
  private bracket(isImage: boolean): void {
    const start = this.at + (isImage ? 1 : 0);
    const close = this.closing[start] ?? -1;
    if (close < 0) {
      if (this.rules.open) this.unfinished(start + 1, this.text.length);
      else this.take(start + 1 - this.at);
      return;
    }
    const label = this.text.slice(start + 1, close);
    const next = this.text[close + 1];
    if (!isImage && next !== "(" && /^\d{1,3}$/.test(label) && this.rules.marks.has(Number(label))) {
      this.push({ kind: "mark", number: Number(label) }, close + 1);
    } else if (next === "(") this.inlineLink(start, close);
    else if (next === "[" && (this.closing[close + 1] ?? -1) > 0) this.referenceLink(start, close);
    else if (this.rules.open && close === this.text.length - 1) this.unfinished(start + 1, close);
    else if (this.rules.references.has(label.toLowerCase())) {
      this.link(start + 1, close, this.rules.references.get(label.toLowerCase()) ?? "", close + 1);
    } else if (this.rules.open && next === "[") this.unfinished(start + 1, close);
    else this.take(start + 1 - this.at);
  }

  private inlineLink(start: number, close: number): void {
    const target = /^\(\s*(?:<([^<>\n]*)>|([^\s()]*(?:\([^\s()]*\)[^\s()]*)*))(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/.exec(
      this.text.slice(close + 1, close + 2049),
    );
    if (target) this.link(start + 1, close, target[1] ?? target[2] ?? "", close + 1 + target[0].length);
    else if (this.rules.open && !this.text.slice(close + 1).includes(")")) this.unfinished(start + 1, close);
    else this.take(start + 1 - this.at);
  }

  private referenceLink(start: number, close: number): void {
    const end = this.closing[close + 1] as number;
    const label = (this.text.slice(close + 2, end) || this.text.slice(start + 1, close)).toLowerCase();
    const address = this.rules.references.get(label);
    if (address !== undefined) this.link(start + 1, close, address, end + 1);
    else if (this.rules.open) this.push({ kind: "text", text: this.text.slice(start + 1, close) }, end + 1);
    else this.take(start + 1 - this.at);
  }

  private link(from: number, to: number, address: string, next: number): void {
    const href = safeHref(address);
    const children = this.inner(from, to);
    if (href) this.push({ kind: "link", href, children: children.length ? children : [textOf(href)] }, next);
    else {
      this.flush();
      this.out.push(...children);
      this.at = next;
    }
  }

  /** A link whose address has not arrived yet: its words alone, none of its signs. */
  private unfinished(from: number, to: number): void {
    this.flush();
    this.out.push(...this.inner(from, to, true));
    this.at = this.text.length;
  }

  private emphasis(sign: string): void {
    let end = this.at;
    while (this.text[end] === sign) end += 1;
    const length = end - this.at;
    const kind = sign === "~" ? (length === 2 ? "strike" : null) : length <= 3 ? "em" : null;
    const before = this.text[this.at - 1] ?? " ";
    const after = this.text[end] ?? " ";
    const isOpening = !/\s/.test(after) && (!PUNCTUATION.test(after) || /\s/.test(before) || PUNCTUATION.test(before));
    if (this.rules.open && end === this.text.length && length <= 3) {
      this.at = end;
      return;
    }
    if (kind === null || !isOpening || (sign === "_" && /[\p{L}\p{N}]/u.test(before))) {
      this.take(length);
      return;
    }
    const run = this.text.slice(this.at, end);
    const close = this.absent.has(run) ? -1 : this.findRun(run, end);
    if (close >= 0) this.push(wrap(kind, length, this.inner(end, close)), close + length);
    else if (this.rules.open) {
      const rest = this.text.slice(end);
      const cut = rest.length - (new RegExp(`\\${sign}+$`).exec(rest)?.[0].length ?? 0);
      this.push(wrap(kind, length, this.inner(end, end + cut, true)), this.text.length);
    } else {
      this.absent.add(run);
      this.take(length);
    }
  }

  private findRun(run: string, from: number): number {
    const sign = run[0] as string;
    for (let at = from; at < this.text.length; ) {
      const here = this.text[at];
      if (here === "\\") at += 2;
      else if (here === "`") {
        const fence = /^`+/.exec(this.text.slice(at, at + 64))?.[0] ?? "`";
        const end = this.absent.has(fence) ? -1 : this.findFence(fence, at + fence.length);
        if (end < 0) this.absent.add(fence);
        at = end < 0 ? at + fence.length : end + fence.length;
      } else if (here === sign) {
        let end = at;
        while (this.text[end] === sign) end += 1;
        const closes = !/\s/.test(this.text[at - 1] ?? " ");
        const free = sign !== "_" || !/[\p{L}\p{N}]/u.test(this.text[end] ?? " ");
        if (closes && free && end - at === run.length) return at;
        if (closes && free && end - at === 3 && run.length < 3) return end - run.length;
        at = end;
      } else at += 1;
    }
    return -1;
  }

  private angle(): void {
    const found = /^<((?:https?:\/\/|mailto:)[^\s<>]+)>/i.exec(this.text.slice(this.at, this.at + 2049));
    const href = found ? safeHref(found[1] ?? "") : null;
    if (found && href) this.push({ kind: "link", href, children: [textOf(found[1] ?? "")] }, this.at + found[0].length);
    else this.take(1);
  }

  private autolink(): void {
    let found = AUTOLINK.exec(this.text.slice(this.at, this.at + 2049))?.[0];
    found = found?.replace(/[.,;:!?*_~\]}]+$/, "");
    if (found?.endsWith(")") && !found.includes("(")) found = found.replace(/\)+$/, "");
    const href = found ? safeHref(found) : null;
    if (found && href) this.push({ kind: "link", href, children: [textOf(found)] }, this.at + found.length);
    else this.take(1);
  }
}

const textOf = (text: string): Inline => ({ kind: "text", text });

function wrap(kind: "em" | "strike", length: number, children: Inline[]): Inline {
  if (kind === "strike") return { kind, children };
  if (length === 1) return { kind: "em", children };
  return length === 2 ? { kind: "strong", children } : { kind: "strong", children: [{ kind: "em", children }] };
}

function tidyCode(text: string): string {
  const line = text.replaceAll("\n", " ");
  return line.length > 2 && line.startsWith(" ") && line.endsWith(" ") && line.trim() ? line.slice(1, -1) : line;
}

/** For each `[`, where its `]` stands, or -1: found in one pass, so that no text makes it slow. */
function bracketPairs(text: string): Int32Array {
  const pairs = new Int32Array(text.length).fill(-1);
  const open: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === "\\") at += 1;
    else if (sign === "[") open.push(at);
    else if (sign === "]" && open.length) pairs[open.pop() as number] = at;
  }
  return pairs;
}
