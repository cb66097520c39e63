// The sample pictures as the simulated backend serves them, under ids of their own.
import redCircle from "../../../src-tauri/resources/samples/red-circle.png";
import shapes from "../../../src-tauri/resources/samples/shapes.png";
import squareAndStar from "../../../src-tauri/resources/samples/square-and-star.png";
import type { Attachment, ImageRef } from "../lib/ipc";

const SOURCES: Record<string, string> = { "red-circle": redCircle, "square-and-star": squareAndStar, shapes };
const SIZE = { widthPx: 336, heightPx: 336 };

/** An id is the name filled up to the 64 digits of a real one. */
function idOf(name: string): string {
  return name.padEnd(64, "0");
}

export function picture(name: string): Attachment {
  return { id: idOf(name), name: `${name}.png`, format: "PNG", stored: SIZE, upright: SIZE, bytes: 4200, notes: [], alt: null, pages: null };
}

export function reference(id: string): ImageRef {
  return { id, name: `${nameOf(id)}.png`, size: SIZE, alt: null };
}

export function nameOf(id: string): string {
  return id.replace(/0+$/, "");
}

export function address(id: string): string {
  return SOURCES[nameOf(id)] ?? redCircle;
}
