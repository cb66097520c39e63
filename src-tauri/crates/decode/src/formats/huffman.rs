//! Huffman-coded data of a JPEG file: tables, reading bits, writing bits.
//!
//! Outside: what the values mean (see `jpeg_halves.rs`). Source: ITU-T T.81.

/// How many bits the value takes (T.81 table F.1).
pub(super) fn size_of_value(value: i32) -> u8 {
    (32 - value.unsigned_abs().leading_zeros()) as u8
}

pub(super) const END_OF_BLOCK: u8 = 0;

/// Places that the end of a block moves on: more than any value does.
const TO_THE_END: u8 = 128;

/// T.81 F.1.2.2: bits of the value behind the code of an AC `symbol`, and places from one value to the next.
fn value(symbol: u8) -> (u8, u8) {
    match (symbol >> 4, symbol & 15) {
        (15, 0) => (0, 16),
        (_, 0) => (0, TO_THE_END),
        (zeros, size) => (size, zeros + 1),
    }
}

/// Codes of up to so many bits are looked up at once.
const QUICK_BITS: u32 = 11;

/// A table of Huffman codes.
#[derive(Clone, Default)]
pub(super) struct Codes {
    /// By the next [`QUICK_BITS`] bits: length and symbol; 0 if the code is longer.
    quick: Vec<u16>,
    /// The same for reading over AC values: bits with the value behind the code, and places it moves on.
    over: Vec<(u8, u8)>,
    /// By length: the first code of it, their number, and where their symbols are.
    lengths: [(u32, u32, usize); 17],
    symbols: Vec<u8>,
    /// By symbol; length 0 if there is none.
    codes: Vec<Code>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Code {
    pub bits: u32,
    pub length: u32,
}

impl Codes {
    /// T.81 annex C: `counts` of codes by length from 1 to 16.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            quick: vec![0; 1 << QUICK_BITS],
            over: vec![(0, 0); 1 << QUICK_BITS],
            symbols: symbols.to_vec(),
            codes: vec![Code::default(); 256],
            ..Self::default()
        };
        let (mut bits, mut index) = (0_u32, 0);
        for (length, &count) in (1..=16_u32).zip(counts) {
            table.lengths[length as usize] = (bits, count.into(), index);
            for _ in 0..count {
                let symbol = *symbols.get(index)?;
                if bits >= 1 << length {
                    return None;
                }
                table.codes[usize::from(symbol)] = Code { bits, length };
                if length <= QUICK_BITS {
                    let first = (bits << (QUICK_BITS - length)) as usize;
                    let entry = (length as u16) << 8 | u16::from(symbol);
                    let all = first..first + (1 << (QUICK_BITS - length));
                    table.quick[all.clone()].fill(entry);
                    let (value_bits, places) = value(symbol);
                    table.over[all].fill((length as u8 + value_bits, places));
                }
                bits += 1;
                index += 1;
            }
            bits <<= 1;
        }
        Some(table)
    }

    pub fn code(&self, symbol: u8) -> Option<Code> {
        let code = *self.codes.get(usize::from(symbol))?;
        (code.length > 0).then_some(code)
    }

    #[inline]
    pub fn read(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let entry = *self.quick.get(bits.peek(QUICK_BITS) as usize)?;
        if entry != 0 {
            bits.skip((entry >> 8).into())?;
            return Some(entry as u8);
        }
        let next = bits.peek(16);
        for length in QUICK_BITS + 1..=16 {
            let (first, count, index) = self.lengths[length as usize];
            let beyond = (next >> (16 - length)).checked_sub(first)?;
            if beyond < count {
                bits.skip(length)?;
                return self.symbols.get(index + beyond as usize).copied();
            }
        }
        None
    }

    /// Reads the AC values of a block; `None` if there are more than there can be, or no such code.
    pub fn read_over_values(&self, bits: &mut Bits<'_>) -> Option<()> {
        let mut place = 1;
        while place < 64 {
            bits.load();
            let (mut length, mut places) = *self.over.get(bits.peek(QUICK_BITS) as usize)?;
            if places == 0 {
                (length, places) = value(self.read(bits)?);
            }
            bits.skip(length.into())?;
            place += u32::from(places);
        }
        (place == 64 || place > u32::from(TO_THE_END)).then_some(())
    }

    /// The largest difference that there is a code for and that does not lead past `target`.
    pub fn step_towards(&self, target: i32) -> Option<i32> {
        let size = (0..=size_of_value(target).min(11))
            .rev()
            .find(|size| self.code(*size).is_some())?;
        Some(if size == size_of_value(target) {
            target
        } else {
            ((1 << size) - 1) * target.signum()
        })
    }

    /// A symbol for values in a block, and how many of it take `missing` bits more than a multiple of eight.
    pub fn filler(&self, missing: u32) -> Option<(u8, u32)> {
        if missing == 0 {
            return Some((END_OF_BLOCK, 0));
        }
        (0..=255_u8)
            .filter(|symbol| symbol & 15 != 0)
            .filter_map(|symbol| Some((symbol, self.code(symbol)?.length + u32::from(symbol & 15))))
            .find_map(|(symbol, length)| {
                let room = 63 / (u32::from(symbol >> 4) + 1);
                let times = (1..8).find(|times| times * length % 8 == missing)?;
                (times < room).then_some((symbol, times))
            })
    }
}

