// The blocks of a Markdown text as values: what models write (CommonMark's usual forms, and tables).

export type Align = "start" | "center" | "end" | null;

export type Block =
  | { kind: "paragraph"; text: string; raw: string }
  | { kind: "heading"; level: number; text: string; raw: string }
  | { kind: "code"; language: string; text: string; raw: string }
  | { kind: "quote"; blocks: Block[]; raw: string }
  | { kind: "list"; start: number | null; tight: boolean; items: Block[][]; raw: string }
  | { kind: "table"; align: Align[]; head: string[]; rows: string[][]; raw: string }
  | { kind: "rule"; raw: string };

export type Parsed = { blocks: Block[]; references: Map<string, string> };

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`\s]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])([ \t]+|$)/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const REFERENCE = /^ {0,3}\[([^\]^]+)\]:\s*<?(\S+?)>?(?:\s+["'(].*)?$/;
const DEPTH = 8;

/** A last line that may yet become something else: held back while the text goes on arriving. */
const UNDECIDED = /^ {0,3}(?:#{1,6}|[-*+=_]{1,}|\d{1,9}[.)]?|`{1,2}|~{1,2}|>|\|.*|!?\[[^\]]*(?:\](?::.*)?)?|!)[ \t]*$/;

/** `open` says that the text goes on arriving, so its last line is not final. */
export function parseBlocks(text: string, open: boolean): Parsed {
  const lines = text.replace(/\r\n?/g, "\n").replaceAll("\u0000", "\ufffd").split("\n");
  if (open) holdBack(lines);
  const references = new Map<string, string>();
  return { blocks: blocksOf(lines, references, 0), references };
}

