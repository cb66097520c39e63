// Some models think aloud in their text: `<think>…</think>` before the answer. Only at the very beginning; a tag that is
// written about later is text.
export interface Thought {
  thinking: string;
  answer: string;
  /** It has not ended yet. */
  open: boolean;
}

/** Half a tag at the end of what was written so far. */
const HALF_BEGIN = /^\s*<(?:t(?:h(?:i(?:n(?:k(?:i(?:n(?:g)?)?)?)?)?)?)?)?$/i;
const HALF_END = /<(?:\/[a-z]*)?$/i;
const BEGIN = /^\s*<(think|thinking)>/i;

/** `growing`: more will come, and half a tag is not shown. */
export function splitThinking(text: string, growing = false): Thought {
  if (growing && HALF_BEGIN.test(text)) return { thinking: "", answer: "", open: true };
  const begin = BEGIN.exec(text);
  if (!begin) return { thinking: "", answer: text, open: false };
  const rest = text.slice(begin[0].length);
  const end = rest.toLowerCase().indexOf(`</${begin[1]?.toLowerCase() ?? ""}>`);
  if (end < 0) return { thinking: (growing ? rest.replace(HALF_END, "") : rest).trim(), answer: "", open: true };
  return { thinking: rest.slice(0, end).trim(), answer: rest.slice(rest.indexOf(">", end) + 1).trimStart(), open: false };
}
