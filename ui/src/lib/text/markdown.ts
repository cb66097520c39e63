// Answers are Markdown from an untrusted author. They become a tree of plain data, and `features/markdown` makes elements of
// it: no HTML of a model's making is ever parsed. The tree of a growing answer keeps the objects of everything that did not
// change, so that only the last block costs anything.
import type { Token, Tokens } from "marked";

import { withoutReordering } from "./bidi";
import { mend } from "./mend";
import { InlineMemory, lex, OPEN_END, type Links } from "./syntax";

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "em" | "del" | "sub" | "sup" | "kbd"; inlines: Inline[] }
  /** `picture`: it would have been loaded from there; only its words are shown. */
  | { kind: "link"; href: string; inlines: Inline[]; picture: boolean }
  | { kind: "break" }
  /** `open`: its end has not been written yet. */
  | { kind: "formula"; tex: string; display: boolean; open: boolean }
  | { kind: "footnoteMark"; label: string };

export type Align = "left" | "center" | "right" | null;

export interface Item {
  raw: string;
  /** Of an ordered list: as written, where the numbers rise; the next one where they do not (`1. 1. 1.`). */
  number: number;
  /** A task, done or not. */
  checked: boolean | null;
  blocks: Block[];
}

export interface Row {
  raw: string;
  cells: Inline[][];
}

export type Block = { raw: string } & (
  | { kind: "paragraph"; inlines: Inline[] }
  /** Text of a tight list item: a paragraph without room around it. */
  | { kind: "line"; inlines: Inline[] }
  | { kind: "heading"; depth: number; inlines: Inline[] }
  /** `info`: all that stands behind the fence; its first word is the language. */
  | { kind: "code"; code: string; language: string; info: string }
  | { kind: "list"; ordered: boolean; start: number; loose: boolean; items: Item[] }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "table"; align: Align[]; header: Row; rows: Row[] }
  | { kind: "formula"; tex: string; open: boolean }
  | { kind: "footnote"; label: string; inlines: Inline[] }
  | { kind: "rule" }
);

type BlockOf<K extends Block["kind"]> = Extract<Block, { kind: K }>;

/** As it is looked for in the definitions. */
const normal = (label: string) => label.toLowerCase().replaceAll(/\s+/g, " ");

export function isWebAddress(address: string): boolean {
  return /^https?:\/\/[^/]/i.test(address);
}

const entities = new Map<string, string>();

/** The character that `&name;` or `&#1;` stands for, as the browser knows it; the text itself if it stands for none. */
function entity(reference: string): string {
  let known = entities.get(reference);
  if (known === undefined) {
    known = new DOMParser().parseFromString(reference, "text/html").body.textContent || reference;
    entities.set(reference, known);
  }
  return known;
}

/** As it is shown: nothing that reorders it, nothing that only stood for an end that is not written yet. */
function literal(text: string): string {
  return withoutReordering(text.includes(OPEN_END) ? text.replaceAll(OPEN_END, "") : text);
}

function plain(text: string): string {
  const decoded = text.includes("&") ? text.replaceAll(/&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,31});/gi, entity) : text;
  return literal(decoded);
}

function inlinesOf(tokens: Token[] | undefined, inTable = false): Inline[] {
  const result: Inline[] = [];
  const add = (inline: Inline) => {
    const last = result.at(-1);
    if (inline.kind === "text" && last?.kind === "text") result[result.length - 1] = { kind: "text", text: last.text + inline.text };
    else result.push(inline);
  };
  for (const token of tokens ?? []) {
    switch (token.type) {
      case "strong":
      case "em":
      case "del":
        add({ kind: token.type, inlines: inlinesOf((token as Tokens.Strong).tokens, inTable) });
        break;
      case "codespan":
        add({ kind: "code", text: literal((token as Tokens.Codespan).text) });
        break;
      case "br":
        add({ kind: "break" });
        break;
      case "link":
      case "image": {
        const { href, text, tokens: inside } = token as Tokens.Link;
        const picture = token.type === "image";
        const inlines = picture ? [{ kind: "text" as const, text: plain(text) || href }] : inlinesOf(inside, inTable);
        if (isWebAddress(href)) add({ kind: "link", href, inlines, picture });
        // What Paddock never opens is text; an address that its words do not say stays in sight.
        else {
          for (const inline of inlines) add(inline);
          if (href && !href.endsWith(text)) add({ kind: "text", text: plain(` (${href})`) });
        }
        break;
      }
      case "formula": {
        const { tex, display, open } = token as unknown as { tex: string; display: boolean; open: boolean };
        add({ kind: "formula", tex, display, open });
        break;
      }
      case "footnoteMark":
        add({ kind: "footnoteMark", label: plain((token as unknown as { label: string }).label) });
        break;
      case "pair": {
        const { tag, tokens: inside } = token as unknown as { tag: "sub" | "sup" | "kbd"; tokens: Token[] };
        add({ kind: tag, inlines: inlinesOf(inside, inTable) });
        break;
      }
      case "escape":
        add({ kind: "text", text: literal((token as Tokens.Escape).text) });
        break;
      default: {
        const { text, tokens: inside } = token as Tokens.Text;
        if (inside) for (const inline of inlinesOf(inside, inTable)) add(inline);
        else if (inTable && /<br *\/?>/i.test(text)) {
          // A cell cannot hold a line end: `<br>` is how one is written there.
          for (const [at, part] of text.split(/<br *\/?>/i).entries()) {
            if (at > 0) add({ kind: "break" });
            if (part) add({ kind: "text", text: plain(part) });
          }
        } else add({ kind: "text", text: plain(text) });
      }
    }
  }
  return result;
}