/// Coded data bit by bit.
pub(super) struct Bits<'a> {
    pub data: &'a [u8],
    /// The next byte to be loaded.
    pub at: usize,
    /// What is loaded and not read, from the highest bit on; zeros below.
    pub loaded: u64,
    /// How many bits that are.
    pub count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            loaded: 0,
            count: 0,
        }
    }

    /// Sees to it that at least 32 bits are there, where the data have as many.
    #[inline]
    pub fn load(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(&four) = self.data.get(self.at..).and_then(<[u8]>::first_chunk::<4>) {
            let word = u32::from_be_bytes(four);
            // No byte is FF: none of the complement is 0.
            if (!word).wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
                self.loaded |= u64::from(word) << (32 - self.count);
                self.count += 32;
                self.at += 4;
                return;
            }
        }
        self.load_slowly();
    }

    fn load_slowly(&mut self) {
        while self.count <= 56 {
            let length = match self.data.get(self.at..) {
                Some([0xFF, 0, ..]) => 2,
                // A marker or the end
                Some([0xFF, ..] | []) | None => return,
                Some(_) => 1,
            };
            self.loaded |= u64::from(self.data[self.at]) << (56 - self.count);
            self.count += 8;
            self.at += length;
        }
    }

    #[inline]
    pub fn peek(&self, length: u32) -> u32 {
        (self.loaded >> (64 - length)) as u32
    }

    #[inline]
    pub fn skip(&mut self, length: u32) -> Option<()> {
        self.count = self.count.checked_sub(length)?;
        self.loaded <<= length;
        Some(())
    }
}

/// Writes coded data behind a header.
pub(super) struct BitWriter {
    pub file: Vec<u8>,
    /// The bits of the byte that is not full yet.
    last: u32,
    pub count: u32,
}

impl BitWriter {
    pub fn after(file: Vec<u8>) -> Self {
        Self {
            file,
            last: 0,
            count: 0,
        }
    }

    pub fn put_code(&mut self, code: Code) {
        self.put(code.bits, code.length);
    }

    /// The lowest `length` bits of `value`.
    pub fn put(&mut self, value: u32, length: u32) {
        for place in (0..length).rev() {
            self.last = self.last << 1 | (value >> place & 1);
            self.count += 1;
            if self.count == 8 {
                self.file.push(self.last as u8);
                // T.81 B.1.1.5: so that it cannot be taken for a marker
                if self.last == 0xFF {
                    self.file.push(0);
                }
                (self.last, self.count) = (0, 0);
            }
        }
    }
}
