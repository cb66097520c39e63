//! The boxes of a HEIF file (AVIF, HEIC): which picture is the primary one, where its coded data lies, how to turn it.
//!
//! Outside: the coded data itself, and picture sequences.
//!
//! Source: ISO/IEC 14496-12 and 23008-12. Every offset comes from the file and is checked.

use crate::colour::Colour;
use crate::{ImageSize, Orientation};

/// Most items a file may list; a 100-megapixel grid has a few hundred.
const MAX_ITEMS: usize = 4096;

/// One picture of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    /// Four letters: `av01`, `hvc1`, `grid`, ...
    pub kind: [u8; 4],
    pub size: Option<ImageSize>,
    /// Its coded bytes.
    pub data: Vec<u8>,
    pub icc: Option<Vec<u8>>,
    pub nclx: Option<Nclx>,
    pub bits: Option<u8>,
    rotation: Option<(usize, u8)>,
    mirror: Option<(usize, u8)>,
    /// Pictures it is put together from, in order.
    pub tiles: Vec<Picture>,
    pub alpha: Option<Box<Picture>>,
    /// Its colours are already multiplied with its alpha.
    pub premultiplied: bool,
}

/// Colour by the numbers of ITU-T H.273.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nclx {
    pub primaries: u16,
    pub transfer: u16,
    pub matrix: u16,
    pub full_range: bool,
}

impl Picture {
    /// What its numbers mean: a profile comes before code points.
    pub fn colour(&self) -> Colour {
        if let Some(icc) = &self.icc {
            return Colour::Icc(icc.clone());
        }
        self.nclx.map_or(Colour::Srgb, |n| Colour::CodePoints {
            primaries: u8::try_from(n.primaries).unwrap_or(2),
            transfer: u8::try_from(n.transfer).unwrap_or(2),
        })
    }

    /// `irot` and `imir` as one turn, in the order in which the file lists them.
    pub fn orientation(&self) -> Orientation {
        use Orientation as O;
        let quarters = self.rotation.map_or(0, |(_, angle)| angle & 3);
        let Some((place, axis)) = self.mirror else {
            return [
                O::Upright,
                O::QuarterAnticlockwise,
                O::Half,
                O::QuarterClockwise,
            ][usize::from(quarters)];
        };
        // Mirroring first and turning then is turning the other way first.
        let first = self.rotation.is_some_and(|(rotation, _)| place < rotation);
        let quarters = if first { (4 - quarters) & 3 } else { quarters };
        // Axis 1 exchanges left and right; axis 0, top and bottom, is the same with half a turn more.
        let quarters = if axis == 1 {
            quarters
        } else {
            (quarters + 2) & 3
        };
        [O::Mirrored, O::Transversed, O::Flipped, O::Transposed][usize::from(quarters)]
    }

    /// Rows and columns of a `grid`, and its size.
    pub fn grid(&self) -> Option<(usize, usize, ImageSize)> {
        let &[_, flags, rows, columns, ref sides @ ..] = self.data.as_slice() else {
            return None;
        };
        let (width_px, height_px) = if flags & 1 == 0 {
            let mut sides = Bytes(sides);
            (u32::from(sides.u16()?), u32::from(sides.u16()?))
        } else {
            let mut sides = Bytes(sides);
            (sides.u32()?, sides.u32()?)
        };
        Some((
            usize::from(rows) + 1,
            usize::from(columns) + 1,
            ImageSize {
                width_px,
                height_px,
            },
        ))
    }
}

/// The primary picture of a file; `None` if the boxes make no sense.
pub(crate) fn primary(file: &[u8]) -> Option<Picture> {
    let meta = Bytes(boxes(file).find(|(kind, _)| kind == b"meta")?.1).skip(4)?;
    let mut tables = Tables {
        file,
        ..Tables::default()
    };
    let mut primary = None;
    for (kind, body) in boxes(meta.0) {
        match &kind {
            b"pitm" => {
                let mut body = Bytes(body);
                let version = body.u32()? >> 24;
                primary = Some(body.id(version > 0)?);
            }
            b"iinf" => tables.read_infos(body)?,
            b"iloc" => tables.read_locations(body)?,
            b"iprp" => tables.read_properties(body)?,
            b"iref" => tables.read_references(body)?,
            b"idat" => tables.idat = body,
            _ => {}
        }
    }
    let primary = primary?;
    let mut picture = tables.picture(primary)?;
    for reference in tables
        .references
        .iter()
        .filter(|r| &r.kind == b"auxl" && r.to.contains(&primary))
    {
        if tables.is_alpha(reference.from) {
            picture.alpha = tables.picture(reference.from).map(Box::new);
        }
    }
    picture.premultiplied = tables
        .references
        .iter()
        .any(|r| &r.kind == b"prem" && r.from == primary);
    Some(picture)
}