/** The block of one token; `before` is what stood in its place, and is kept where nothing changed. */
function blockOf(token: Token, before: Block | undefined, used: (label: string) => boolean): Block | null {
  if (before?.raw === token.raw) return before;
  const { raw } = token;
  switch (token.type) {
    case "space":
      return null;
    case "heading":
      return { kind: "heading", raw, depth: (token as Tokens.Heading).depth, inlines: inlinesOf(token.tokens) };
    case "code": {
      const { text, lang } = token as Tokens.Code;
      const info = withoutReordering(lang ?? "");
      return { kind: "code", raw, code: literal(text), language: info.split(/[\s{,:]/)[0] ?? "", info };
    }
    case "list": {
      const { ordered, start, loose, items } = token as Tokens.List;
      const old = before?.kind === "list" && before.ordered === ordered ? before : undefined;
      const begin = start === "" ? 1 : start;
      let number = begin - 1;
      const made = items.map((item, place) => {
        const written = Number(/^\s*(\d{1,9})[.)]/.exec(item.raw)?.[1] ?? 0);
        number = Math.max(number + 1, written);
        return itemOf(item, number, old?.loose === loose ? old.items[place] : undefined, used);
      });
      return { kind: "list", raw, ordered, start: begin, loose, items: made };
    }
    case "blockquote":
      return { kind: "quote", raw, blocks: blocksOf(token.tokens ?? [], before?.kind === "quote" ? before.blocks : [], used) };
    case "table": {
      const { align, header, rows } = token as Tokens.Table;
      const old: BlockOf<"table"> | undefined = before?.kind === "table" ? before : undefined;
      return { kind: "table", raw, align, header: rowOf(header, old?.header), rows: rows.map((row, place) => rowOf(row, old?.rows[place])) };
    }
    case "hr":
      return { kind: "rule", raw };
    case "formulaBlock": {
      const { tex, open } = token as unknown as { tex: string; open: boolean };
      return { kind: "formula", raw, tex, open };
    }
    case "footnote":
      return { kind: "footnote", raw, label: plain((token as unknown as { label: string }).label), inlines: inlinesOf(token.tokens) };
    case "def": {
      const { tag, href } = token as Tokens.Def;
      // The address of a link elsewhere. What leads nowhere, or from nowhere, was meant to be read.
      return isWebAddress(href) && used(tag) ? null : { kind: "paragraph", raw, inlines: [{ kind: "text", text: plain(raw.trim()) }] };
    }
    case "text":
      return { kind: "line", raw, inlines: inlinesOf([token]) };
    default:
      return { kind: "paragraph", raw, inlines: inlinesOf("tokens" in token ? token.tokens : [token]) };
  }
}

function itemOf(item: Tokens.ListItem, number: number, before: Item | undefined, used: (label: string) => boolean): Item {
  if (before?.raw === item.raw && before.number === number) return before;
  const tokens = item.tokens.filter((token) => token.type !== "checkbox");
  // In a loose list the box stands in the first paragraph.
  const first = tokens[0];
  if (item.task && first && "tokens" in first && first.tokens?.[0]?.type === "checkbox") first.tokens.shift();
  return { raw: item.raw, number, checked: item.task ? item.checked === true : null, blocks: blocksOf(tokens, before?.blocks ?? [], used) };
}

function rowOf(cells: Tokens.TableCell[], before: Row | undefined): Row {
  const raw = cells.map((cell) => cell.text).join("|");
  return before?.raw === raw ? before : { raw, cells: cells.map((cell) => inlinesOf(cell.tokens, true)) };
}

function blocksOf(tokens: Token[], before: readonly Block[], used: (label: string) => boolean): Block[] {
  const result: Block[] = [];
  for (const token of tokens) {
    const block = blockOf(token, before[result.length], used);
    if (block) result.push(block);
  }
  return result;
}

/** Blocks this far from the end may still become another kind: a paragraph a heading or a table, a list a longer list. */
const OPEN_BLOCKS = 2;

