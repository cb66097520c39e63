//! The boxes of a HEIF file (AVIF, HEIC): which picture is the primary one, where its coded data lies, how to turn it.
//!
//! Outside: the coded data itself, and picture sequences.
//!
//! Source: ISO/IEC 14496-12 and 23008-12. Every offset comes from the file and is checked.

mod boxes;

use std::collections::BTreeMap;

use crate::colour::Colour;
use boxes::{Boxes, Bytes};

use crate::{ImageSize, Orientation};

/// Most items, properties, references and extents a file may list; a 100-megapixel grid has a few hundred of each.
const MAX_ITEMS: usize = 4096;

/// One picture of the file. It points into the file and copies nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture<'a> {
    /// Four letters: `av01`, `hvc1`, `grid`, ...
    pub kind: [u8; 4],
    pub size: Option<ImageSize>,
    /// Where its coded bytes lie, in order; together never longer than the file.
    pub extents: Vec<&'a [u8]>,
    pub icc: Option<&'a [u8]>,
    pub nclx: Option<Nclx>,
    pub bits: Option<u8>,
    rotation: Option<(usize, u8)>,
    mirror: Option<(usize, u8)>,
    /// Pictures it is put together from, in order: as many as its grid has cells. All their bytes together are never
    /// longer than the file.
    pub tiles: Vec<Picture<'a>>,
    pub alpha: Option<Box<Picture<'a>>>,
    /// Its colours are already multiplied with its alpha.
    pub premultiplied: bool,
}

/// Why a file has no primary picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The boxes make no sense.
    Contents,
    /// It names the same bytes over and over, so that it would be unpacked to many times its length.
    Repeats,
}

/// Colour by the numbers of ITU-T H.273.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nclx {
    pub primaries: u16,
    pub transfer: u16,
    pub matrix: u16,
    pub full_range: bool,
}

