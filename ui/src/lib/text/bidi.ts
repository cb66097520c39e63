// Characters that reorder what stands around them without being seen: `safe \u202Egpj.exe` reads "safe exe.jpg".
// They are shown by their number instead of being obeyed. Marks that only help a script read right (U+200E, U+200F) stay.
const REORDERING = /[\u202A-\u202E\u2066-\u2069]/g;

export function withoutReordering(text: string): string {
  return text.replace(REORDERING, (character) => `⟦U+${character.charCodeAt(0).toString(16).toUpperCase()}⟧`);
}
