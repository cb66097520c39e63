// Some models think aloud in their text: `<think>…</think>` before the answer. Only at the very beginning; a tag that is
// written about later is text.
export interface Thought {
  thinking: string;
  answer: string;
  /** It has not ended yet. */
  open: boolean;
}

const BEGIN = /^\s*<(think|thinking)>/i;

export function splitThinking(text: string): Thought {
  const begin = BEGIN.exec(text);
  if (!begin) return { thinking: "", answer: text, open: false };
  const rest = text.slice(begin[0].length);
  const end = rest.toLowerCase().indexOf(`</${begin[1]?.toLowerCase() ?? ""}>`);
  if (end < 0) return { thinking: rest.trim(), answer: "", open: true };
  return { thinking: rest.slice(0, end).trim(), answer: rest.slice(rest.indexOf(">", end) + 1).trimStart(), open: false };
}