function holdBack(lines: string[]): void {
  const last = lines.at(-1) ?? "";
  const inFence = lines.slice(0, -1).filter((line) => FENCE.test(line)).length % 2 === 1;
  if (inFence) {
    if (/^ {0,3}[`~]+\s*$/.test(last)) lines.pop();
    return;
  }
  const tableStarts = last.trim() === "" && /^ {0,3}\|.*\|\s*$/.test(lines.at(-2) ?? "");
  if (tableStarts && !/^ {0,3}\|/.test(lines.at(-3) ?? "")) lines.splice(-2);
  else if (TABLE_RULE.test(last) && /\|/.test(lines.at(-2) ?? "") && !/\|\s*$/.test(last)) lines.splice(-2);
  else if (UNDECIDED.test(last) && !/^ {0,3}\[\d+\]/.test(last)) {
    lines.pop();
    if (/^ {0,3}\|/.test(last) && /^ {0,3}\|/.test(lines.at(-1) ?? "") && !isTable(lines)) lines.pop();
  }
}

function isTable(lines: string[]): boolean {
  const at = lines.findLastIndex((line) => !line.includes("|"));
  return TABLE_RULE.test(lines[at + 2] ?? "");
}

function blocksOf(lines: string[], references: Map<string, string>, depth: number): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] as string;
    if (!line.trim()) {
      at += 1;
      continue;
    }
    const reference = REFERENCE.exec(line);
    if (reference) {
      references.set((reference[1] as string).toLowerCase(), reference[2] as string);
      at += 1;
      continue;
    }
    const end = endOf(lines, at, depth);
    const raw = lines.slice(at, end).join("\n");
    blocks.push(blockOf(lines.slice(at, end), raw, references, depth));
    at = end;
  }
  return blocks;
}

/** Where the block that starts at line `at` ends. */
function endOf(lines: string[], at: number, depth: number): number {
  const line = lines[at] as string;
  const fence = FENCE.exec(line);
  if (fence) return fenceEnd(lines, at, fence[1] as string);
  if (HEADING.test(line) || RULE.test(line)) return at + 1;
  if (depth < DEPTH && QUOTE.test(line)) return runEnd(lines, at, (next) => QUOTE.test(next) || isLazy(next));
  if (depth < DEPTH && ITEM.test(line)) return listEnd(lines, at);
  if (startsTable(lines, at)) return runEnd(lines, at + 2, (next) => next.includes("|") && next.trim() !== "");
  return runEnd(lines, at + 1, (next, index) => isLazy(next) && !startsTable(lines, index));
}

function runEnd(lines: string[], from: number, goesOn: (line: string, index: number) => boolean): number {
  let at = from;
  while (at < lines.length && goesOn(lines[at] as string, at)) at += 1;
  return at;
}

const isLazy = (line: string): boolean =>
  line.trim() !== "" && !FENCE.test(line) && !HEADING.test(line) && !RULE.test(line) && !QUOTE.test(line) && !ITEM.test(line);

function fenceEnd(lines: string[], at: number, fence: string): number {
  const close = new RegExp(`^ {0,3}\\${fence[0]}{${fence.length},}\\s*$`);
  const end = lines.findIndex((line, index) => index > at && close.test(line));
  return end < 0 ? lines.length : end + 1;
}

const kindOf = (marker: string): string => marker.slice(-1);

function listEnd(lines: string[], at: number): number {
  const first = ITEM.exec(lines[at] as string) as RegExpExecArray;
  const kind = kindOf(first[2] as string);
  let index = at + 1;
  let blank = false;
  for (; index < lines.length; index += 1) {
    const line = lines[index] as string;
    const item = ITEM.exec(line);
    if (!line.trim()) blank = true;
    else if (/^(?: {2,}|\t)/.test(line)) blank = false;
    else if (item && !RULE.test(line) && kindOf(item[2] as string) === kind) blank = false;
    else if (blank || !isLazy(line)) break;
  }
  while (!(lines[index - 1] as string).trim()) index -= 1;
  return index;
}

const startsTable = (lines: string[], at: number): boolean =>
  (lines[at] as string).includes("|") &&
  TABLE_RULE.test(lines[at + 1] ?? "") &&
  (lines[at + 1] ?? "").includes("-") &&
  cells(lines[at] as string).length === cells(lines[at + 1] as string).length;

function blockOf(lines: string[], raw: string, references: Map<string, string>, depth: number): Block {
  const first = lines[0] as string;
  const fence = FENCE.exec(first);
  if (fence) {
    const isClosed = lines.length > 1 && fenceEnd(lines, 0, fence[1] as string) === lines.length && /^ {0,3}[`~]+\s*$/.test(lines.at(-1) as string);
    const text = lines.slice(1, isClosed ? -1 : undefined).join("\n");
    return { kind: "code", language: fence[2] ?? "", text, raw };
  }
  const heading = HEADING.exec(first);
  if (heading) return { kind: "heading", level: (heading[1] as string).length, text: heading[2] ?? "", raw };
  if (RULE.test(first)) return { kind: "rule", raw };
  if (depth < DEPTH && QUOTE.test(first)) {
    return { kind: "quote", blocks: blocksOf(lines.map((line) => line.replace(QUOTE, "")), references, depth + 1), raw };
  }
  if (depth < DEPTH && ITEM.test(first)) return listOf(lines, raw, references, depth);
  if (startsTable(lines, 0)) return tableOf(lines, raw);
  return { kind: "paragraph", text: lines.map((line) => line.trimStart()).join("\n").trimEnd(), raw };
}

function listOf(lines: string[], raw: string, references: Map<string, string>, depth: number): Block {
  const items: string[][] = [];
  let indent = 0;
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && (items.length === 0 || (item[1] as string).length < indent)) {
      indent = item[0].length || 2;
      items.push([line.slice(item[0].length)]);
    } else items.at(-1)?.push(dedent(line, indent));
  }
  const number = /^ {0,3}(\d+)/.exec(lines[0] as string);
  const tight = items.every((item, index) => {
    const end = index < items.length - 1 ? item.length : item.findLastIndex((line) => line.trim()) + 1;
    return item.slice(0, end).every((line) => line.trim());
  });
  return {
    kind: "list",
    start: number ? Number(number[1]) : null,
    tight,
    items: items.map((item) => blocksOf(item, references, depth + 1)),
    raw,
  };
}

const dedent = (line: string, width: number): string => {
  const space = /^[ \t]*/.exec(line.replace(/^\t/, "    "))?.[0].length ?? 0;
  return line.replace(/^\t/, "    ").slice(Math.min(width, space));
};

function tableOf(lines: string[], raw: string): Block {
  const align = cells(lines[1] as string).map((cell): Align => {
    const left = cell.startsWith(":");
    const right = cell.endsWith(":");
    return left && right ? "center" : right ? "end" : left ? "start" : null;
  });
  const rows = lines.slice(2).map((line) => align.map((_, column) => cells(line)[column] ?? ""));
  return { kind: "table", align, head: cells(lines[0] as string), rows, raw };
}

function cells(line: string): string[] {
  const row = line.trim().replace(/^\|/, "").replace(/(^|[^\\])\|$/, "$1");
  return row.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}
