//! Where a model lies: the folder or file that is meant by what a person chose, its name for people, and whether its
//! files changed.
//!
//! Outside: what is in the files (`checkpoint`), and searching for models (`discover`).

use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// Folders that are looked into for a model one level below the chosen one.
const MOST_FOLDERS: usize = 500;

/// What is to be kept for a chosen path: the folder for one of its `.safetensors` or JSON files, the newest complete
/// snapshot for a repository of the Hugging Face cache, else the path itself.
#[must_use]
pub fn model_path(chosen: &Path) -> PathBuf {
    let ending = chosen.extension().and_then(OsStr::to_str).unwrap_or("");
    if matches!(ending, "safetensors" | "json" | "uqff")
        && chosen.is_file()
        && let Some(folder) = chosen.parent()
    {
        return folder.to_owned();
    }
    if chosen.join("refs").is_dir() && chosen.join("snapshots").is_dir() {
        return crate::discover::newest_snapshot(chosen).unwrap_or_else(|| chosen.to_owned());
    }
    chosen.to_owned()
}

/// A name for people: the folder's or file's own; for a snapshot of the Hugging Face cache, whose folders are named by
/// revisions, the repository's.
pub(crate) fn name_of(path: &Path) -> String {
    let text = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    if let Some(snapshots) = path.parent()
        && snapshots.file_name() == Some(OsStr::new("snapshots"))
        && let Some(repository) = snapshots.parent().and_then(text)
        && let Some(plain) = repository.strip_prefix("models--")
    {
        return plain
            .rsplit_once("--")
            .map_or(plain, |(_, name)| name)
            .to_owned();
    }
    text(path).unwrap_or_else(|| path.display().to_string())
}

/// The first folder, by name, directly below `folder` that holds a model while `folder` itself holds none. Not more than
/// a few hundred are looked at.
pub(crate) fn model_below(folder: &Path) -> Option<PathBuf> {
    if holds_model(folder) {
        return None;
    }
    std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .take(MOST_FOLDERS)
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && holds_model(path))
        .min()
}

/// Whether a folder has a configuration with weights, or a GGUF file.
fn holds_model(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let mut weights = false;
    for entry in entries.flatten().take(MOST_FOLDERS) {
        let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
        if name.ends_with(".gguf") {
            return true;
        }
        weights |= name.ends_with(".safetensors") || name.ends_with(".uqff");
    }
    weights && folder.join("config.json").is_file()
}

/// Something that changes when a model's files do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp(u64);

/// The stamp of a model's files: names, lengths and times of a folder's files, or of one file and its folder. `None` if
/// there is nothing there. A millisecond for a folder of fifty files.
#[must_use]
pub fn stamp(path: &Path) -> Option<Stamp> {
    let meta = std::fs::metadata(path).ok()?;
    let mut hasher = DefaultHasher::new();
    if meta.is_dir() {
        let mut files: Vec<_> = std::fs::read_dir(path)
            .ok()?
            .flatten()
            .filter_map(|entry| {
                let meta = std::fs::metadata(entry.path()).ok()?;
                Some((entry.file_name(), meta.len(), meta.modified().ok()))
            })
            .collect();
        files.sort();
        files.hash(&mut hasher);
    } else {
        (meta.len(), meta.modified().ok()).hash(&mut hasher);
        // A projector or another part beside it counts too.
        path.parent()
            .and_then(|folder| std::fs::metadata(folder).ok()?.modified().ok())
            .hash(&mut hasher);
    }
    Some(Stamp(hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_its_repositorys_name() {
        for (path, name) in [
            ("/c/models--org--Model-1B/snapshots/abc", "Model-1B"),
            ("/c/models--gpt2/snapshots/abc", "gpt2"),
            ("/models/Model-1B", "Model-1B"),
            ("/models/snapshots/x.gguf", "x.gguf"),
        ] {
            assert_eq!(name_of(Path::new(path)), name, "{path}");
        }
    }

    #[test]
    fn a_file_of_a_folder_means_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["model.safetensors", "config.json", "x.gguf"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        for name in ["model.safetensors", "config.json"] {
            assert_eq!(model_path(&folder.path().join(name)), folder.path());
        }
        let gguf = folder.path().join("x.gguf");
        assert_eq!(model_path(&gguf), gguf);
        let gone = folder.path().join("gone.safetensors");
        assert_eq!(model_path(&gone), gone);
    }

    #[test]
    fn a_stamp_changes_with_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, "x").unwrap();
        let (whole, one) = (stamp(folder.path()), stamp(&file));
        assert_eq!(stamp(folder.path()), whole);
        std::fs::write(&file, "xy").unwrap();
        assert!(whole.is_some() && stamp(folder.path()) != whole);
        assert!(stamp(&file) != one);
        assert_eq!(stamp(&folder.path().join("gone")), None);
    }
}
