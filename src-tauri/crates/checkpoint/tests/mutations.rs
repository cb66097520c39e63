//! 2,000 mutations of each header: a typed reason or a model, never a panic, never more read than there is, and memory that
//! follows the file's length and not its claims.
#![allow(clippy::unwrap_used)] // a test may fail

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use paddock_checkpoint::{
    Checkpoint, CheckpointError, Depth, FileEntry, ReadRange, SourceError, inspect_source,
};
use serde_json::json;
use support::{gguf, small_config, write_checkpoint};

const MUTATIONS: u64 = 2_000;
/// One of them, in a release or debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(5);

/// xorshift64*: the same mutations in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Numbers at which sizes break.
const EDGES: [u64; 12] = [
    0,
    1,
    127,
    255,
    65_535,
    65_536,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 40,
    1 << 53,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => bytes.truncate(at.max(1)),
            3 => {
                let edge = EDGES[random.below(EDGES.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)];
                for (place, byte) in bytes[at..].iter_mut().zip(&edge[..width]) {
                    *place = *byte;
                }
            }
            4 => {
                let end = (at + random.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => {
                let end = (at + random.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}

/// Files in memory that count what is asked of them.
#[derive(Default)]
struct Files {
    files: BTreeMap<String, Vec<u8>>,
    asked: AtomicU64,
}

impl Files {
    fn of(folder: &std::path::Path) -> Self {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            files.insert(name, std::fs::read(path).unwrap());
        }
        Self {
            files,
            asked: AtomicU64::new(0),
        }
    }

    fn inspect(&self) -> Result<Checkpoint, CheckpointError> {
        inspect_source(self, "model", None, Depth::Everything)
            .now_or_never()
            .unwrap()
    }
}

impl ReadRange for Files {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn files(&self) -> Result<Vec<FileEntry>, SourceError> {
        let entry = |(name, bytes): (&String, &Vec<u8>)| FileEntry {
            name: name.clone(),
            bytes: bytes.len() as u64,
        };
        Ok(self.files.iter().map(entry).collect())
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>, SourceError> {
        let bytes = self.files.get(file).ok_or(SourceError::NotFound)?;
        let from = usize::try_from(offset).unwrap().min(bytes.len());
        let end = offset.saturating_add(length).min(bytes.len() as u64) as usize;
        let piece = bytes[from..end.max(from)].to_vec();
        self.asked.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok(piece)
    }
}

/// The most memory that this process ever had, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

/// Mutates `file` again and again; returns how many were refused, and how many still loaded.
fn run(mut files: Files, file: &str, mutate: impl Fn(&mut Vec<u8>, &mut Random)) -> (u64, u64) {
    files.inspect().unwrap();
    let sound = files.files[file].clone();
    let before = peak_bytes();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut refused, mut taken) = (0, 0);
    for number in 0..MUTATIONS {
        let mut bytes = sound.clone();
        mutate(&mut bytes, &mut random);
        let whole: usize = files.files.values().map(Vec::len).sum::<usize>() + bytes.len();
        files.files.insert(file.to_owned(), bytes);
        files.asked.store(0, Ordering::Relaxed);
        let started = Instant::now();
        match files.inspect() {
            Ok(checkpoint) => {
                taken += 1;
                assert!(checkpoint.bytes <= whole as u64);
            }
            Err(error) => {
                refused += 1;
                let failure = error.failure();
                assert!(
                    failure.code.starts_with("model") || failure.code == "noModel",
                    "mutation {number}: {failure:?}"
                );
                assert_ne!(failure.code, "modelReaderFailed");
                assert!(failure.message.ends_with('.') && failure.next_step.ends_with('.'));
            }
        }
        assert!(started.elapsed() < LONGEST, "mutation {number}");
        // Every file may be looked at twice: for its kind, and for what it says.
        let asked = files.asked.load(Ordering::Relaxed);
        assert!(
            asked <= 3 * whole as u64,
            "mutation {number}: {asked} of {whole}"
        );
    }
    if let (Some(before), Some(after)) = (before, peak_bytes()) {
        let grown = after.saturating_sub(before);
        assert!(grown < 64 << 20, "{} MB", grown >> 20);
    }
    println!("{file}: {refused} refused, {taken} taken");
    (refused, taken)
}

fn folder() -> Files {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), &small_config(), 1);
    Files::of(folder.path())
}

#[test]
fn safetensors_headers() {
    let files = folder();
    let bytes = &files.files["model.safetensors"];
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (refused, _) = run(files, "model.safetensors", |bytes, random| {
        // The data says nothing.
        let data = bytes.split_off(header);
        mutate(bytes, random);
        bytes.extend(data);
    });
    assert!(refused > MUTATIONS / 2, "{refused}");
}

#[test]
fn gguf_headers() {
    let folder = tempfile::tempdir().unwrap();
    gguf::write(&folder.path().join("m.gguf"), &gguf::plain());
    let (refused, _) = run(Files::of(folder.path()), "m.gguf", mutate);
    assert!(refused > MUTATIONS / 4, "{refused}");
}

#[test]
fn real_gguf_files() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../tests/fixtures/gguf/spm.gguf"
    );
    let mut files = Files::default();
    files
        .files
        .insert("m.gguf".into(), std::fs::read(path).unwrap());
    run(files, "m.gguf", mutate);
}

