"""Makes the pictures that are timed, always the same ones: python make.py FOLDER

A scene of 4000 x 3000 pixels with what photographs have: broad gradients, edges at all angles, texture, and the noise of a
sensor. Written as JPEG (quality 85, 4:2:0) upright and sideways, as HEIC and AVIF, and nine times over as a PNG of 108
megapixels.

Outside: timing (compare.mjs).
"""

import sys
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

WIDTH, HEIGHT = 4000, 3000


def scene() -> np.ndarray:
    draw = np.random.default_rng(12)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    sky = np.stack([90 + 60 * y / HEIGHT, 130 + 50 * y / HEIGHT, 210 - 60 * y / HEIGHT], axis=-1)
    # Hills and objects: flat colours with sharp borders
    for colour in draw.integers(20, 220, (60, 3)):
        centre_x, centre_y = draw.uniform(0, WIDTH), draw.uniform(HEIGHT / 4, HEIGHT)
        angle, long, wide = draw.uniform(0, np.pi), draw.uniform(60, 600), draw.uniform(30, 250)
        along = (x - centre_x) * np.cos(angle) + (y - centre_y) * np.sin(angle)
        across = (y - centre_y) * np.cos(angle) - (x - centre_x) * np.sin(angle)
        sky[(along / long) ** 2 + (across / wide) ** 2 < 1] = colour
    # Leaves and cloth: waves of some pixels in the lower half, and noise everywhere
    texture = 24 * np.sin(x / 3.1 + 4 * np.sin(y / 41)) * np.sin(y / 2.7 + 3 * np.sin(x / 53))
    grain = draw.normal(0, 8, (HEIGHT, WIDTH)).astype(np.float32)
    sky += (texture * np.clip(2.5 * y / HEIGHT - 0.6, 0, 1) + grain)[..., None]
    return np.clip(sky, 0, 255).round().astype(np.uint8)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    pixels = scene()
    image = Image.fromarray(pixels)
    image.save(folder / "photo.jpg", quality=85, subsampling="4:2:0")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "sideways.jpg", quality=85, subsampling="4:2:0", exif=exif)
    image.save(folder / "photo.avif", quality=75, speed=8)
    pillow_heif.register_heif_opener()
    image.save(folder / "photo.heic", quality=60, enc_params={"preset": "veryfast"})
    # The last, because its being there tells that all are.
    Image.fromarray(np.tile(pixels, (3, 3, 1))).save(folder / "large.part", format="PNG", compress_level=1)
    (folder / "large.part").rename(folder / "large.png")
