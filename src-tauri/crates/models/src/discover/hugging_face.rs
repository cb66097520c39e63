//! The Hugging Face cache: `models--owner--name/snapshots/<revision>/...`, whose files are links into `blobs`.
//!
//! Outside: data sets and spaces of the same cache.
//!
//! Layout: huggingface_hub, "Understand caching".

use std::path::Path;

use paddock_checkpoint::place::snapshots;

use crate::discover::search::{Kind, Search};
use crate::entry::ModelSource;

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
