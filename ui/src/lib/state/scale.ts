// The context slider: from a small context to the largest by equal ratios, since memory and use go by doublings.
// Pure functions.

/** Contexts below this hold no conversation about a picture. */
export const LEAST_CONTEXT = 2048;
/** Stops within one doubling: an arrow key moves by about 9 %. */
const STOPS_PER_DOUBLING = 8;
/** Marks are at least so many doublings apart when there would be too many. */
const MOST_MARKS = 8;

export interface Scale {
  least: number;
  most: number;
  /** The last stop; the first is 0. */
  last: number;
}

/** The scale of a model that can hold `most` tokens; a tiny one begins below the usual least context. */
export function scaleTo(most: number): Scale {
  const top = Math.max(1, Math.floor(most));
  const least = top > LEAST_CONTEXT ? LEAST_CONTEXT : Math.max(1, Math.min(256, top));
  return { least, most: top, last: Math.ceil(Math.log2(top / least) * STOPS_PER_DOUBLING) };
}

/** Tokens at a stop, rounded to what people write; the ends are exact. */
export function tokensAt(scale: Scale, stop: number): number {
  if (stop <= 0) return scale.least;
  if (stop >= scale.last) return scale.most;
  const exact = scale.least * 2 ** (stop / STOPS_PER_DOUBLING);
  const grain = exact >= 16_384 ? 1024 : exact >= 2048 ? 256 : 16;
  return Math.min(scale.most, Math.max(scale.least, Math.round(exact / grain) * grain));
}

/** The stop nearest to so many tokens. */
export function stopOf(scale: Scale, tokens: number): number {
  const stop = Math.round(Math.log2(Math.max(1, tokens) / scale.least) * STOPS_PER_DOUBLING);
  return Math.min(scale.last, Math.max(0, stop));
}

/** Where tokens stand on the track, 0 to 1. */
export function shareOf(scale: Scale, tokens: number): number {
  if (scale.most === scale.least) return 0;
  const share = Math.log2(Math.max(1, tokens) / scale.least) / Math.log2(scale.most / scale.least);
  return Math.min(1, Math.max(0, share));
}

/** Contexts to write under the track: powers of two from the least on, and the largest. */
export function marks(scale: Scale): number[] {
  const doublings = Math.log2(scale.most / scale.least);
  const step = Math.max(1, Math.ceil(doublings / (MOST_MARKS - 1)));
  const result: number[] = [];
  // A mark too near the end would run into the last one.
  for (let at = 0; at < doublings - step * 0.6; at += step) result.push(scale.least * 2 ** at);
  return [...result, scale.most];
}
