// The end of an answer that is still written: half a link, an open `**`, the first line of a table. What it most likely will
// be is shown, so that nothing flips from one kind to another with every word. Only the last blocks come here.
import remend from "remend";

import { OPEN_END } from "./syntax";

/** One or two lines that may begin a table; a list's mark, a rule or an underline without anything after it; half a fence. */
const HALF_TABLE = /(?:^|\n)[ \t]*\|[^\n]*(?:\n[ \t]*\|?[ \t]*[-:][-:| \t]*)?$/;
const HALF_MARK = /(?:^|\n)[ \t>]*(?:[-*+=_#]+|\d{1,9}[.)]?|`{1,3}|~{1,3}|>|\[|\[\^[^\]\n]*|\[\^[^\]\n]*\])[ \t]*$/;
const FENCES = /^[ \t>]*(?:[-*+][ \t]+|\d{1,9}[.)][ \t]+)?(`{3,}|~{3,})/gm;
const DELIMITER_ROW = /^[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/m;
const HALF_FENCE = /\n[ \t]*(?:`{1,2}|~{1,2})$/;
const HALF_PICTURE = /!\[([^\]\n]*)(?:\]\([^)\n]*|\])?$/;
const HALF_EMPHASIS = /(^|\s)[*_~]{1,3}$/;
/** Longer ones are mended by their last line only: the cost of a word must not grow with the answer. */
const LONG_PARAGRAPH = 2000;
const REMEND = {
  linkMode: "text-only",
  images: false,
  htmlTags: false,
  katex: false,
  inlineKatex: false,
  comparisonOperators: false,
  singleTilde: false,
} as const;
const FORMULA_ENDS: [begin: string, end: string][] = [
  ["$$", "$$"],
  ["\\[", "\\]"],
  ["\\(", "\\)"],
];

function opensFormula(text: string): boolean {
  return FORMULA_ENDS.some(([begin, end]) => {
    const at = begin === end ? (text.split(begin).length % 2 === 0 ? text.lastIndexOf(begin) : -1) : text.lastIndexOf(begin);
    return at >= 0 && (begin === end || !text.includes(end, at)) && text.slice(at + begin.length).trim() !== "" && !insideCode(text, at);
  });
}

function insideCode(text: string, at: number): boolean {
  return text.slice(text.lastIndexOf("\n\n", at) + 1, at).split("`").length % 2 === 0;
}

/** What the last lines are a part of, as far as it matters here. */
function endsIn(text: string): "code" | "table" | "other" {
  let fence = "";
  for (const [, mark = ""] of text.matchAll(FENCES)) {
    if (fence === "") fence = mark;
    else if (mark.startsWith(fence)) fence = "";
  }
  if (fence !== "") return "code";
  const lines = text.slice(Math.max(0, text.lastIndexOf("\n\n")));
  return DELIMITER_ROW.test(lines) && lines.includes("|") && !HALF_TABLE.test(lines.trimStart()) ? "table" : "other";
}

export function mend(text: string): string {
  const kind = endsIn(text);
  // Code and formulas are shown as they come, but for half of the fence that ends code.
  if (kind === "code") return text.replace(HALF_FENCE, "");
  if (opensFormula(text)) return text + OPEN_END;
  let shown = text;
  if (kind !== "table") shown = shown.replace(HALF_TABLE, "");
  shown = shown.replace(HALF_MARK, "").replace(HALF_PICTURE, "$1").replace(HALF_EMPHASIS, "$1");
  // Marks open and close within a paragraph, an item or a row.
  const paragraph = shown.lastIndexOf("\n\n") + 1;
  const from = shown.length - paragraph > LONG_PARAGRAPH ? shown.lastIndexOf("\n") + 1 : paragraph;
  return shown.slice(0, from) + remend(shown.slice(from), REMEND);
}