#[derive(Default)]
struct Tables<'a> {
    file: &'a [u8],
    idat: &'a [u8],
    kinds: Vec<(u32, [u8; 4])>,
    locations: Vec<(u32, Location)>,
    properties: Vec<([u8; 4], &'a [u8])>,
    associations: Vec<(u32, Vec<usize>)>,
    references: Vec<Reference>,
}

struct Location {
    in_idat: bool,
    extents: Vec<(u64, u64)>,
}

struct Reference {
    kind: [u8; 4],
    from: u32,
    to: Vec<u32>,
}

impl<'a> Tables<'a> {
    fn read_infos(&mut self, body: &'a [u8]) -> Option<()> {
        let mut body = Bytes(body);
        let version = body.u32()? >> 24;
        body = body.skip(if version == 0 { 2 } else { 4 })?;
        for (kind, entry) in boxes(body.0).take(MAX_ITEMS) {
            let mut entry = Bytes(entry);
            let version = entry.u32()? >> 24;
            if &kind == b"infe" && version >= 2 {
                let id = entry.id(version > 2)?;
                entry.u16()?;
                self.kinds.push((id, entry.take(4)?.try_into().ok()?));
            }
        }
        Some(())
    }

    fn read_locations(&mut self, body: &'a [u8]) -> Option<()> {
        let mut body = Bytes(body);
        let version = body.u32()? >> 24;
        let sizes = body.u16()?;
        let [offset, length, base, index] =
            [12, 8, 4, 0].map(|shift| usize::from(sizes >> shift) & 15);
        let count = body.id(version == 2)?;
        for _ in 0..count.min(MAX_ITEMS as u32) {
            let id = body.id(version == 2)?;
            let in_idat = version > 0 && body.u16()? & 15 == 1;
            body.u16()?;
            let base = body.sized(base)?;
            let mut extents = Vec::new();
            for _ in 0..body.u16()? {
                if version > 0 {
                    body.sized(index)?;
                }
                extents.push((base.checked_add(body.sized(offset)?)?, body.sized(length)?));
            }
            self.locations.push((id, Location { in_idat, extents }));
        }
        Some(())
    }

    fn read_properties(&mut self, body: &'a [u8]) -> Option<()> {
        for (kind, body) in boxes(body) {
            if &kind == b"ipco" {
                self.properties = boxes(body).take(MAX_ITEMS).collect();
            } else if &kind == b"ipma" {
                let mut body = Bytes(body);
                let head = body.u32()?;
                for _ in 0..body.u32()?.min(MAX_ITEMS as u32) {
                    let id = body.id(head >> 24 > 0)?;
                    let count = body.u8()?;
                    let mut indices = Vec::new();
                    for _ in 0..count {
                        let index = if head & 1 == 1 {
                            body.u16()? & 0x7FFF
                        } else {
                            u16::from(body.u8()? & 0x7F)
                        };
                        indices.push(usize::from(index));
                    }
                    self.associations.push((id, indices));
                }
            }
        }
        Some(())
    }

    fn read_references(&mut self, body: &'a [u8]) -> Option<()> {
        let mut body = Bytes(body);
        let wide = body.u32()? >> 24 > 0;
        for (kind, entry) in boxes(body.0).take(MAX_ITEMS) {
            let mut entry = Bytes(entry);
            let from = entry.id(wide)?;
            let count = entry.u16()?;
            let to = (0..count)
                .map(|_| entry.id(wide))
                .collect::<Option<Vec<_>>>()?;
            self.references.push(Reference { kind, from, to });
        }
        Some(())
    }

    fn properties_of(&self, id: u32) -> impl Iterator<Item = (&[u8; 4], &'a [u8])> {
        let of_item = self
            .associations
            .iter()
            .filter(move |(item, _)| *item == id);
        // Indices count from 1; 0 means none.
        of_item
            .flat_map(|(_, all)| all)
            .filter_map(|index| self.properties.get(index.checked_sub(1)?))
            .map(|(k, b)| (k, *b))
    }

