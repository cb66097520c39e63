// Zoom and pan of a picture in a window. Pure; a view maps picture pixels to screen pixels.
export interface View {
  /** Screen pixels for each picture pixel. */
  scale: number;
  /** Where the picture's centre is, from the middle of the screen, in screen pixels. */
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

const MOST = 16;

/** The whole picture, never enlarged beyond four times (small pictures stay recognisable as small). */
export function fit(picture: Size, screen: Size): View {
  const scale = Math.min(screen.width / picture.width, screen.height / picture.height, 4);
  return { scale: Number.isFinite(scale) && scale > 0 ? scale : 1, x: 0, y: 0 };
}

/** Zooms by `factor` around a point given from the middle of the screen: what is under it stays under it. */
export function zoom(view: View, factor: number, at: { x: number; y: number }, least: number): View {
  const scale = Math.min(Math.max(view.scale * factor, least), Math.max(MOST, least));
  const real = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * real, y: at.y - (at.y - view.y) * real };
}

/** Keeps the picture on the screen: its edge cannot be dragged past the middle. */
export function hold(view: View, picture: Size): View {
  const halfWidth = (picture.width * view.scale) / 2;
  const halfHeight = (picture.height * view.scale) / 2;
  return { ...view, x: Math.min(Math.max(view.x, -halfWidth), halfWidth), y: Math.min(Math.max(view.y, -halfHeight), halfHeight) };
}
