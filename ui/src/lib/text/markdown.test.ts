import { describe, expect, it } from "vitest";

import { linesOf, sanitiseCode } from "./highlight";
import { MarkdownDocument, wordsOf, type Block, type Inline } from "./markdown";
import { splitThinking } from "./thinking";

const blocks = (source: string) => new MarkdownDocument().update(source);
const words = (source: string) => wordsOf(blocks(source));

function inlinesIn(list: readonly Block[]): Inline[] {
  return list.flatMap((block): Inline[] => {
    if (block.kind === "list") return block.items.flatMap((item) => inlinesIn(item.blocks));
    if (block.kind === "quote") return inlinesIn(block.blocks);
    if (block.kind === "table") return [block.header, ...block.rows].flatMap((row) => row.cells.flat());
    return "inlines" in block ? block.inlines : [];
  });
}
const links = (source: string) => inlinesIn(blocks(source)).flatMap((inline) => (inline.kind === "link" ? [inline.href] : []));

describe("what was written is shown", () => {
  it.each([
    "Vec<String> and std::vector<int>",
    "if a<b and c>d then swap",
    "Use the <details> tag or <input>.",
    "<script>alert(1)</script>",
    "<div class='x'>\n<p>inside</p>\n</div>",
    "Compare 20~25 and 30~35.",
    "It costs $5 and $6 in all.",
    "`<b>` and \\<i\\>".replaceAll("\\", ""),
  ])("%s", (source) => {
    expect(words(source)).toBe(source.replaceAll("`", ""));
  });

  it("keeps numbers of lists, and their starts", () => {
    expect(blocks("3. third\n4. fourth")[0]).toMatchObject({ kind: "list", ordered: true, start: 3 });
    expect(blocks("0. zero\n1. one")[0]).toMatchObject({ start: 0 });
    const numbers = (source: string) => blocks(source).flatMap((block) => (block.kind === "list" ? block.items.map((item) => item.number) : []));
    expect(numbers("1) one\n2) two\n10) ten")).toEqual([1, 2, 10]);
    expect(numbers("1. a\n1. b\n1. c")).toEqual([1, 2, 3]);
    const interrupted = blocks("1. a\n\n```\ncode\n```\n\n2. b");
    expect(interrupted.map((block) => (block.kind === "list" ? block.start : block.kind))).toEqual([1, "code", 2]);
  });

  it("keeps single line ends", () => {
    expect(words("Roses are red\nviolets are blue")).toBe("Roses are red\nviolets are blue");
  });

  it("keeps the boxes of tasks", () => {
    const [list] = blocks("- [x] done\n- [ ] open\n- plain");
    expect(list?.kind === "list" && list.items.map((item) => item.checked)).toEqual([true, false, null]);
    expect(words("- [x] done\n\n- [ ] open")).toBe("done\nopen");
  });

  it("keeps a table's alignment, and line ends in its cells", () => {
    const [table] = blocks("| a | b | c |\n|:--|:-:|--:|\n| 1<br>2 | x | y |");
    expect(table).toMatchObject({ kind: "table", align: ["left", "center", "right"] });
    expect(table?.kind === "table" && table.rows[0]?.cells[0]?.map((inline) => inline.kind)).toEqual(["text", "break", "text"]);
  });

  it("keeps a picture's words and what links nowhere", () => {
    expect(words("![a chart of sales](https://example.com/a.png)")).toBe("a chart of sales");
    expect(words("[write](mailto:a@example.com)")).toBe("write (mailto:a@example.com)");
    expect(words("[note]: not-an-address")).toBe("[note]: not-an-address");
  });

  it("finds formulas and leaves money alone", () => {
    const found = (source: string) => inlinesIn(blocks(source)).flatMap((inline) => (inline.kind === "formula" ? [inline.tex] : []));
    expect(found("\\(a_1\\) and $a*b*c$ and $$2\\,T$$ and \\[x\\] here")).toEqual(["a_1", "a*b*c", "2\\,T", "x"]);
    expect(found("between $5 and $10, or US$6")).toEqual([]);
    expect(blocks("Thus\n\\[\nx^2\n\\]\nholds.").map((block) => block.kind)).toEqual(["paragraph", "formula", "paragraph"]);
    expect(blocks("$$\na\n$$")[0]).toMatchObject({ kind: "formula", tex: "a" });
  });

  it("shows characters that reorder others by their number", () => {
    expect(words("safe \u202Egpj.exe")).toBe("safe ⟦U+202E⟧gpj.exe");
    expect(words("`a\u2066b`")).toBe("a⟦U+2066⟧b");
  });

  it("keeps code in list items as code", () => {
    const [list] = blocks("1. First:\n\n   ```rust\n   let a = 1;\n   ```");
    expect(list?.kind === "list" && list.items[0]?.blocks.map((block) => block.kind)).toEqual(["paragraph", "code"]);
  });

  it("knows footnotes", () => {
    const [text, note] = blocks("Water[^1] is wet.\n\n[^1]: H<sub>2</sub>O");
    expect(text && inlinesIn([text]).map((inline) => inline.kind)).toEqual(["text", "footnoteMark", "text"]);
    expect(note).toMatchObject({ kind: "footnote", label: "1" });
  });
});

