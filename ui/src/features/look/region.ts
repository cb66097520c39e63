// A part of a picture, in shares of its width and height. Pure.
export interface Region {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Smaller than this share of an edge it was a click, not a rectangle. */
const LEAST = 0.01;

export const MIDDLE: Region = { left: 0.25, top: 0.25, width: 0.5, height: 0.5 };

const inside = (share: number): number => Math.min(Math.max(share, 0), 1);

/** The rectangle between two corners, held inside the picture. */
export function between(a: { x: number; y: number }, b: { x: number; y: number }): Region {
  const [left, right] = [inside(Math.min(a.x, b.x)), inside(Math.max(a.x, b.x))];
  const [top, bottom] = [inside(Math.min(a.y, b.y)), inside(Math.max(a.y, b.y))];
  return { left, top, width: right - left, height: bottom - top };
}

export function isRectangle(region: Region): boolean {
  return region.width >= LEAST && region.height >= LEAST;
}

export function moved(region: Region, dx: number, dy: number): Region {
  return {
    ...region,
    left: Math.min(Math.max(region.left + dx, 0), 1 - region.width),
    top: Math.min(Math.max(region.top + dy, 0), 1 - region.height),
  };
}

export function resized(region: Region, dx: number, dy: number): Region {
  return {
    ...region,
    width: Math.min(Math.max(region.width + dx, LEAST), 1 - region.left),
    height: Math.min(Math.max(region.height + dy, LEAST), 1 - region.top),
  };
}
