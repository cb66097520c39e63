//! A large baseline JPEG, its upper and its lower part decoded at the same time.
//!
//! Outside: everything but one interleaved scan of three components without restarts, which is what cameras write; the rest
//! is decoded in one go, and so is a file with anything odd in it, so that its reason is the usual one.
//!
//! Where the lower part begins in the coded bits can only be found by reading the upper one. But reading is quick: lengths
//! of codes are looked up, values skipped, and nothing is calculated of them except the three running brightnesses (DC
//! predictors, ITU-T T.81 F.2.1.3.1). So while one thread decodes the upper part, the other reads over it and then decodes
//! the lower one as a file of its own: the header with another height, a row of made-up blocks that bring the predictors to
//! where they have to be and the bits to a byte's border, and the rest of the file as it is. The two parts overlap by what
//! the upsampling of colours looks at beyond a row, so every pixel is what decoding in one go gives.

use turbojpeg::{Decompressor, Image, PixelFormat};

use super::huffman::{BitWriter, Bits, Codes, END_OF_BLOCK, size_of_value};
use crate::{ImageSize, jpeg};

/// Smaller pictures are not worth a thread. What a fuzzer makes is small.
const MIN_PIXELS: u64 = if cfg!(fuzzing) { 1 } else { 1 << 20 };

/// Share of the upper part in percent: reading over it costs about a quarter of decoding it.
const UPPER_PERCENT: usize = 61;

/// Rows that upsampling looks at below a part, for a sampling factor of at most 2.
const CONTEXT_ROWS: usize = 2;

/// 8-bit RGB pixels of a whole JPEG file of `size`, row by row; `None` if it has to be decoded in one go.
pub(super) fn decode(bytes: &[u8], size: ImageSize) -> Option<Vec<u8>> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    if size.pixels() < MIN_PIXELS || cores < 2 {
        return None;
    }
    halves(bytes)
}

fn halves(bytes: &[u8]) -> Option<Vec<u8>> {
    let scan = Scan::of(bytes)?;
    let split = scan.mcu_rows * UPPER_PERCENT / 100;
    // A made-up row and one that is decoded twice go before the lower part.
    let (upper_rows, spare_rows) = (split * scan.mcu_px, 2 * scan.mcu_px);
    if split < 2 || upper_rows + CONTEXT_ROWS > scan.height {
        return None;
    }
    let pitch = scan.width * 3;
    let upper_length = (upper_rows + CONTEXT_ROWS) * pitch;
    let mut pixels = vec![0; upper_length + (spare_rows + scan.height - upper_rows) * pitch];
    let (upper, lower) = pixels.split_at_mut(upper_length);
    std::thread::scope(|scope| {
        let below = std::thread::Builder::new().spawn_scoped(scope, || {
            let file = scan.lower_file(bytes, split - 1)?;
            part(&file, scan.width, lower).ok()
        });
        let below = below.ok()?;
        let above = scan.with_height(&bytes[..scan.data_at], upper_rows + CONTEXT_ROWS);
        let above = above.and_then(|mut file| {
            file.extend_from_slice(&bytes[scan.data_at..]);
            match part(&file, scan.width, upper) {
                Ok(()) => Some(()),
                // The lower part, which it does not want. libjpeg tells the first oddity, so there is no other.
                Err(problem) => problem
                    .to_string()
                    .contains("extraneous bytes before marker")
                    .then_some(()),
            }
        });
        let below = below.join().ok()?;
        above.and(below)
    })?;
    pixels.copy_within(upper_length + spare_rows * pitch.., upper_rows * pitch);
    pixels.truncate(scan.height * pitch);
    Some(pixels)
}

fn part(file: &[u8], width: usize, pixels: &mut [u8]) -> turbojpeg::Result<()> {
    let pitch = width * 3;
    Decompressor::new()?.decompress(
        file,
        Image {
            height: pixels.len() / pitch,
            pixels,
            width,
            pitch,
            format: PixelFormat::RGB,
        },
    )
}

/// What the header says, as far as it is needed to read over the coded blocks.
struct Scan {
    width: usize,
    height: usize,
    /// Where the frame header has the height.
    height_at: usize,
    /// Where the coded data begin.
    data_at: usize,
    /// Rows of pixels in a row of MCUs.
    mcu_px: usize,
    mcu_rows: usize,
    mcus_a_row: usize,
    /// The component of each block of an MCU.
    blocks: Vec<usize>,
    components: [Component; 3],
}

#[derive(Default)]
struct Component {
    id: u8,
    across: usize,
    down: usize,
    dc: Codes,
    ac: Codes,
}