describe("links", () => {
  it("are those of their own message", () => {
    expect(links("See [docs][1].\n\n[1]: https://a.example/docs")).toEqual(["https://a.example/docs"]);
    expect(links("See [docs][1].\n\n[1]: https://b.example/other")).toEqual(["https://b.example/other"]);
  });

  it("are found when their definition is written after everything else", () => {
    const document = new MarkdownDocument();
    const source = "Read [this][9].\n\nOne.\n\nTwo.\n\nThree.\n\n[9]: https://a.example/";
    for (let end = 1; end <= source.length; end++) document.update(source.slice(0, end), true);
    const found = inlinesIn(document.update(source)).find((inline) => inline.kind === "link");
    expect(found).toMatchObject({ href: "https://a.example/" });
  });

  it.each(["[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](data:text/html,hello)", "[x](attachment://localhost/abc/full)", "[x](file:///etc/passwd)", "<vbscript:x>"])(
    "never lead to %s",
    (source) => {
      expect(links(source)).toEqual([]);
    },
  );
});

describe("thinking in the text", () => {
  it("is set apart at the beginning, and only there", () => {
    expect(splitThinking("<think>reasoning here</think>The answer.")).toEqual({ thinking: "reasoning here", answer: "The answer.", open: false });
    expect(splitThinking("<think>still")).toEqual({ thinking: "still", answer: "", open: true });
    for (const half of ["<", "<thi", "<think>a</thi"]) expect(splitThinking(half, true)).toEqual({ thinking: half.includes("a") ? "a" : "", answer: "", open: true });
    expect(splitThinking("<3", true).answer).toBe("<3");
    expect(splitThinking("Write <think> first.")).toEqual({ thinking: "", answer: "Write <think> first.", open: false });
  });
});

describe("an answer that grows", () => {
  it("shows half-written marks as what they will be", () => {
    const kinds = (source: string) => new MarkdownDocument().update(source, true).map((block) => block.kind);
    const shown = (source: string) => wordsOf(new MarkdownDocument().update(source, true));
    expect(kinds("Here are the parts:\n-")).toEqual(["paragraph"]);
    expect(kinds("| a | b |\n|--")).toEqual([]);
    expect(shown("This is **bo")).toBe("This is bo");
    expect(shown("See [a link](https://exa")).toBe("See a link");
    expect(shown("![alt](htt")).toBe("alt");
    expect(new MarkdownDocument().update("So $$x^", true)[0]).toMatchObject({ inlines: [{ kind: "text" }, { kind: "formula", open: true }] });
  });

  it("keeps the objects of what did not change", () => {
    const document = new MarkdownDocument();
    const before = document.update("# A\n\nb\n\n- c\n- d\n\n| e |\n|---|\n| f |\n| g |", true);
    const after = document.update("# A\n\nb\n\n- c\n- d\n\n| e |\n|---|\n| f |\n| g |\n| h", true);
    expect(after.slice(0, 3).map((block, place) => block === before[place])).toEqual([true, true, true]);
    const rows = (list: Block[]) => (list[3]?.kind === "table" ? list[3].rows : []);
    expect(rows(after)[0]).toBe(rows(before)[0]);
  });
});

describe("coloured code", () => {
  it("is nothing but spans with classes", () => {
    expect(sanitiseCode('<span class="hljs-string">a</span><img src=x onerror=y><a href="https://a">b</a>')).toBe('<span class="hljs-string">a</span>b');
  });

  it("is closed at every line's end", () => {
    expect(linesOf('<span class="a">x\ny</span>z\nw')).toEqual(['<span class="a">x</span>', '<span class="a">y</span>z', "w"]);
  });
});
