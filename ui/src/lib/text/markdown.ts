// Answers are Markdown from an untrusted author. This is the only place where they become HTML, and all of
// it goes through DOMPurify. Top-level blocks are rendered apart and remembered by their source, so that a
// growing answer only renders its last block again.
import DOMPurify from "dompurify";
import { lexer, parser, type Token, type TokensList } from "marked";

export type Block = { kind: "html"; html: string } | { kind: "code"; code: string; language: string };

const TAGS = [
  "p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6",
  "table", "thead", "tbody", "tr", "th", "td", "a", "hr", "sup", "sub",
]; // prettier-ignore

/** HTML of a model's making with nothing left that loads, runs, styles or submits anything. */
export function sanitise(html: string): string {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "title", "start", "align"],
    ALLOWED_URI_REGEXP: /^https?:\/\//i,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
  });
}

const remembered = new Map<string, string>();
const MOST_REMEMBERED = 500;

function render(token: Token, links: TokensList["links"]): string {
  const hit = remembered.get(token.raw);
  if (hit !== undefined) return hit;
  const tokens = Object.assign([token], { links });
  const html = sanitise(parser(tokens));
  if (remembered.size >= MOST_REMEMBERED) remembered.clear();
  remembered.set(token.raw, html);
  return html;
}

/** An answer as blocks, in order. */
export function blocks(source: string): Block[] {
  const tokens = lexer(source, { gfm: true });
  const result: Block[] = [];
  for (const token of tokens) {
    if (token.type === "space" || token.type === "def") continue;
    if (token.type === "code") {
      result.push({ kind: "code", code: token.text as string, language: ((token.lang as string | undefined) ?? "").split(/\s/)[0] ?? "" });
    } else {
      result.push({ kind: "html", html: render(token, tokens.links) });
    }
  }
  return result;
}

/** Coloured code: nothing but spans with classes. */
export function sanitiseCode(html: string): string {
  return DOMPurify.sanitize(html, { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false });
}
