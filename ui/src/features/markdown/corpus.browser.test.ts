// The corpus on the screen: every character that was written is seen, nothing runs, nothing is fetched.
import { flushSync, mount, unmount } from "svelte";
import { describe, expect, it, vi } from "vitest";

import { CORPUS, type Case } from "../../lib/text/corpus.fixture";
import { withoutReordering } from "../../lib/text/bidi";
import { MarkdownDocument } from "../../lib/text/markdown";
import Answer from "../../test/Answer.svelte";
import { growing } from "../../test/growing.svelte";
import { until } from "../../test/window";
import "../../styles/base.css";

/** What a reader gets: words, the numbers of lists, boxes, where links lead, formulas by their source. */
function seen(node: Node): string {
  if (node instanceof Text) return node.data;
  if (!(node instanceof HTMLElement)) return "";
  if (node.classList.contains("drawn")) return node.hidden ? "" : (node.dataset.tex ?? "");
  if (node instanceof HTMLInputElement) return node.checked ? "[x]" : "[ ]";
  if (node instanceof HTMLBRElement) return "\n";
  if (getComputedStyle(node).display === "none" || getComputedStyle(node).visibility === "hidden") return "";
  const inside = [...node.childNodes].map(seen).join("");
  if (node instanceof HTMLAnchorElement) return `${inside} ${node.getAttribute("href") ?? ""}`;
  if (node instanceof HTMLLIElement && node.parentElement instanceof HTMLOListElement) return `${node.value}. ${inside}\n`;
  return inside;
}

/** How often each letter and digit stands there. */
function count(text: string): Map<string, number> {
  const result = new Map<string, number>();
  for (const character of text.normalize("NFC").match(/[\p{L}\p{N}<>{}@%]/gu) ?? []) result.set(character, (result.get(character) ?? 0) + 1);
  return result;
}

function missing({ source, hidden = "" }: Case, shown: string): string {
  const plain = source.replaceAll(/<\/?(?:sub|sup|kbd)>/g, (tag) => (hidden.includes(tag.replaceAll(/\W/g, "")) ? tag.replaceAll(/[<>]/g, "") : tag)).replaceAll(/^( *>)+/gm, "");
  const [wanted, allowed, got] = [count(plain), count(hidden), count(shown)];
  return [...wanted].flatMap(([character, times]) => (times - (allowed.get(character) ?? 0) > (got.get(character) ?? 0) ? [character] : [])).join("");
}

function show(source: string): { target: HTMLElement; end: () => Promise<void> } {
  const target = document.createElement("div");
  document.body.append(target);
  const component = mount(Answer, { target, props: { source } });
  flushSync();
  return {
    target,
    end: async () => {
      await unmount(component);
      target.remove();
    },
  };
}

/** Formulas are drawn and code is coloured a moment later; both are waited for, or known to stay as written. */
async function settled(target: HTMLElement): Promise<void> {
  for (let frames = 0; frames < 3; frames++) await new Promise(requestAnimationFrame);
  await until(() => [...target.querySelectorAll<HTMLElement>(".drawn")].every((one) => !one.hidden || one.nextElementSibling?.tagName === "CODE"), "formulas");
}

describe("the corpus on the screen", () => {
  it("shows every character, runs nothing and fetches nothing", async () => {
    const before = performance.getEntriesByType("resource").length;
    for (const one of CORPUS) {
      const { target, end } = show(one.source);
      await settled(target);
      const text = seen(target);
      expect(missing(one, text), `${one.name}: ${one.source}\n--- shown as ---\n${text}`).toBe("");
      for (const exact of one.exact ?? []) expect(text.replaceAll(/\s+/g, " "), one.name).toContain(withoutReordering(exact).replaceAll(/\s+/g, " "));
      expect(target.querySelector("script, img, iframe, object, embed, link, style, form, video, audio, base, meta"), one.name).toBeNull();
      for (const element of target.querySelectorAll("*")) {
        for (const { name, value } of element.attributes) {
          expect(name, `${one.name}: ${name}`).not.toMatch(/^(on|src|srcset|action|formaction|xlink|ping)/);
          if (name === "href") expect(value, one.name).toMatch(/^https?:\/\/[^/]/);
        }
      }
      await end();
    }
    expect((window as unknown as { ran?: number }).ran).toBeUndefined();
    const fetched = performance.getEntriesByType("resource").slice(before).map((entry) => entry.name);
    expect(fetched.filter((name) => !name.startsWith(location.origin))).toEqual([]);
  }, 120_000);

  it("draws formulas with frozen prototypes, as the window has them", async () => {
    Object.freeze(Object.prototype);
    const { target, end } = show("\\(\\frac{a}{b}\\)");
    await until(() => target.querySelector(".drawn:not([hidden]) .katex"), "the formula");
    await document.fonts.ready;
    expect([...document.fonts].some((font) => font.family.includes("KaTeX") && font.status === "loaded")).toBe(true);
    await end();
  });
});

describe("an answer that grows on the screen", () => {
  const source = "# Title\n\nThe first **paragraph** with some words.\n\n1. one\n2. two\n\n```rust\nlet a = 1;\nlet b = 2;\n```\n\nThe last paragraph grows word by word and goes on.";

  it("is drawn once a frame, however many pieces come in it", async () => {
    const drawn = vi.spyOn(MarkdownDocument.prototype, "update");
    const target = document.createElement("div");
    document.body.append(target);
    const props = growing("Once");
    const component = mount(Answer, { target, props });
    await new Promise(requestAnimationFrame);
    drawn.mockClear();
    for (let piece = 0; piece < 200; piece++) {
      props.source += ` and ${piece}`;
      flushSync();
    }
    await until(() => target.textContent?.includes("and 199"), "the last piece");
    expect(drawn.mock.calls.length).toBeLessThanOrEqual(2);
    await unmount(component);
    target.remove();
  });

  it("keeps elements, selected text and colours, and never shows a mark that will be syntax", async () => {
    const target = document.createElement("div");
    document.body.append(target);
    const props = growing(source.slice(0, 1));
    const component = mount(Answer, { target, props });
    const flips = new Set<string>();
    let first: Element | null = null;
    for (let end = 1; end <= source.length; end++) {
      props.source = source.slice(0, end);
      flushSync();
      await new Promise(requestAnimationFrame);
      flushSync();
      const shown = target.textContent ?? "";
      for (const mark of ["**", "`", "# "]) if (shown.includes(mark)) flips.add(mark);
      first ??= target.querySelector("[role='heading']");
    }
    expect([...flips]).toEqual([]);
    expect(target.querySelector("[role='heading']")).toBe(first);
    await until(() => target.querySelector(".hljs-keyword"), "colours");
    const keyword = target.querySelector(".hljs-keyword");
    const last = [...target.querySelectorAll("p span")].at(-1)?.firstChild;
    if (!(last instanceof Text)) throw new Error("no text");
    getSelection()?.setBaseAndExtent(last, 4, last, 8);
    const chosen = getSelection()?.toString();
    props.source = `${source} And more.`;
    flushSync();
    await new Promise(requestAnimationFrame);
    flushSync();
    expect(target.textContent).toContain("And more.");
    expect(getSelection()?.toString()).toBe(chosen);
    expect(target.querySelector(".hljs-keyword")).toBe(keyword);
    await unmount(component);
    target.remove();
  });
});
