//! The Hugging Face cache: `models--owner--name/snapshots/<revision>/...`, whose files are links into `blobs`.
//!
//! Outside: data sets and spaces of the same cache.
//!
//! Layout: huggingface_hub, "Understand caching".

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Kind, Search};
use crate::ModelSource;

/// Longest revision that is read from `refs/main`, in bytes.
const LONGEST_REVISION: usize = 256;

pub(super) fn search(search: &mut Search, hub: &Path) {
    for entry in search.list(hub) {
        let Some(repository) = entry.name.strip_prefix("models--") else {
            continue;
        };
        if entry.kind != Some(Kind::Folder) {
            continue;
        }
        let repository = repository.replacen("--", "/", 1);
        let name = repository
            .rsplit_once('/')
            .map_or(repository.as_str(), |(_, name)| name)
            .to_owned();
        // The first whole one; the others are older versions of the same.
        for snapshot in snapshots(&entry.path) {
            if search.add_folder(
                &snapshot,
                ModelSource::HuggingFace,
                &name,
                Some(repository.clone()),
            ) {
                break;
            }
        }
    }
}

/// The snapshot of a cached repository that is meant when none is named.
pub(crate) fn newest_snapshot(repository: &Path) -> Option<PathBuf> {
    snapshots(repository).into_iter().next()
}

/// What `refs/main` names first, then the others, the newest first.
fn snapshots(repository: &Path) -> Vec<PathBuf> {
    let main = std::fs::read_to_string(repository.join("refs/main"))
        .ok()
        .filter(|text| text.len() <= LONGEST_REVISION)
        .map(|text| text.trim().to_owned());
    let mut found: Vec<(bool, Option<SystemTime>, PathBuf)> =
        std::fs::read_dir(repository.join("snapshots"))
            .into_iter()
            .flatten()
            .flatten()
            .take(super::MOST_NAMES_A_FOLDER)
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