impl Scan {
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut components: [Component; 3] = Default::default();
        let mut tables: [[Codes; 4]; 2] = Default::default();
        let mut frame = None;
        let mut at = 2;
        loop {
            let marker = jpeg::next_marker(bytes, &mut at)?;
            let body_at = at + 2;
            let body = jpeg::segment(bytes, &mut at)?;
            match marker {
                0xC0 | 0xC1 if frame.is_none() => {
                    let &[8, h1, h0, w1, w0, 3, ref rest @ ..] = body else {
                        return None;
                    };
                    for (component, &[id, factors, _]) in
                        components.iter_mut().zip(rest.as_chunks::<3>().0)
                    {
                        component.id = id;
                        component.across = usize::from(factors >> 4);
                        component.down = usize::from(factors & 15);
                    }
                    let side = |high, low| usize::from(u16::from_be_bytes([high, low]));
                    frame = Some((body_at + 1, side(w1, w0), side(h1, h0)));
                }
                0xC4 => read_tables(body, &mut tables)?,
                // Other frames, restarts, another way of telling the height, and the end
                0xC0..=0xCF | 0xDC | 0xD0..=0xD9 => return None,
                0xDD if body != [0, 0] => return None,
                0xDA => {
                    let &[3, ref rest @ ..] = body else {
                        return None;
                    };
                    let (selected, spectrum) = rest.split_at_checked(6)?;
                    if spectrum != [0, 63, 0] {
                        return None;
                    }
                    for (component, &[id, chosen]) in
                        components.iter_mut().zip(selected.as_chunks::<2>().0)
                    {
                        if component.id != id {
                            return None;
                        }
                        component.dc = tables[0].get(usize::from(chosen >> 4))?.clone();
                        component.ac = tables[1].get(usize::from(chosen & 15))?.clone();
                    }
                    break;
                }
                _ => {}
            }
        }
        let (height_at, width, height) = frame?;
        let [luma, first, second] = &components;
        let plain = |chroma: &Component| (chroma.across, chroma.down) == (1, 1);
        let sampled = (1..=2).contains(&luma.across) && (1..=2).contains(&luma.down);
        if !sampled || !plain(first) || !plain(second) || width == 0 || height == 0 {
            return None;
        }
        let mut blocks = vec![0; luma.across * luma.down];
        blocks.extend([1, 2]);
        Some(Self {
            width,
            height,
            height_at,
            data_at: at,
            mcu_px: 8 * luma.down,
            mcu_rows: height.div_ceil(8 * luma.down),
            mcus_a_row: width.div_ceil(8 * luma.across),
            blocks,
            components,
        })
    }

    fn with_height(&self, header: &[u8], height: usize) -> Option<Vec<u8>> {
        let mut header = header.to_vec();
        let field = header.get_mut(self.height_at..self.height_at + 2)?;
        field.copy_from_slice(&u16::try_from(height).ok()?.to_be_bytes());
        Some(header)
    }

    /// A file of the rows of MCUs from `first` on, under a made-up row.
    fn lower_file(&self, bytes: &[u8], first: usize) -> Option<Vec<u8>> {
        let mut bits = Bits::new(bytes.get(self.data_at..)?);
        let mut predictors = [0; 3];
        for _ in 0..first * self.mcus_a_row {
            for &component in &self.blocks {
                let Component { dc, ac, .. } = &self.components[component];
                predictors[component] += read_over_block(&mut bits, dc, ac)?;
            }
        }
        let height = self.mcu_px + self.height.checked_sub(first * self.mcu_px)?;
        let mut out = BitWriter::after(self.with_height(&bytes[..self.data_at], height)?);
        out.file.reserve(bytes.len() + 4096);
        self.write_made_up_row(&mut out, predictors, bits.count)?;
        // What was loaded but not read ends at a byte's border, behind which the file is taken as it is.
        let (high, low) = ((bits.loaded >> 32) as u32, bits.loaded as u32);
        let (in_high, in_low) = (bits.count.min(32), bits.count.saturating_sub(32));
        out.put(high.checked_shr(32 - in_high).unwrap_or(0), in_high);
        out.put(low.checked_shr(32 - in_low).unwrap_or(0), in_low);
        debug_assert_eq!(out.count, 0);
        out.file.extend_from_slice(&bits.data[bits.at..]);
        Some(out.file)
    }

    /// Flat blocks whose differences add up to `predictors`, in so many bits that `following` more end a byte.
    fn write_made_up_row(
        &self,
        out: &mut BitWriter,
        mut predictors: [i32; 3],
        following: u32,
    ) -> Option<()> {
        let mut steps = Vec::with_capacity(self.mcus_a_row * self.blocks.len());
        let mut bits = following;
        for _ in 0..self.mcus_a_row {
            for &component in &self.blocks {
                let Component { dc, ac, .. } = &self.components[component];
                let step = dc.step_towards(predictors[component])?;
                predictors[component] -= step;
                bits += dc.code(size_of_value(step))?.length
                    + u32::from(size_of_value(step))
                    + ac.code(END_OF_BLOCK)?.length;
                steps.push((component, step));
            }
        }
        if predictors != [0; 3] {
            return None;
        }
        // Some other values in the first block fill the bits up.
        let missing = bits.wrapping_neg() % 8;
        let (filler, times) = self.components[0].ac.filler(missing)?;
        for (index, (component, step)) in steps.into_iter().enumerate() {
            let Component { dc, ac, .. } = &self.components[component];
            let size = size_of_value(step);
            out.put_code(dc.code(size)?);
            // T.81 F.1.2.1.1: negative values are one less than their lower bits.
            let value = if step < 0 { step - 1 } else { step };
            out.put(value as u32 & ((1 << size) - 1), size.into());
            if index == 0 {
                for _ in 0..times {
                    out.put_code(ac.code(filler)?);
                    out.put(0, (filler & 15).into());
                }
            }
            out.put_code(ac.code(END_OF_BLOCK)?);
        }
        Some(())
    }
}

