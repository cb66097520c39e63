//! The walk over boxes, and numbers from bytes. Everything that is believed of a length is checked here.
//!
//! Outside: what is in the boxes.

/// The boxes that lie one behind the other: kind and body (ISO/IEC 14496-12, 4.2). The only place that walks over them.
pub(super) struct Boxes<'a> {
    rest: &'a [u8],
    /// The walk ended where a box does not fit, instead of at the end.
    pub cut_off: bool,
}

impl<'a> Boxes<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            cut_off: false,
        }
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = ([u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let all = self.rest;
        if all.is_empty() {
            return None;
        }
        let mut head = Bytes(all);
        let read = (|| {
            let length = head.u32()?;
            let kind: [u8; 4] = head.take(4)?.try_into().ok()?;
            let length = match length {
                0 => all.len(),
                1 => usize::try_from(head.sized(8)?).ok()?,
                length => length as usize,
            };
            let head = all.len() - head.0.len();
            (length >= head).then_some((kind, head, length))
        })();
        let Some((kind, head, length)) = read else {
            self.cut_off = true;
            self.rest = &[];
            return None;
        };
        // A last box that was cut off still counts: its beginning may hold what is needed.
        self.cut_off = length > all.len();
        let (body, rest) = all.split_at(length.min(all.len()));
        assert!(rest.len() < all.len(), "the walk does not move on");
        self.rest = rest;
        Some((kind, &body[head..]))
    }
}

/// Big-endian numbers from a slice.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    pub fn skip(mut self, count: usize) -> Option<Self> {
        self.take(count)?;
        Some(self)
    }

    /// A number of 0, 4 or 8 bytes (any up to 8).
    pub fn sized(&mut self, count: usize) -> Option<u64> {
        if count > 8 {
            return None;
        }
        Some(
            self.take(count)?
                .iter()
                .fold(0, |n, b| (n << 8) | u64::from(*b)),
        )
    }

    pub fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    pub fn u16(&mut self) -> Option<u16> {
        Some(self.sized(2)? as u16)
    }

    pub fn u32(&mut self) -> Option<u32> {
        Some(self.sized(4)? as u32)
    }

    /// An item's number: four bytes in newer versions of a box, two in older ones.
    pub fn id(&mut self, wide: bool) -> Option<u32> {
        if wide {
            self.u32()
        } else {
            self.u16().map(u32::from)
        }
    }
}
