//! The scalar definition of the quantised blocks: what the bytes of a GGUF block mean, as unsigned (Q8_0: signed) codes
//! and one scale, and where the format has one a minimum, per group. Every kernel is tested against this.
//! Layouts follow ggml's `block_q*` structures (little-endian).

use crate::format::Format;
use half::f16;

/// One block taken apart: `weight[i] = scale[i / group] * (code[i] - zero) + minimum[i / 32]`.
pub(crate) struct Block {
    /// Codes as stored, without the zero point taken off. Of Q8_0 signed, of all others 0 to 63.
    pub codes: [i16; 256],
    /// One per group (`Format::group`). The product of a f16 and a six- or eight-bit integer: exact in f32.
    pub scales: [f32; 16],
    /// One per 32 weights, with its sign; 0 where the format has none.
    pub minima: [f32; 8],
}

fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// The six-bit scale and minimum number `j` (0 to 7) of the twelve bytes of a Q4_K or Q5_K block.
fn scale_min(packed: &[u8], j: usize) -> (u8, u8) {
    if j < 4 {
        (packed[j] & 63, packed[j + 4] & 63)
    } else {
        (
            (packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4),
            (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4),
        )
    }
}

impl Block {
    /// Takes one block of `format` apart. `bytes` is at least `format.block_bytes()` long.
    pub fn read(format: Format, bytes: &[u8]) -> Block {
        let mut block = Block {
            codes: [0; 256],
            scales: [0.0; 16],
            minima: [0.0; 8],
        };
        match format {
            Format::Q4_0 | Format::Q4_1 => {
                block.scales[0] = half_at(bytes, 0);
                let at = if format == Format::Q4_1 { 4 } else { 2 };
                block.nibbles(&bytes[at..at + 16], 0, 16);
                if format == Format::Q4_1 {
                    block.minima[0] = half_at(bytes, 2);
                }
            }
            Format::Q5_0 | Format::Q5_1 => {
                block.scales[0] = half_at(bytes, 0);
                let at = if format == Format::Q5_1 { 4 } else { 2 };
                block.nibbles(&bytes[at + 4..at + 20], 0, 16);
                let high =
                    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
                for i in 0..32 {
                    block.codes[i] |= (((high >> i) & 1) << 4) as i16;
                }
                if format == Format::Q5_1 {
                    block.minima[0] = half_at(bytes, 2);
                }
            }
            Format::Q8_0 => {
                block.scales[0] = half_at(bytes, 0);
                for i in 0..32 {
                    block.codes[i] = i16::from(bytes[2 + i] as i8);
                }
            }
            Format::Q4K | Format::Q5K => {
                let (d, dmin) = (half_at(bytes, 0), half_at(bytes, 2));
                let at = if format == Format::Q5K { 48 } else { 16 };
                for j in 0..8 {
                    let (scale, minimum) = scale_min(&bytes[4..16], j);
                    block.scales[j] = d * f32::from(scale);
                    block.minima[j] = -(dmin * f32::from(minimum));
                }
                for quarter in 0..4 {
                    block.nibbles(
                        &bytes[at + 32 * quarter..at + 32 * quarter + 32],
                        64 * quarter,
                        32,
                    );
                }
                if format == Format::Q5K {
                    for i in 0..256 {
                        block.codes[i] |= i16::from((bytes[16 + i % 32] >> (i / 32)) & 1) << 4;
                    }
                }
            }
            Format::Q6K => {
                let d = half_at(bytes, 208);
                for g in 0..16 {
                    block.scales[g] = d * f32::from(bytes[192 + g] as i8);
                }
                for i in 0..256 {
                    let (part, quarter, l) = (i / 128, i % 128 / 32, i % 32);
                    let low =
                        bytes[64 * part + 32 * (quarter & 1) + l] >> (4 * (quarter >> 1)) & 15;
                    let high = bytes[128 + 32 * part + l] >> (2 * quarter) & 3;
                    block.codes[i] = i16::from(low | high << 4);
                }
            }
            Format::F32 | Format::F16 | Format::BF16 => {
                unreachable!("a dense format has no blocks")
            }
        }
        block
    }

    /// Low nibbles to `at..`, high nibbles to `at + apart..`.
    fn nibbles(&mut self, bytes: &[u8], at: usize, apart: usize) {
        for (i, byte) in bytes.iter().enumerate() {
            self.codes[at + i] = i16::from(byte & 15);
            self.codes[at + apart + i] = i16::from(byte >> 4);
        }
    }
}

/// The weights of one row as f32.
pub fn dequantise_row(format: Format, row: &[u8], out: &mut [f32]) {
    match format {
        Format::F32 => {
            for (out, bytes) in out.iter_mut().zip(row.chunks_exact(4)) {
                *out = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
        }
        Format::F16 => {
            for (out, bytes) in out.iter_mut().zip(row.chunks_exact(2)) {
                *out = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
            }
        }
        Format::BF16 => {
            for (out, bytes) in out.iter_mut().zip(row.chunks_exact(2)) {
                *out = f32::from_bits(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])) << 16);
            }
        }
        _ => {
            let (len, group, zero) = (format.block_len(), format.group(), format.zero());
            for (out, bytes) in out
                .chunks_exact_mut(len)
                .zip(row.chunks_exact(format.block_bytes()))
            {
                let block = Block::read(format, bytes);
                for (i, out) in out.iter_mut().enumerate() {
                    *out = block.scales[i / group] * (i32::from(block.codes[i]) - zero) as f32
                        + block.minima[i / 32];
                }
            }
        }
    }
}