    fn is_alpha(&self, id: u32) -> bool {
        self.properties_of(id).any(|(kind, body)| {
            let purpose = body.get(4..).unwrap_or_default();
            kind == b"auxC"
                && (purpose.starts_with(b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")
                    || purpose.starts_with(b"urn:mpeg:hevc:2015:auxid:1"))
        })
    }

    fn picture(&self, id: u32) -> Option<Picture> {
        let mut picture = self.single(id)?;
        if &picture.kind == b"grid" {
            let tiles = self
                .references
                .iter()
                .find(|r| &r.kind == b"dimg" && r.from == id)?;
            picture.tiles = tiles
                .to
                .iter()
                .take(MAX_ITEMS)
                .map(|tile| self.single(*tile))
                .collect::<Option<_>>()?;
            // Colour and depth are often given for the tiles only.
            if let Some(tile) = picture.tiles.first() {
                picture.bits = picture.bits.or(tile.bits);
                picture.nclx = picture.nclx.or(tile.nclx);
                picture.icc = picture.icc.take().or_else(|| tile.icc.clone());
            }
        }
        Some(picture)
    }

    fn single(&self, id: u32) -> Option<Picture> {
        let kind = self.kinds.iter().find(|(item, _)| *item == id)?.1;
        let mut picture = Picture {
            kind,
            data: self.data(id)?,
            ..Picture::default()
        };
        for (place, (kind, body)) in self.properties_of(id).enumerate() {
            let mut body = Bytes(body);
            match kind {
                b"ispe" => {
                    body.u32()?;
                    picture.size = Some(ImageSize {
                        width_px: body.u32()?,
                        height_px: body.u32()?,
                    });
                }
                b"pixi" => {
                    body.u32()?;
                    let channels = body.u8()?;
                    picture.bits = if channels > 0 { Some(body.u8()?) } else { None };
                }
                b"irot" => picture.rotation = Some((place, body.u8()?)),
                b"imir" => picture.mirror = Some((place, body.u8()? & 1)),
                b"colr" => match body.take(4)? {
                    b"nclx" => {
                        let [primaries, transfer, matrix] = [body.u16()?, body.u16()?, body.u16()?];
                        picture.nclx = Some(Nclx {
                            primaries,
                            transfer,
                            matrix,
                            full_range: body.u8()? & 0x80 != 0,
                        });
                    }
                    b"prof" | b"rICC" => picture.icc = Some(body.0.to_vec()),
                    _ => {}
                },
                _ => {}
            }
        }
        Some(picture)
    }

    fn data(&self, id: u32) -> Option<Vec<u8>> {
        let Some((_, location)) = self.locations.iter().find(|(item, _)| *item == id) else {
            return Some(Vec::new());
        };
        let source = if location.in_idat {
            self.idat
        } else {
            self.file
        };
        let mut data = Vec::new();
        for &(offset, length) in &location.extents {
            let start = usize::try_from(offset).ok()?;
            let rest = source.get(start..).unwrap_or_default();
            // Length 0 means "to the end"; a file that was cut off gives what is left.
            let length = if length == 0 {
                rest.len()
            } else {
                rest.len().min(usize::try_from(length).ok()?)
            };
            if data.len() + length > self.file.len() {
                return None;
            }
            data.extend_from_slice(&rest[..length]);
        }
        Some(data)
    }
}

/// Whether an extent of an item lies beyond the end of the file.
pub(crate) fn cut_off(file: &[u8]) -> bool {
    let mut at = 0usize;
    while let Some(head) = file.get(at..at + 8) {
        let mut head = Bytes(head);
        let length = head.u32().unwrap_or(0) as usize;
        if length == 0 {
            return false;
        }
        if length == 1 {
            let wide = file.get(at + 8..at + 16).and_then(|w| Bytes(w).sized(8));
            let Some(next) = wide.and_then(|w| at.checked_add(usize::try_from(w).ok()?)) else {
                return true;
            };
            at = next;
        } else {
            at = at.saturating_add(length.max(8));
        }
    }
    at != file.len()
}

/// The boxes that lie one behind the other in `bytes`; stops where they no longer fit.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = Bytes(bytes);
    std::iter::from_fn(move || {
        let all = rest.0;
        let length = rest.u32()?;
        let kind: [u8; 4] = rest.take(4)?.try_into().ok()?;
        let (head, length) = match length {
            0 => (8, all.len()),
            1 => (16, usize::try_from(rest.sized(8)?).ok()?),
            length => (8, length as usize),
        };
        // A last box that was cut off still counts: its beginning may hold what is needed.
        let end = length.max(head).min(all.len());
        rest = Bytes(&all[end..]);
        Some((kind, &all[head..end]))
    })
}

/// Big-endian numbers from a slice.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn skip(mut self, count: usize) -> Option<Self> {
        self.take(count)?;
        Some(self)
    }

    /// A number of 0, 4 or 8 bytes (any up to 8).
    fn sized(&mut self, count: usize) -> Option<u64> {
        if count > 8 {
            return None;
        }
        Some(
            self.take(count)?
                .iter()
                .fold(0, |n, b| (n << 8) | u64::from(*b)),
        )
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        Some(self.sized(2)? as u16)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(self.sized(4)? as u32)
    }

    /// An item's number: four bytes in newer versions of a box, two in older ones.
    fn id(&mut self, wide: bool) -> Option<u32> {
        if wide {
            self.u32()
        } else {
            self.u16().map(u32::from)
        }
    }
}
