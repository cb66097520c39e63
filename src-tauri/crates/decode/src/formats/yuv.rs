//! Luma and chroma planes to RGB.
//!
//! Outside: what the RGB values mean (see `colour`).
//!
//! Source: ITU-T H.273, 8.3 (matrix coefficients) and 8.7 (chroma positions; the centre is assumed, as libavif does).

/// How much smaller the chroma planes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subsampling {
    /// No chroma.
    Gray,
    /// 4:4:4.
    Full,
    /// 4:2:2.
    Half,
    /// 4:2:0.
    Quarter,
}

impl Subsampling {
    pub const fn chroma_size(self, width: usize, height: usize) -> (usize, usize) {
        match self {
            Self::Gray => (0, 0),
            Self::Full => (width, height),
            Self::Half => (width.div_ceil(2), height),
            Self::Quarter => (width.div_ceil(2), height.div_ceil(2)),
        }
    }
}

/// One picture in planes, samples in the low `bits` bits.
pub(super) struct Planes {
    pub width: usize,
    pub height: usize,
    pub bits: u8,
    pub subsampling: Subsampling,
    pub luma: Vec<u16>,
    pub chroma: [Vec<u16>; 2],
    /// H.273 matrix coefficients.
    pub matrix: u16,
    pub full_range: bool,
}

impl Planes {
    /// An empty picture of the same kind as `like`.
    pub fn empty(width: usize, height: usize, like: &Self) -> Self {
        let (chroma_width, chroma_height) = like.subsampling.chroma_size(width, height);
        let chroma = vec![0; chroma_width * chroma_height];
        Self {
            width,
            height,
            luma: vec![0; width * height],
            chroma: [chroma.clone(), chroma],
            ..*like_header(like)
        }
    }

    /// Copies `tile` to `x`, `y`, cutting off what sticks out. `None` if it is of another kind or begins outside.
    pub fn place(&mut self, tile: &Self, x: usize, y: usize) -> Option<()> {
        let same = (self.bits, self.subsampling) == (tile.bits, tile.subsampling);
        if !same || x >= self.width || y >= self.height {
            return None;
        }
        copy(
            &mut self.luma,
            (self.width, self.height),
            &tile.luma,
            (tile.width, tile.height),
            (x, y),
        );
        let size = self.subsampling.chroma_size(self.width, self.height);
        let tile_size = tile.subsampling.chroma_size(tile.width, tile.height);
        let at = match self.subsampling {
            Subsampling::Gray => return Some(()),
            Subsampling::Full => (x, y),
            Subsampling::Half => (x / 2, y),
            Subsampling::Quarter => (x / 2, y / 2),
        };
        for (plane, tile) in self.chroma.iter_mut().zip(&tile.chroma) {
            copy(plane, size, tile, tile_size, at);
        }
        Some(())
    }

    /// Luma at a place, 0 to 1.
    pub fn luma(&self, x: usize, y: usize) -> f32 {
        let value = f32::from(self.luma[y * self.width + x]);
        let unit = f32::from(1u16 << (self.bits - 8));
        if self.full_range {
            value / f32::from((1u16 << self.bits) - 1)
        } else {
            (value - 16.0 * unit) / (219.0 * unit)
        }
    }

    /// Chroma sample `c` (0 for blue, 1 for red) at a luma place, about -0.5 to 0.5, blended from its neighbours.
    fn chroma(&self, c: usize, x: usize, y: usize) -> f32 {
        let (width, height) = self.subsampling.chroma_size(self.width, self.height);
        let sample = |x: usize, y: usize| f32::from(self.chroma[c][y * width + x]);
        // A chroma sample lies in the middle of the luma samples it stands for: 3/4 of the nearer, 1/4 of the other.
        let near = |at: usize, length: usize| {
            let near = at / 2;
            let other = if at.is_multiple_of(2) {
                near.saturating_sub(1)
            } else {
                (near + 1).min(length - 1)
            };
            (near, other)
        };
        let value = match self.subsampling {
            Subsampling::Gray => return 0.0,
            Subsampling::Full => sample(x, y),
            Subsampling::Half => {
                let (near, other) = near(x, width);
                0.75 * sample(near, y) + 0.25 * sample(other, y)
            }
            Subsampling::Quarter => {
                let ((x0, x1), (y0, y1)) = (near(x, width), near(y, height));
                let upper = 0.75 * sample(x0, y0) + 0.25 * sample(x1, y0);
                let lower = 0.75 * sample(x0, y1) + 0.25 * sample(x1, y1);
                0.75 * upper + 0.25 * lower
            }
        };
        let middle = f32::from(1u16 << (self.bits - 1));
        let unit = f32::from(1u16 << (self.bits - 8));
        (value - middle)
            / if self.full_range {
                f32::from((1u16 << self.bits) - 1)
            } else {
                224.0 * unit
            }
    }
}

/// The parts of a picture that are not pixels.
fn like_header(like: &Planes) -> Box<Planes> {
    let Planes {
        bits,
        subsampling,
        matrix,
        full_range,
        ..
    } = *like;
    Box::new(Planes {
        width: 0,
        height: 0,
        bits,
        subsampling,
        luma: Vec::new(),
        chroma: [Vec::new(), Vec::new()],
        matrix,
        full_range,
    })
}

fn copy(
    to: &mut [u16],
    (width, height): (usize, usize),
    from: &[u16],
    size: (usize, usize),
    (x, y): (usize, usize),
) {
    let length = size.0.min(width.saturating_sub(x));
    for row in 0..size.1.min(height.saturating_sub(y)) {
        let target = (y + row) * width + x;
        to[target..target + length].copy_from_slice(&from[row * size.0..row * size.0 + length]);
    }
}

/// How luma and chroma mix.
pub(super) struct Weights {
    red: f32,
    blue: f32,
    identity: bool,
}

impl Weights {
    pub fn new(planes: &Planes) -> Self {
        let (red, blue) = match planes.matrix {
            1 => (0.2126, 0.0722),
            4 => (0.30, 0.11),
            7 => (0.212, 0.087),
            9 | 10 => (0.2627, 0.0593),
            _ => (0.299, 0.114),
        };
        Self {
            red,
            blue,
            identity: planes.matrix == 0 && planes.subsampling == Subsampling::Full,
        }
    }

    /// Red, green and blue at a place, 0 to 1 (a little beyond for colours that do not exist).
    pub fn rgb(&self, planes: &Planes, x: usize, y: usize) -> [f32; 3] {
        let luma = planes.luma(x, y);
        if planes.subsampling == Subsampling::Gray {
            return [luma; 3];
        }
        let (u, v) = (planes.chroma(0, x, y), planes.chroma(1, x, y));
        if self.identity {
            // Green, blue and red in the places of luma and the chromas
            return [v + 0.5, luma, u + 0.5];
        }
        let red = luma + 2.0 * (1.0 - self.red) * v;
        let blue = luma + 2.0 * (1.0 - self.blue) * u;
        let green = (luma - self.red * red - self.blue * blue) / (1.0 - self.red - self.blue);
        [red, green, blue]
    }
}