#[test]
fn configurations_as_bytes() {
    let (refused, taken) = run(folder(), "config.json", mutate);
    assert!(refused > MUTATIONS / 4 && taken > 0, "{refused} {taken}");
}

/// Values of the right place and the wrong kind or size.
#[test]
fn configurations_as_values() {
    for config in [
        small_config(),
        support::catalogue_config("smolvlm-256m"),
        support::catalogue_config("llama-4-scout"),
        support::catalogue_config("gemma-3-4b"),
    ] {
        // Headers of holes are enough here; every family is read.
        let folder = tempfile::tempdir().unwrap();
        write_checkpoint(folder.path(), &small_config(), 1);
        let mut files = Files::of(folder.path());
        let mut random = Random(0x1234_5678_9abc_def1);
        for number in 0..MUTATIONS / 4 {
            let mut config = config.clone();
            for _ in 0..=random.below(3) {
                let value = match random.below(8) {
                    0 => json!(EDGES[random.below(EDGES.len())]),
                    1 => json!(-(random.below(1000) as i64)),
                    2 => json!(EDGES[random.below(EDGES.len())] as f64),
                    3 => json!(0.5),
                    4 => json!(null),
                    5 => json!("4096"),
                    6 => json!([1, 2, EDGES[random.below(EDGES.len())]]),
                    _ => json!({}),
                };
                replace(&mut config, value, &mut random);
            }
            let text = config.to_string().into_bytes();
            files.files.insert("config.json".into(), text);
            if let Err(error) = files.inspect() {
                assert_ne!(error.code(), "modelReaderFailed", "{number}: {config}");
            }
            // What planning makes of a configuration alone.
            let _ =
                paddock_checkpoint::layout::groups(&config, paddock_checkpoint::StoredType::BF16);
        }
    }
}

/// Puts `value` somewhere into `config`.
fn replace(config: &mut serde_json::Value, value: serde_json::Value, random: &mut Random) {
    let Some(object) = config.as_object_mut() else {
        return;
    };
    let keys: Vec<String> = object.keys().cloned().collect();
    if keys.is_empty() {
        return;
    }
    let inner = &mut object[&keys[random.below(keys.len())]];
    if inner.as_object().is_some_and(|inner| !inner.is_empty()) && random.below(4) > 0 {
        replace(inner, value, random);
    } else {
        *inner = value;
    }
}

/// What is taken here the format's own reader takes too.
#[test]
fn the_formats_own_reader_agrees() {
    let files = folder();
    let sound = files.files["model.safetensors"].clone();
    let header = 8 + u64::from_le_bytes(sound[..8].try_into().unwrap()) as usize;
    let mut random = Random(0xfeed_beef_dead_cafe);
    let mut taken = 0;
    for number in 0..MUTATIONS {
        let mut bytes = sound[..header].to_vec();
        if number % 4 > 0 {
            // Mutations within the JSON alone more often leave a sound header.
            let at = 8 + random.below(header - 8);
            bytes[at] = b"0123456789,:{}[]\"aBF"[random.below(20)];
        } else {
            mutate(&mut bytes, &mut random);
        }
        bytes.extend(&sound[header..]);
        let Some(length) = bytes.first_chunk::<8>().map(|b| u64::from_le_bytes(*b)) else {
            continue;
        };
        let Some(json) = usize::try_from(length)
            .ok()
            .and_then(|length| bytes.get(8..length.checked_add(8)?))
        else {
            continue;
        };
        if paddock_checkpoint::safetensors::parse("x", json, bytes.len() as u64).is_ok() {
            taken += 1;
            assert!(
                safetensors::SafeTensors::deserialize(&bytes).is_ok(),
                "mutation {number}: {}",
                String::from_utf8_lossy(json)
            );
        }
    }
    assert!(taken > 50, "{taken}");
}