impl Picture<'_> {
    /// What its numbers mean: a profile comes before code points.
    pub fn colour(&self) -> Colour {
        if let Some(icc) = self.icc {
            return Colour::Icc(icc.to_vec());
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

    /// Its coded bytes in one piece.
    #[cfg(feature = "avif")]
    pub fn coded(&self) -> Vec<u8> {
        self.extents.concat()
    }

    fn length(&self) -> usize {
        self.extents.iter().map(|extent| extent.len()).sum()
    }

    /// Rows and columns of a `grid`, and its size.
    pub fn grid(&self) -> Option<(usize, usize, ImageSize)> {
        // Version, flags, rows, columns and two sides of at most four bytes
        let payload = self.extents.iter().copied().flatten().copied().take(12);
        let payload: Vec<u8> = payload.collect();
        let mut payload = Bytes(&payload);
        let _version = payload.u8()?;
        let wide = payload.u8()? & 1 == 1;
        let (rows, columns) = (payload.u8()?, payload.u8()?);
        let (width_px, height_px) = (payload.id(wide)?, payload.id(wide)?);
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

/// The primary picture of a file.
pub(crate) fn primary(file: &[u8]) -> Result<Picture<'_>, Problem> {
    let mut tables = Tables {
        file,
        ..Tables::default()
    };
    let primary = tables.read().ok_or(Problem::Contents)?;
    let mut picture = tables.picture(primary)?;
    let alpha = tables.references.iter().rev().find(|reference| {
        &reference.kind == b"auxl"
            && reference.to.contains(&primary)
            && tables.is_alpha(reference.from)
    });
    if let Some(reference) = alpha {
        picture.alpha = match tables.picture(reference.from) {
            Ok(alpha) => Some(Box::new(alpha)),
            Err(Problem::Repeats) => return Err(Problem::Repeats),
            Err(Problem::Contents) => None,
        };
    }
    picture.premultiplied = tables
        .references
        .iter()
        .any(|r| &r.kind == b"prem" && r.from == primary);
    Ok(picture)
}

#[derive(Default)]
struct Tables<'a> {
    file: &'a [u8],
    idat: &'a [u8],
    kinds: BTreeMap<u32, [u8; 4]>,
    locations: BTreeMap<u32, Location>,
    properties: Vec<([u8; 4], &'a [u8])>,
    associations: BTreeMap<u32, Vec<u16>>,
    references: Vec<Reference>,
}

struct Location {
    in_idat: bool,
    /// Offset and length.
    extents: Vec<(u64, u64)>,
}

struct Reference {
    kind: [u8; 4],
    from: u32,
    to: Vec<u32>,
}

impl<'a> Tables<'a> {
    /// Reads the list of contents; the number of the primary picture.
    fn read(&mut self) -> Option<u32> {
        let meta = Boxes::new(self.file).find(|(kind, _)| kind == b"meta")?.1;
        let meta = Bytes(meta).skip(4)?;
        let mut primary = None;
        for (kind, body) in Boxes::new(meta.0) {
            match &kind {
                b"pitm" => {
                    let mut body = Bytes(body);
                    let version = body.u32()? >> 24;
                    primary = Some(body.id(version > 0)?);
                }
                b"iinf" => self.read_infos(body)?,
                b"iloc" => self.read_locations(body)?,
                b"iprp" => self.read_properties(body)?,
                b"iref" => self.read_references(body)?,
                b"idat" => self.idat = body,
                _ => {}
            }
        }
        primary
    }

    fn read_infos(&mut self, body: &'a [u8]) -> Option<()> {
        let mut body = Bytes(body);
        let version = body.u32()? >> 24;
        body = body.skip(if version == 0 { 2 } else { 4 })?;
        for (kind, entry) in Boxes::new(body.0).take(MAX_ITEMS) {
            let mut entry = Bytes(entry);
            let version = entry.u32()? >> 24;
            if &kind == b"infe" && version >= 2 {
                let id = entry.id(version > 2)?;
                entry.u16()?;
                let kind = entry.take(4)?.try_into().ok()?;
                self.kinds.entry(id).or_insert(kind);
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
        // An extent of no numbers takes no bytes, so the file's length does not bound how many there are.
        let mut left = MAX_ITEMS;
        for _ in 0..count.min(MAX_ITEMS as u32) {
            let id = body.id(version == 2)?;
            let in_idat = version > 0 && body.u16()? & 15 == 1;
            body.u16()?;
            let base = body.sized(base)?;
            let count = usize::from(body.u16()?);
            left = left.checked_sub(count)?;
            let mut extents = Vec::with_capacity(count);
            for _ in 0..count {
                if version > 0 {
                    body.sized(index)?;
                }
                extents.push((base.checked_add(body.sized(offset)?)?, body.sized(length)?));
            }
            let location = Location { in_idat, extents };
            self.locations.entry(id).or_insert(location);
        }
        Some(())
    }

    fn read_properties(&mut self, body: &'a [u8]) -> Option<()> {
        for (kind, body) in Boxes::new(body) {
            if &kind == b"ipco" {
                self.properties = Boxes::new(body).take(MAX_ITEMS).collect();
            } else if &kind == b"ipma" {
                let mut body = Bytes(body);
                let head = body.u32()?;
                for _ in 0..body.u32()?.min(MAX_ITEMS as u32) {
                    let id = body.id(head >> 24 > 0)?;
                    let count = body.u8()?;
                    let mut indices = Vec::with_capacity(usize::from(count));
                    for _ in 0..count {
                        indices.push(if head & 1 == 1 {
                            body.u16()? & 0x7FFF
                        } else {
                            u16::from(body.u8()? & 0x7F)
                        });
                    }
                    self.associations.entry(id).or_insert(indices);
                }
            }
        }
        Some(())
    }

    fn read_references(&mut self, body: &'a [u8]) -> Option<()> {
        let mut body = Bytes(body);
        let wide = body.u32()? >> 24 > 0;
        for (kind, entry) in Boxes::new(body.0).take(MAX_ITEMS) {
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

    fn properties_of(&self, id: u32) -> impl Iterator<Item = ([u8; 4], &'a [u8])> {
        let of_item = self.associations.get(&id).into_iter().flatten();
        // Indices count from 1; 0 means none.
        of_item
            .filter_map(|index| self.properties.get(usize::from(*index).checked_sub(1)?))
            .copied()
    }

    fn is_alpha(&self, id: u32) -> bool {
        self.properties_of(id).any(|(kind, body)| {
            let purpose = body.get(4..).unwrap_or_default();
            &kind == b"auxC"
                && (purpose.starts_with(b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")
                    || purpose.starts_with(b"urn:mpeg:hevc:2015:auxid:1"))
        })
    }

    fn picture(&self, id: u32) -> Result<Picture<'a>, Problem> {
        let mut picture = self.single(id).ok_or(Problem::Contents)?;
        if picture.length() > self.file.len() {
            return Err(Problem::Repeats);
        }
        if &picture.kind != b"grid" {
            return Ok(picture);
        }
        let (rows, columns, _) = picture.grid().ok_or(Problem::Contents)?;
        let tiles = self
            .references
            .iter()
            .find(|r| &r.kind == b"dimg" && r.from == id)
            .filter(|tiles| tiles.to.len() == rows * columns && tiles.to.len() <= MAX_ITEMS)
            .ok_or(Problem::Contents)?;
        let mut left = self.file.len();
        for tile in &tiles.to {
            let tile = self.single(*tile).ok_or(Problem::Contents)?;
            left = left.checked_sub(tile.length()).ok_or(Problem::Repeats)?;
            picture.tiles.push(tile);
        }
        // Colour and depth are often given for the tiles only.
        if let Some(tile) = picture.tiles.first() {
            picture.bits = picture.bits.or(tile.bits);
            picture.nclx = picture.nclx.or(tile.nclx);
            picture.icc = picture.icc.or(tile.icc);
        }
        Ok(picture)
    }

    fn single(&self, id: u32) -> Option<Picture<'a>> {
        let mut picture = Picture {
            kind: *self.kinds.get(&id)?,
            extents: self.extents(id)?,
            ..Picture::default()
        };
        for (place, (kind, body)) in self.properties_of(id).enumerate() {
            let mut body = Bytes(body);
            match &kind {
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
                    b"prof" | b"rICC" => picture.icc = Some(body.0),
                    _ => {}
                },
                _ => {}
            }
        }
        Some(picture)
    }

    /// The parts of the file in which an item's data lie; none if the file does not say where.
    fn extents(&self, id: u32) -> Option<Vec<&'a [u8]>> {
        let Some(location) = self.locations.get(&id) else {
            return Some(Vec::new());
        };
        let source = if location.in_idat {
            self.idat
        } else {
            self.file
        };
        let parts = location.extents.iter().map(|&(offset, length)| {
            let start = usize::try_from(offset).ok()?;
            let rest = source.get(start..).unwrap_or_default();
            // Length 0 means "to the end"; a file that was cut off gives what is left.
            let length = match length {
                0 => rest.len(),
                length => rest.len().min(usize::try_from(length).ok()?),
            };
            rest.get(..length)
        });
        parts.collect()
    }
}

/// Whether the file ends within a box, or a box says that it is shorter than its own head.
pub(crate) fn cut_off(file: &[u8]) -> bool {
    let mut boxes = Boxes::new(file);
    boxes.by_ref().for_each(drop);
    boxes.cut_off
}

/// For `tests/fuzz`: everything that can be asked of a file's boxes, without a decoder.
#[cfg(fuzzing)]
pub fn fuzz(file: &[u8]) {
    let _ = cut_off(file);
    let Ok(picture) = primary(file) else { return };
    let parts = picture.tiles.iter().chain(picture.alpha.as_deref());
    for part in parts.chain([&picture]) {
        assert!(part.length() <= file.len(), "more than there is");
        let _ = (part.grid(), part.orientation(), part.colour());
    }
    assert!(picture.tiles.iter().map(Picture::length).sum::<usize>() <= file.len());
}

#[cfg(test)]
mod tests;
