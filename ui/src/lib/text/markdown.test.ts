import { describe, expect, it } from "vitest";

import { blocks, sanitise, sanitiseCode } from "./markdown";

function html(source: string): string {
  return blocks(source)
    .map((block) => (block.kind === "html" ? block.html : block.code))
    .join("");
}

describe("hostile answers", () => {
  it.each([
    ["<script>alert(1)</script>", /script|alert/],
    ["<img src=x onerror=alert(1)>", /img|onerror/],
    ["![a](https://example.com/track.png)", /<img|src=/],
    ["[x](javascript:alert(1))", /javascript|href/],
    ["[x](data:text/html,hello)", /data:|href/],
    ["[x](JaVaScRiPt:alert(1))", /href/],
    ["[x](attachment://localhost/abc/full)", /href/],
    ["<iframe src='https://example.com'></iframe>", /iframe/],
    ["<p style='position:fixed;inset:0'>x</p>", /style/],
    ["<p class='window' id='app'>x</p>", /class|id=/],
    ["<svg><script>alert(1)</script></svg>", /svg|script/],
    ["<form action='https://example.com'><input name=a><button>b</button></form>", /form|input|button/],
    ["<a href='https://example.com' onclick='alert(1)' target='_blank'>x</a>", /onclick|target/],
    ["<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", /onerror|style|img/],
  ])("nothing of %s loads, runs or styles", (source, forbidden) => {
    expect(html(source)).not.toMatch(forbidden);
  });

  it("keeps the words of what it takes away", () => {
    expect(sanitise("<p>before <b onclick=x>bold</b> after</p>")).toBe("<p>before bold after</p>");
  });

  it("lets only spans with classes into coloured code", () => {
    expect(sanitiseCode('<span class="hljs-string">a</span><img src=x onerror=y><a href="https://a">b</a>')).toBe('<span class="hljs-string">a</span>b');
  });
});

describe("ordinary answers", () => {
  it("keeps Markdown and web links", () => {
    const result = html("# A\n\n**b** and [c](https://example.com/d)\n\n- e\n- f\n\n| g | h |\n|---|---|\n| 1 | 2 |");
    for (const part of ["<h1>A</h1>", "<strong>b</strong>", '<a href="https://example.com/d">c</a>', "<li>e</li>", "<td>2</td>"]) {
      expect(result).toContain(part);
    }
  });

  it("gives code apart, with its language and unescaped", () => {
    expect(blocks("```rust title=x\nlet a = \"<b>\";\n```")).toEqual([{ kind: "code", code: 'let a = "<b>";', language: "rust" }]);
  });

  it("does not change finished blocks while an answer grows", () => {
    const source = "First *one*.\n\nSecond with `code`.\n\n1. a\n2. b\n\nLast";
    const whole = blocks(source);
    for (let end = 1; end < source.length; end++) {
      const grown = blocks(source.slice(0, end));
      for (const [place, block] of grown.slice(0, -2).entries()) expect(block).toEqual(whole[place]);
    }
  });
});
