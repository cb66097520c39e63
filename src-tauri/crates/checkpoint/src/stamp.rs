//! Whether a model's files changed since they were read.
//!
//! Outside: keeping what was read.

use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::names;

/// Something that changes when a model's files do: the names, lengths and modification times of all of them, be they weights,
/// configuration, tokenizer, template or processor files. The same files have the same stamp in every run of every version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp(u64);

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The stamp of the files of a folder (not of its subfolders), or of one file with the other parts and projectors beside it.
/// Links are followed. `None` if there is nothing there. A millisecond for a folder of fifty files.
#[must_use]
pub fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    let (folder, only) = if meta.is_dir() {
        (path, None)
    } else {
        (path.parent()?, Some(path.file_name()?.to_str()?))
    };
    let mut files: Vec<(String, u64, u128)> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            if only.is_some_and(|only| !belongs(&name, only)) {
                return None;
            }
            let meta = std::fs::metadata(entry.path()).ok()?;
            let changed = meta
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            meta.is_file().then(|| {
                (
                    name,
                    meta.len(),
                    changed.map_or(0, |since| since.as_nanos()),
                )
            })
        })
        .collect();
    files.sort();
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    for (name, bytes, changed) in &files {
        hash.add(name.as_bytes());
        hash.add(&[0]);
        hash.add(&bytes.to_le_bytes());
        hash.add(&changed.to_le_bytes());
    }
    Some(Stamp(hash.0))
}

/// Whether a file of the same folder is a part of the model in the file `only`.
#[must_use]
pub(crate) fn belongs(name: &str, only: &str) -> bool {
    let same_split =
        names::split_stem(only).is_some_and(|stem| names::split_stem(name) == Some(stem));
    name == only || same_split || names::is_gguf(only) && names::is_projector(name)
}

/// FNV-1a of 64 bits: the standard library's hashes may change with its version.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_with_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.gguf");
        std::fs::write(&file, "x").unwrap();
        let (whole, one) = (stamp(folder.path()), stamp(&file));
        assert_eq!(stamp(folder.path()), whole);
        std::fs::write(&file, "xy").unwrap();
        assert!(whole.is_some() && stamp(folder.path()) != whole);
        assert!(stamp(&file) != one);
        assert_eq!(stamp(&folder.path().join("gone")), None);
    }

    #[test]
    fn every_file_that_is_read_counts_and_a_neighbour_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("m.gguf", "x");
        write("config.json", "{}");
        let gguf = stamp(&folder.path().join("m.gguf"));
        for name in [
            "preprocessor_config.json",
            "processor_config.json",
            "tokenizer.json",
            "generation_config.json",
            "chat_template.jinja",
            "model.safetensors",
        ] {
            let before = stamp(folder.path());
            write(name, "1");
            let there = stamp(folder.path());
            assert_ne!(before, there, "{name}");
            write(name, "12");
            assert_ne!(there, stamp(folder.path()), "{name}");
        }
        assert_eq!(gguf, stamp(&folder.path().join("m.gguf")));
        write("mmproj-m.gguf", "x");
        assert_ne!(gguf, stamp(&folder.path().join("m.gguf")));
    }
}
