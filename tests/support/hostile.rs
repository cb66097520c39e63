//! Files made to exhaust whoever opens them; each is small and honest in its header as far as it can be.
//!
//! Outside: files damaged at random.

use std::io::Write as _;

use base64::Engine as _;
use flate2::{Compress, Compression, FlushCompress, write::ZlibEncoder};

/// 32 bytes of AVIF with a box that says it is 0 bytes long.
#[must_use]
pub fn avif_that_stands_still() -> Vec<u8> {
    let ftyp = b"\0\0\0\x10ftypavif\0\0\0\0";
    let free = b"\0\0\0\x01free\0\0\0\0\0\0\0\0";
    [ftyp.as_slice(), free].concat()
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let length = body.len() as u32 + 8;
    [&length.to_be_bytes(), kind.as_slice(), body].concat()
}

/// A HEIF file of a good megabyte whose grid of 64 x 64 cells names one tile 4,096 times; as AVIF or HEIC.
#[must_use]
pub fn heif_of_one_tile(brand: &[u8; 4], coded: &[u8; 4]) -> Vec<u8> {
    const CODED: usize = 1 << 20;
    let ftyp = boxed(b"ftyp", &[brand.as_slice(), b"\0\0\0\0", brand].concat());
    let payload = [0, 0, 63, 63, 0x40, 0, 0x40, 0];
    let info = |id: u8, kind: &[u8; 4]| {
        boxed(
            b"infe",
            &[&[2, 0, 0, 0, 0, id, 0, 0], kind.as_slice(), &[0]].concat(),
        )
    };
    let infos = [vec![0, 0, 0, 0, 0, 2], info(1, b"grid"), info(2, coded)];
    let mut dimg = vec![0, 1, 0x10, 0x00];
    dimg.extend([0, 2].repeat(4096));
    let references = [vec![0, 0, 0, 0], boxed(b"dimg", &dimg)];
    let size = [
        &[0; 4][..],
        &0x4000_u32.to_be_bytes(),
        &0x4000_u32.to_be_bytes(),
    ]
    .concat();
    let properties = [
        boxed(b"ipco", &boxed(b"ispe", &size)),
        boxed(b"ipma", &[0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 1, 1, 0, 2, 1, 1]),
    ];
    let meta = |at: u32| {
        let mut places = vec![0, 0, 0, 0, 0x44, 0, 0, 2];
        for (id, at, length) in [(1, at, payload.len()), (2, at + 8, CODED)] {
            places.extend([0, id, 0, 0, 0, 1]);
            places.extend(at.to_be_bytes());
            places.extend((length as u32).to_be_bytes());
        }
        let body = [
            vec![0; 4],
            boxed(b"hdlr", b"\0\0\0\0\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            boxed(b"pitm", &[0, 0, 0, 0, 0, 1]),
            boxed(b"iinf", &infos.concat()),
            boxed(b"iloc", &places),
            boxed(b"iref", &references.concat()),
            boxed(b"iprp", &properties.concat()),
        ];
        boxed(b"meta", &body.concat())
    };
    let at = ftyp.len() + meta(0).len() + 8;
    let data = [payload.to_vec(), vec![0x12; CODED]].concat();
    [ftyp, meta(at as u32), boxed(b"mdat", &data)].concat()
}

/// Zeros, `mebibytes` of them, as a zlib stream; made without ever holding them.
#[must_use]
pub fn zeros_deflated(mebibytes: usize) -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut deflate = Compress::new(Compression::best(), false);
    let block = |deflate: &mut Compress| {
        let mut out = Vec::with_capacity(1 << 16);
        let done = deflate.compress_vec(&zeros, &mut out, FlushCompress::Full);
        done.expect("room enough");
        out
    };
    let first = block(&mut deflate);
    // After a full flush nothing refers to what was before, so that every further block is the same.
    let next = block(&mut deflate);
    let mut stream = vec![0x78, 0xDA];
    stream.extend(first);
    stream.extend(next.repeat(mebibytes - 1));
    // An empty last block, and Adler-32 of as many zeros
    stream.extend([0x03, 0x00]);
    let sum = (mebibytes as u64 * (1 << 20)) % 65_521;
    stream.extend((((sum as u32) << 16) | 1).to_be_bytes());
    stream
}

/// A PDF of one page whose drawing commands unpack to `mebibytes`; packed twice, so that it is small.
#[must_use]
pub fn pdf_that_unpacks_to(mebibytes: usize) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    let packed = packer
        .write_all(&zeros_deflated(mebibytes))
        .and_then(|()| packer.finish())
        .expect("a vector takes all");
    pdf(1, "/Filter [/FlateDecode /FlateDecode]", &packed)
}

/// A PDF of `pages` pages that all draw the same.
#[must_use]
pub fn pdf(pages: usize, filter: &str, drawing: &[u8]) -> Vec<u8> {
    let stream = format!("<< /Length {} {filter} >>\nstream\n", drawing.len());
    let kids: String = (0..pages)
        .map(|page| format!("{} 0 R ", page + 4))
        .collect();
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [{kids}] /Count {pages} >>").into_bytes(),
        [stream.as_bytes(), drawing, b"\nendstream"].concat(),
    ];
    for page in 0..pages {
        let side = 200 + page;
        let page =
            format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {side} 200] /Contents 3 0 R >>");
        objects.push(page.into_bytes());
    }
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        places.push(file.len());
        file.extend(format!("{} 0 obj\n", number + 1).bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let (table, entries) = (file.len(), places.len() + 1);
    file.extend(format!("xref\n0 {entries}\n0000000000 65535 f \n").bytes());
    for place in places {
        file.extend(format!("{place:010} 00000 n \n").bytes());
    }
    let trailer = format!("trailer << /Size {entries} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n");
    file.extend(trailer.bytes());
    file
}

/// An SVG that places the picture `png` so many `times`.
#[must_use]
pub fn svg_with_pictures(png: &[u8], times: usize) -> Vec<u8> {
    let data = base64::engine::general_purpose::STANDARD.encode(png);
    let picture =
        format!(r#"<image width="9" height="9" xlink:href="data:image/png;base64,{data}"/>"#);
    let head = r#"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9">"#;
    format!("{head}{}</svg>", picture.repeat(times)).into_bytes()
}

/// An SVG that takes minutes to draw: hundreds of sheets of noise.
#[must_use]
pub fn svg_that_takes_minutes() -> Vec<u8> {
    let head = r#"<svg xmlns="http://www.w3.org/2000/svg" width="4000" height="4000"><filter id="n" x="0" y="0" width="1" height="1"><feTurbulence baseFrequency="0.37" numOctaves="9"/></filter>"#;
    let sheet = r#"<rect width="4000" height="4000" filter="url(#n)"/>"#;
    format!("{head}{}</svg>", sheet.repeat(400)).into_bytes()
}

/// A GIF of `frames` frames of one pixel.
#[must_use]
pub fn gif_of(frames: usize) -> Vec<u8> {
    let head = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF";
    let frame = b"\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    [head.as_slice(), &frame.repeat(frames), b";"].concat()
}
