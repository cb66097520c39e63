//! Files that were damaged at random end in a picture or a reason: no panic, no hang, no decoder that dies.
//!
//! Outside: files damaged with a purpose (the decode crate's `intake.rs`) and coverage-guided fuzzing (`tests/fuzz`).
//!
//! `PADDOCK_MUTATIONS` sets how many files are made (default 600); `tests/bench/media/mutate` runs 20,000.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use paddock_decode::MediaError;
use paddock_decoder::DecoderError;

use super::{MOST_BY_THE_CLOCK, TAKE, decoders, memory};

/// What this process may grow by while the decoders work.
const MOST_GROWTH_BYTES: u64 = 64 << 20;

/// Xorshift: the same files on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % sides.max(1)
    }
}

/// Numbers at which parsers break.
const EDGES: [u32; 10] = [
    0,
    1,
    0x7F,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x0001_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
];

fn damage(file: &mut Vec<u8>, donor: &[u8], dice: &mut Dice) {
    // One wound mostly, so that many files stay whole enough to reach deep into a decoder.
    for _ in 0..=dice.roll(4).saturating_sub(1) {
        if file.is_empty() {
            return;
        }
        // Headers decide most, so half of the damage goes there.
        let reach = if dice.roll(2) == 0 {
            file.len().min(256)
        } else {
            file.len()
        };
        let at = dice.roll(reach);
        let length = 1 + dice.roll(32);
        match dice.roll(8) {
            0 => file[at] ^= 1 << dice.roll(8),
            1 => file[at] = dice.roll(256) as u8,
            2 => {
                let bytes = EDGES[dice.roll(EDGES.len())].to_be_bytes();
                let end = (at + 4).min(file.len());
                file[at..end].copy_from_slice(&bytes[..end - at]);
            }
            3 => {
                let bytes = (EDGES[dice.roll(EDGES.len())] as u16).to_le_bytes();
                let end = (at + 2).min(file.len());
                file[at..end].copy_from_slice(&bytes[..end - at]);
            }
            4 => file.truncate(at),
            5 => drop(file.drain(at..(at + length).min(file.len()))),
            6 => {
                let part = file[at..(at + length).min(file.len())].to_vec();
                file.splice(at..at, part);
            }
            _ => {
                let from = dice.roll(donor.len());
                let part = &donor[from..(from + length).min(donor.len())];
                let end = (at + part.len()).min(file.len());
                file.splice(at..end, part.iter().copied());
            }
        }
    }
}

#[tokio::test]
async fn damaged_files_end_in_a_picture_or_a_reason() {
    let count: usize = std::env::var("PADDOCK_MUTATIONS").map_or(600, |n| n.parse().unwrap());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images/intake");
    let mut seeds: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e != "json"))
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                std::fs::read(path).unwrap(),
            )
        })
        .filter(|(name, bytes)| {
            !name.starts_with("expected_") && !bytes.is_empty() && bytes.len() < 80_000
        })
        .collect();
    seeds.sort();
    assert!(seeds.len() > 100, "{}", seeds.len());
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut slowest = (Duration::ZERO, String::new());
    let decoders = decoders();
    decoders.warm().await;
    let before = memory("VmHWM");
    for index in 0..count {
        let (name, seed) = &seeds[index % seeds.len()];
        let donor = &seeds[dice.roll(seeds.len())].1;
        let mut file = seed.clone();
        damage(&mut file, donor, &mut dice);
        let started = Instant::now();
        let outcome = decoders.run(&TAKE, &file).await;
        let took = started.elapsed();
        if took > slowest.0 {
            slowest = (took, format!("{index} ({name})"));
        }
        let kept = || {
            let place = std::env::temp_dir().join(format!("paddock-mutation-{index}"));
            std::fs::write(&place, &file).unwrap();
            place.display().to_string()
        };
        assert!(
            took < MOST_BY_THE_CLOCK,
            "file {index}, made of {name}, took {took:?}; it is {}",
            kept()
        );
        let kind = match &outcome {
            Ok(_) => "taken".to_owned(),
            Err(DecoderError::Media(MediaError::Damaged { detail, .. }))
                if detail.contains("must not be there") =>
            {
                "decoder panicked, caught".to_owned()
            }
            Err(error) => error.failure().code,
        };
        *outcomes.entry(kind).or_default() += 1;
        match outcome {
            Err(DecoderError::Media(error)) => assert!(
                error.to_string().ends_with('.'),
                "{index} ({name}): {error}"
            ),
            Err(error) => panic!("{index} ({name}): {error:?}; it is {}", kept()),
            Ok(_) => {}
        }
    }
    let grown = memory("VmHWM") - before;
    println!(
        "{count} files, slowest {:?}: {}, {} MB more in this process",
        slowest.0,
        slowest.1,
        grown >> 20
    );
    for (kind, times) in outcomes {
        println!("{times:>7} {kind}");
    }
    assert!(grown < MOST_GROWTH_BYTES, "{} MB", grown >> 20);
}
