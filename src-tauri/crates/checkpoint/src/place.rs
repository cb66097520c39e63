//! Where a model lies: the folder or file that is meant by what a person chose, and its name for people.
//!
//! Outside: what is in the files, and searching for models (the models crate).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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
        return snapshots(chosen)
            .into_iter()
            .next()
            .unwrap_or_else(|| chosen.to_owned());
    }
    chosen.to_owned()
}

/// A name for people: the folder's or file's own; for a snapshot of the Hugging Face cache, whose folders are named by
/// revisions, the repository's.
#[must_use]
pub fn name_of(path: &Path) -> String {
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
        if crate::names::is_gguf(&name) {
            return true;
        }
        weights |= crate::names::is_weights(&name);
    }
    weights && folder.join("config.json").is_file()
}

/// Longest revision that is read from `refs/main`, in bytes.
const LONGEST_REVISION: usize = 256;
/// Snapshots that are looked at in one repository of the cache.
const MOST_SNAPSHOTS: usize = 5_000;

/// The snapshots of a repository in the Hugging Face cache: what `refs/main` names first, then the others, the newest first.
#[must_use]
pub fn snapshots(repository: &Path) -> Vec<PathBuf> {
    let main = std::fs::read_to_string(repository.join("refs/main"))
        .ok()
        .filter(|text| text.len() <= LONGEST_REVISION)
        .map(|text| text.trim().to_owned());
    let mut found: Vec<(bool, Option<SystemTime>, PathBuf)> =
        std::fs::read_dir(repository.join("snapshots"))
            .into_iter()
            .flatten()
            .flatten()
            .take(MOST_SNAPSHOTS)
            .filter_map(|entry| {
                let meta = std::fs::metadata(entry.path()).ok()?;
                if !meta.is_dir() {
                    return None;
                }
                let is_main = main.as_deref() == entry.file_name().to_str();
                Some((is_main, meta.modified().ok(), entry.path()))
            })
            .collect();
    found.sort();
    found.into_iter().rev().map(|(_, _, path)| path).collect()
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
}