/** One message's text as blocks, whole or while it grows. */
export class MarkdownDocument {
  #source = "";
  /** Nothing before this place of the source can change any more. */
  #settledAt = 0;
  #settled: Block[] = [];
  #tail: Block[] = [];
  /** Definitions that can not change any more. */
  #links: Links = noLinks();
  readonly #memory = new InlineMemory();
  /** The definitions that the blocks were made with. */
  #usedLinks = "";

  /** `growing`: more will come, and what is half written at the end is shown as what it will most likely be. */
  update(text: string, growing = false): Block[] {
    const source = text.includes("\r") || text.includes(OPEN_END) ? text.replaceAll(/\r\n?/g, "\n").replaceAll(OPEN_END, "\uFFFD") : text;
    if (!source.startsWith(this.#source)) this.#begin([], noLinks());
    this.#source = source;
    // A definition that comes after its use: everything is read once more with it.
    if (!this.#lexTail(source, growing)) this.#lexTail(source, growing);
    return [...this.#settled, ...this.#tail];
  }

  #begin(before: Block[], links: Links): void {
    this.#settledAt = 0;
    this.#settled = [];
    this.#tail = before;
    this.#links = links;
  }

  #lexTail(source: string, growing: boolean): boolean {
    const written = source.slice(this.#settledAt);
    // Mending touches nothing but the last block.
    const tail = growing ? mend(written) : written;
    const links = withLinks(this.#links);
    const tokens = lex(tail, links, this.#memory);
    const used = (label: string) => mentions(source, label) > 1;

    const solid = tokens.flatMap((token, place) => (token.type === "space" ? [] : [place]));
    const keep = solid.at(-OPEN_BLOCKS) ?? 0;
    const done = solid.length > OPEN_BLOCKS ? tokens.slice(0, keep) : [];
    const doneRaw = done.map((token) => token.raw).join("");

    const names = Object.keys(links);
    const isNew = names.length > Object.keys(this.#links).length;
    if (isNew) {
      const certain = growing ? withLinks(this.#links) : links;
      // What is written last may be half an address.
      if (growing) lex(doneRaw, certain);
      const more = Object.keys(certain).length > Object.keys(this.#links).length;
      if (more && this.#settledAt > 0) {
        this.#begin(withoutLinks([...this.#settled, ...this.#tail]), certain);
        return false;
      }
      this.#links = certain;
    }
    let before = this.#tail;
    const usedLinks = names.length > 0 ? JSON.stringify(links) : "";
    if (usedLinks !== this.#usedLinks) {
      before = withoutLinks(before);
      this.#usedLinks = usedLinks;
    }
    let open = tokens;
    if (done.length > 0 && written.startsWith(doneRaw)) {
      const settled = blocksOf(done, before, used);
      this.#settled = [...this.#settled, ...settled];
      this.#settledAt += doneRaw.length;
      before = before.slice(settled.length);
      open = tokens.slice(keep);
    }
    this.#tail = blocksOf(open, before, used);
    return true;
  }
}

/** The same words may be a link now, or another one: what could hold one is not kept. */
function withoutLinks(blocks: readonly Block[]): Block[] {
  return blocks.map((block) => (block.raw.includes("[") ? { kind: "rule", raw: "" } : block));
}

function noLinks(): Links {
  return Object.create(null) as Links;
}

function withLinks(links: Links): Links {
  return Object.assign(noLinks(), links);
}

function mentions(source: string, label: string): number {
  const wanted = normal(label);
  let count = 0;
  for (const found of source.matchAll(/\[([^[\]]{1,999})\]/g)) if (normal(found[1] ?? "") === wanted) count++;
  return count;
}

/** The words of blocks without their marks, for those who hear them. */
export function wordsOf(blocks: readonly Block[]): string {
  return blocks.map(wordsOfBlock).filter(Boolean).join("\n");
}

function wordsOfBlock(block: Block): string {
  switch (block.kind) {
    case "code":
      return block.code;
    case "list":
      return block.items.map((item) => wordsOf(item.blocks)).join("\n");
    case "quote":
      return wordsOf(block.blocks);
    case "table":
      return [block.header, ...block.rows].map((row) => row.cells.map(wordsOfInlines).join(", ")).join("\n");
    case "formula":
      return block.tex;
    case "rule":
      return "";
    default:
      return wordsOfInlines(block.inlines);
  }
}

function wordsOfInlines(inlines: readonly Inline[]): string {
  return inlines
    .map((inline) => {
      switch (inline.kind) {
        case "text":
        case "code":
          return inline.text;
        case "break":
          return "\n";
        case "formula":
          return inline.tex;
        case "footnoteMark":
          return "";
        default:
          return wordsOfInlines(inline.inlines);
      }
    })
    .join("");
}
