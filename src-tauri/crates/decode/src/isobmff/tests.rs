//! Files made to break the walk.

use super::*;

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32 + 8).to_be_bytes().to_vec();
    bytes.extend_from_slice(kind);
    bytes.extend_from_slice(body);
    bytes
}

/// A file whose primary picture is a grid of `side` x `side` cells that name the items `tiles`; each item of them
/// has the whole of `coded` as its data.
fn grid(side: u8, tiles: &[u16], coded: usize) -> Vec<u8> {
    let ftyp = boxed(b"ftyp", b"avif\0\0\0\0");
    let payload = [0, 0, side - 1, side - 1, 0, 64, 0, 64];
    let infe = |id: u16, kind: &[u8; 4]| {
        let mut body = vec![2, 0, 0, 0];
        body.extend_from_slice(&id.to_be_bytes());
        body.extend_from_slice(&[0, 0]);
        body.extend_from_slice(kind);
        boxed(b"infe", &[body, vec![0]].concat())
    };
    let mut own: Vec<u16> = tiles.to_vec();
    own.sort_unstable();
    own.dedup();
    let mut infos = [
        vec![0, 0, 0, 0],
        (own.len() as u16 + 1).to_be_bytes().to_vec(),
    ]
    .concat();
    infos.extend(infe(1, b"grid"));
    own.iter().for_each(|id| infos.extend(infe(*id, b"av01")));
    let mut references = vec![0, 0, 0, 0];
    let mut dimg = [1_u16.to_be_bytes(), (tiles.len() as u16).to_be_bytes()].concat();
    tiles.iter().for_each(|id| dimg.extend(id.to_be_bytes()));
    references.extend(boxed(b"dimg", &dimg));
    let meta = |at: u32| {
        let mut locations = vec![0, 0, 0, 0, 0x44, 0x00];
        locations.extend((own.len() as u16 + 1).to_be_bytes());
        let mut place = |id: u16, at: u32, length: usize| {
            locations.extend(id.to_be_bytes());
            locations.extend([0, 0, 0, 1]);
            locations.extend(at.to_be_bytes());
            locations.extend((length as u32).to_be_bytes());
        };
        place(1, at, payload.len());
        let first = at + payload.len() as u32;
        own.iter().for_each(|id| place(*id, first, coded));
        let body = [
            vec![0, 0, 0, 0],
            boxed(b"pitm", &[0, 0, 0, 0, 0, 1]),
            boxed(b"iinf", &infos),
            boxed(b"iloc", &locations),
            boxed(b"iref", &references),
        ];
        boxed(b"meta", &body.concat())
    };
    let at = ftyp.len() + meta(0).len() + 8;
    let data = [payload.to_vec(), vec![7; coded]].concat();
    [ftyp, meta(at as u32), boxed(b"mdat", &data)].concat()
}

#[test]
fn boxes_shorter_than_their_head_are_cut_off_and_end_the_walk() {
    let ftyp = boxed(b"ftyp", b"avif\0\0\0\0");
    assert!(!cut_off(&ftyp));
    for wide in [0_u64, 1, 8, 15, u64::MAX] {
        let head = [&[0, 0, 0, 1], b"free".as_slice(), &wide.to_be_bytes()].concat();
        let file = [ftyp.clone(), head].concat();
        assert!(cut_off(&file), "wide length {wide}");
        assert_eq!(primary(&file).unwrap_err(), Problem::Contents);
    }
    for length in 2_u32..8 {
        let head = [&length.to_be_bytes(), b"free".as_slice()].concat();
        assert!(cut_off(&[ftyp.clone(), head].concat()), "length {length}");
    }
    // Length 0 is a box up to the end of the file, a wide length of 16 an empty box.
    let open = [ftyp.clone(), vec![0, 0, 0, 0], b"mdat123".to_vec()].concat();
    assert!(!cut_off(&open));
    let empty = [&[0, 0, 0, 1], b"free".as_slice(), &16_u64.to_be_bytes()].concat();
    assert!(!cut_off(&[ftyp, empty].concat()));
}

#[test]
fn tiles_are_ranges_of_the_file_and_as_many_as_the_grid_has_cells() {
    let file = grid(2, &[2, 3, 4, 5], 10);
    let picture = primary(&file).unwrap();
    assert_eq!(picture.tiles.len(), 4);
    assert!(
        file.as_ptr_range()
            .contains(&picture.tiles[3].extents[0].as_ptr())
    );
    for tiles in [&[2, 3, 4][..], &[2, 3, 4, 5, 6]] {
        assert_eq!(primary(&grid(2, tiles, 10)).unwrap_err(), Problem::Contents);
    }
}

#[test]
fn one_tile_named_thousands_of_times_is_refused_before_anything_is_unpacked() {
    let file = grid(64, &[2; 4096], 100_000);
    assert_eq!(primary(&file).unwrap_err(), Problem::Repeats);
}

#[test]
fn extents_that_take_no_bytes_are_counted() {
    // 4,096 items of 65,535 extents whose numbers are zero bytes wide
    let mut body = vec![0, 0, 0, 0, 0, 0, 0x10, 0x00];
    for id in 0..4096_u16 {
        body.extend(id.to_be_bytes());
        body.extend([0, 0, 0xFF, 0xFF]);
    }
    let mut tables = Tables::default();
    assert_eq!(tables.read_locations(&body), None);
    assert!(tables.locations.is_empty());
}
