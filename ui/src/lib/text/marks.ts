// Where the words that were searched for stand in a text.
export interface Part {
  text: string;
  hit: boolean;
}

export function marked(text: string, query: string): Part[] {
  const words = query.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [{ text, hit: false }];
  const any = new RegExp(`(${words.map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "giu");
  // A pattern with one group gives what is between the hits at even places, and the hits at odd ones.
  return text
    .split(any)
    .map((part, place) => ({ text: part, hit: place % 2 === 1 }))
    .filter((part) => part.text !== "");
}

/** Whether every word of the query stands in the text, in any order. */
export function holdsWords(text: string, query: string): boolean {
  const plain = text.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => plain.includes(word));
}