/// Reads the bits of one block; its DC difference.
fn read_over_block(bits: &mut Bits<'_>, dc: &Codes, ac: &Codes) -> Option<i32> {
    bits.load();
    let size = u32::from(dc.read(bits)?);
    // Eight-bit samples have no larger ones (T.81 table F.1).
    if size > 11 {
        return None;
    }
    let mut difference = 0;
    if size > 0 {
        let raw = bits.peek(size) as i32;
        bits.skip(size)?;
        difference = if raw >> (size - 1) == 0 {
            raw - (1 << size) + 1
        } else {
            raw
        };
    }
    ac.read_over_values(bits)?;
    Some(difference)
}

fn read_tables(mut body: &[u8], tables: &mut [[Codes; 4]; 2]) -> Option<()> {
    while let Some((&kind, rest)) = body.split_first() {
        let (counts, rest) = rest.split_first_chunk::<16>()?;
        let total = counts.iter().map(|&count| usize::from(count)).sum();
        let (symbols, rest) = rest.split_at_checked(total)?;
        let table = tables
            .get_mut(usize::from(kind >> 4))?
            .get_mut(usize::from(kind & 15))?;
        *table = Codes::new(counts, symbols)?;
        body = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use turbojpeg::{Compressor, Subsamp};

    /// Shapes and noise from xorshift.
    fn picture(width: usize, height: usize, noise: u32) -> Vec<u8> {
        let mut state = 0x9E37_79B9_u32;
        (0..width * height * 3)
            .map(|at| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let (x, y) = (at / 3 % width, at / 3 / width);
                let shape = if (x / 37 + y / 23) % 3 == at % 3 {
                    200
                } else {
                    10
                };
                (shape + (x * 40 / width) as u32 + state % (noise + 1)).min(255) as u8
            })
            .collect()
    }

    fn coded(
        (width, height): (usize, usize),
        noise: u32,
        quality: i32,
        subsamp: Subsamp,
        optimize: bool,
    ) -> Vec<u8> {
        let mut compressor = Compressor::new().unwrap();
        compressor.set_quality(quality).unwrap();
        compressor.set_subsamp(subsamp).unwrap();
        compressor.set_optimize(optimize).unwrap();
        let pixels = picture(width, height, noise);
        compressor
            .compress_to_vec(Image {
                pixels: pixels.as_slice(),
                width,
                pitch: width * 3,
                height,
                format: PixelFormat::RGB,
            })
            .unwrap()
    }

    fn in_one_go(file: &[u8]) -> Option<Vec<u8>> {
        let header = turbojpeg::read_header(file).ok()?;
        let mut pixels = vec![0; header.width * header.height * 3];
        part(file, header.width, &mut pixels).ok()?;
        Some(pixels)
    }

    #[test]
    fn two_halves_are_the_whole() {
        let mut split = 0;
        for size in [
            (64, 64),
            (97, 131),
            (256, 200),
            (333, 95),
            (17, 400),
            (640, 479),
        ] {
            for subsamp in [
                Subsamp::None,
                Subsamp::Sub2x1,
                Subsamp::Sub2x2,
                Subsamp::Sub1x2,
            ] {
                for (noise, quality, optimize) in [
                    (0, 30, true),
                    (60, 85, false),
                    (200, 100, true),
                    (9, 75, false),
                ] {
                    let file = coded(size, noise, quality, subsamp, optimize);
                    let whole = in_one_go(&file).unwrap();
                    if let Some(halves) = halves(&file) {
                        split += 1;
                        assert!(halves == whole, "{size:?} {subsamp:?} {noise} {quality}");
                    }
                }
            }
        }
        // Only the smallest, and codes made for a picture that lack what is needed, are left.
        assert!(split > 70, "{split}");
    }

    #[test]
    fn what_is_odd_is_left_to_the_usual_way() {
        let file = coded((256, 200), 40, 80, Subsamp::Sub2x2, false);
        let mut state = 7_u32;
        for _ in 0..3000 {
            let mut damaged = file.clone();
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (state >> 8) as usize % damaged.len();
            damaged[at] ^= 1 << (state & 7);
            if state & 0x80 != 0 {
                damaged.truncate((state >> 8) as usize % damaged.len());
            }
            if let Some(halves) = halves(&damaged) {
                assert!(in_one_go(&damaged).as_ref() == Some(&halves), "byte {at}");
            }
        }
        let mut compressor = Compressor::new().unwrap();
        compressor.set_progressive(true).unwrap();
        let pixels = picture(128, 128, 10);
        let image = Image {
            pixels: pixels.as_slice(),
            width: 128,
            pitch: 384,
            height: 128,
            format: PixelFormat::RGB,
        };
        assert!(halves(&compressor.compress_to_vec(image).unwrap()).is_none());
    }
}
