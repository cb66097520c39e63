//! A seeded generator, blocks of weights with awkward contents, and buffers with canaries around them.
#![allow(dead_code, reason = "each test program uses its part")]

use paddock_kernels::Format;

/// xorshift64*: enough for tests, and the same on every computer.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() >> 33) as usize % n
    }

    /// In -1..1.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub fn values(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.unit()).collect()
    }
}

/// Where the f16 scales of a block lie.
fn scale_places(format: Format) -> &'static [usize] {
    match format {
        Format::Q4_0 | Format::Q5_0 | Format::Q8_0 => &[0],
        Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K => &[0, 2],
        Format::Q6K => &[208],
        Format::F32 | Format::F16 | Format::BF16 => &[],
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Weights {
    Random,
    /// Every code byte the same: all bits, none, or the most negative.
    Bytes(u8),
    /// The smallest scales f16 has.
    Denormal,
    /// The largest.
    Huge,
    Zero,
}

pub fn weights(random: &mut Random, format: Format, n: usize, k: usize, kind: Weights) -> Vec<u8> {
    if format.is_dense() {
        let size = match kind {
            Weights::Random | Weights::Bytes(_) => 1.0,
            Weights::Denormal => 1e-7,
            Weights::Huge => 1e4,
            Weights::Zero => 0.0,
        };
        return (0..n * k)
            .flat_map(|_| {
                let x = random.unit() * size;
                match format {
                    Format::F32 => x.to_le_bytes().to_vec(),
                    Format::F16 => half::f16::from_f32(x).to_le_bytes().to_vec(),
                    _ => half::bf16::from_f32(x).to_le_bytes().to_vec(),
                }
            })
            .collect();
    }
    let bytes = format.block_bytes();
    let mut out = vec![0u8; format.row_bytes(k).expect("whole blocks") * n];
    for block in out.chunks_exact_mut(bytes) {
        for byte in block.iter_mut() {
            *byte = match kind {
                Weights::Bytes(byte) => byte,
                _ => random.bits() as u8,
            };
        }
        for &at in scale_places(format) {
            let scale = match kind {
                Weights::Random | Weights::Bytes(_) => random.unit() * 0.02,
                Weights::Denormal => 6e-8,
                Weights::Huge => 60000.0,
                Weights::Zero => 0.0,
            };
            block[at..at + 2].copy_from_slice(&half::f16::from_f32(scale).to_le_bytes());
        }
    }
    out
}

/// A buffer whose surroundings tell when something was written there.
pub struct Guarded<T> {
    all: Vec<T>,
    margin: usize,
    canary: T,
}

impl<T: Copy + PartialEq + std::fmt::Debug> Guarded<T> {
    pub fn new(inner: &[T], canary: T) -> Guarded<T> {
        // Odd, so that the inside is not aligned either.
        let margin = 67;
        let mut all = vec![canary; margin];
        all.extend_from_slice(inner);
        all.extend(std::iter::repeat_n(canary, margin));
        Guarded {
            all,
            margin,
            canary,
        }
    }

    pub fn inside(&mut self) -> &mut [T] {
        let end = self.all.len() - self.margin;
        &mut self.all[self.margin..end]
    }

    pub fn check(&self) {
        let end = self.all.len() - self.margin;
        assert!(
            self.all[..self.margin]
                .iter()
                .chain(&self.all[end..])
                .all(|x| *x == self.canary),
            "something was written outside the buffer"
        );
    }
}

/// Equal bits, any NaN counting as any other.
pub fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

pub fn assert_same(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!(same(*a, *b), "{what}: value {i} is {a:e}, expected {b:e}");
    }
}
