// The Markdown that models write, as far as marked does not know it: formulas, footnotes, a few tags in pairs. HTML is no
// syntax here: it stays text, so nothing that was written is swallowed.
import { Lexer, Marked, type Token, type TokenizerExtension, type Tokens, type TokensList } from "marked";

/** A code point that never is a character; stands at the end of an answer that is still written, in place of the end of an open formula. */
export const OPEN_END = "\uFDD0";

const LABEL = String.raw`\[\^([^\]\s]{1,64})\]`;

const FOOTNOTE_BEGIN = new RegExp(String.raw`\n${LABEL}:`);

/** Where the line begins that `wanted` finds by the line end before it. */
function lineStart(source: string, wanted: RegExp): number | undefined {
  const at = source.search(wanted);
  return at < 0 ? undefined : at + 1;
}

const FORMULA_BLOCKS = [/^ {0,3}\$\$((?:(?!\$\$)[\s\S])+)(\$\$|\uFDD0)[ \t]*(?:\n|$)/, /^ {0,3}\\\[((?:(?!\\\])[\s\S])+)(\\\]|\uFDD0)[ \t]*(?:\n|$)/];

const formulaBlock: TokenizerExtension = {
  name: "formulaBlock",
  level: "block",
  // A formula on lines of its own ends the paragraph above it.
  start: (source) => lineStart(source, /\n {0,3}(?:\$\$|\\\[)/),
  tokenizer(source) {
    for (const pattern of FORMULA_BLOCKS) {
      const found = pattern.exec(source);
      if (found?.[1]?.trim()) return { type: "formulaBlock", raw: found[0], tex: found[1].trim(), open: found[2] === OPEN_END };
    }
    return undefined;
  },
};

// `$5 and $6` is money: no space inside the signs, and no digit after the last one.
const FORMULAS: { pattern: RegExp; display: boolean }[] = [
  { pattern: /^\$\$((?:(?!\$\$)[\s\S])+?)(\$\$|\uFDD0)/, display: true },
  { pattern: /^\$(?![\s$])((?:\\.|[^\\$\n])*?(?:\\.|[^\\$\s]))(\$)(?!\d)/, display: false },
  { pattern: /^\\\(((?:(?!\\\))[\s\S])+?)(\\\)|\uFDD0)/, display: false },
  { pattern: /^\\\[((?:(?!\\\])[\s\S])+?)(\\\]|\uFDD0)/, display: true },
];

function formulaAt(source: string): Tokens.Generic | undefined {
  for (const { pattern, display } of FORMULAS) {
    const found = pattern.exec(source);
    if (found?.[1]?.trim()) return { type: "formula", raw: found[0], tex: found[1].trim(), display, open: found[2] === OPEN_END };
  }
  return undefined;
}

const footnote: TokenizerExtension = {
  name: "footnote",
  level: "block",
  start: (source) => lineStart(source, FOOTNOTE_BEGIN),
  tokenizer(source) {
    const found = new RegExp(String.raw`^${LABEL}:[ \t]*([^\n]*(?:\n(?![ \t]*\n|[ \t]*$|${LABEL}:)[^\n]+)*)(?:\n|$)`).exec(source);
    const [raw, label, text] = found ?? [];
    if (raw === undefined || label === undefined || !text?.trim()) return undefined;
    return { type: "footnote", raw, label, tokens: this.lexer.inline(text.trim()) };
  },
  childTokens: ["tokens"],
};

const FOOTNOTE_MARK = new RegExp(`^${LABEL}`);
/** Only in pairs and without attributes: anything else of HTML is shown as it was written. */
const PAIR = /^<(sub|sup|kbd)>([^<>\n]+)<\/\1>/i;

/** One extension for all: each that is looked for makes every text slower. */
const inside: TokenizerExtension = {
  name: "inside",
  level: "inline",
  start(source) {
    const at = source.search(/\$|\\[([]|\[\^|<(?:sub|sup|kbd)>/i);
    return at < 0 ? undefined : at;
  },
  tokenizer(source) {
    if (source.startsWith("$") || source.startsWith("\\")) return formulaAt(source);
    const mark = source.startsWith("[") ? FOOTNOTE_MARK.exec(source) : null;
    if (mark) return { type: "footnoteMark", raw: mark[0], label: mark[1] };
    const [raw, tag, text] = (source.startsWith("<") && PAIR.exec(source)) || [];
    if (raw === undefined || tag === undefined || text === undefined) return undefined;
    return { type: "pair", raw, tag: tag.toLowerCase(), tokens: this.lexer.inlineTokens(text) };
  },
  childTokens: ["tokens"],
};

const marked = new Marked({ gfm: true, breaks: true }).use({
  extensions: [formulaBlock, footnote, inside],
  tokenizer: {
    html: () => undefined,
    tag: () => undefined,
    // "20~25 and 30~35" strikes nothing out.
    del: (source) => (source.startsWith("~~") ? false : undefined),
  },
});

export type Links = TokensList["links"];

/** The marks within lines that were read before: those of a long table or list are not read again for one more row. */
export class InlineMemory {
  #links = "";
  #before = new Map<string, readonly Token[]>();
  #now = new Map<string, readonly Token[]>();

  /** Only what the last reading used is kept, and only while the definitions are the same. */
  begin(links: Links): void {
    const signature = JSON.stringify(links);
    this.#before = signature === this.#links ? this.#now : new Map();
    this.#now = new Map();
    this.#links = signature;
  }

  get(source: string): readonly Token[] | undefined {
    const known = this.#now.get(source) ?? this.#before.get(source);
    if (known) this.#now.set(source, known);
    return known;
  }

  set(source: string, tokens: readonly Token[]): void {
    this.#now.set(source, tokens);
  }
}

class RememberingLexer extends Lexer {
  readonly #memory: InlineMemory;
  #inside = false;
  #begun = false;

  constructor(memory: InlineMemory) {
    super(marked.defaults);
    this.#memory = memory;
  }

  override inlineTokens(source: string, tokens: Token[] = []): Token[] {
    // What stands within other marks depends on them.
    if (this.#inside) return super.inlineTokens(source, tokens);
    // All blocks are known by now, and with them all definitions.
    if (!this.#begun) this.#memory.begin(this.tokens.links);
    this.#begun = true;
    const known = this.#memory.get(source);
    if (known) {
      tokens.push(...known);
      return tokens;
    }
    this.#inside = true;
    super.inlineTokens(source, tokens);
    this.#inside = false;
    this.#memory.set(source, [...tokens]);
    return tokens;
  }
}

/** `links` are the definitions that are known already; those of the source are added to them. */
export function lex(source: string, links: Links, memory = new InlineMemory()): Token[] {
  const lexer = new RememberingLexer(memory);
  lexer.tokens.links = links;
  return [...lexer.lex(source)];
}
