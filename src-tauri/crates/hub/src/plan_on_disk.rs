//! Where a download's files go, and how many of them are there already.
//!
//! Outside: bringing them there (`repository_download`).

use std::path::{Path, PathBuf};

use paddock_conversation::ModelId;

use crate::manifest::{Folders, Manifest};
use crate::part_file;
use crate::{Plan, RemoteFile};

impl Plan {
    pub(crate) fn folders(&self, models: &Path) -> Folders {
        Folders::of(models, &self.repository, self.model_file.as_deref())
    }

    /// The model, once it is there.
    #[must_use]
    pub fn model_path(&self, models: &Path) -> PathBuf {
        let folder = self.folders(models).whole;
        match &self.model_file {
            Some(file) => folder.join(file),
            None => folder,
        }
    }

    /// The id of the model once it is there. Blocks.
    #[must_use]
    pub fn model_id(&self, models: &Path) -> ModelId {
        let path = self.model_path(models);
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        ModelId::local(&path.to_string_lossy())
    }

    /// Bytes that need not be downloaded any more. Blocks.
    #[must_use]
    pub fn present_bytes(&self, models: &Path, part_bytes: u64) -> u64 {
        let folders = self.folders(models);
        self.files
            .iter()
            .map(|file| match folders.verified(file) {
                Some(_) => file.bytes,
                None => unfinished(&folders, file, part_bytes),
            })
            .sum()
    }

    /// Whether every file is in the model's folder, verified. Blocks.
    #[must_use]
    pub fn is_here(&self, models: &Path) -> bool {
        let folders = self.folders(models);
        let manifest = Manifest::read(&folders.whole);
        manifest.is_some_and(|manifest| {
            self.files.iter().all(|file| {
                manifest.has(file)
                    && std::fs::metadata(folders.whole.join(&file.path))
                        .is_ok_and(|meta| meta.len() == file.bytes)
            })
        })
    }

    /// Takes away what is on its way; a model that is there stays. Blocks.
    ///
    /// # Errors
    /// The files cannot be removed.
    pub(crate) fn discard(&self, models: &Path) -> std::io::Result<()> {
        let folders = self.folders(models);
        match std::fs::remove_dir_all(&folders.partial) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Bytes of a file's finished parts, if they are of the very same file.
fn unfinished(folders: &Folders, file: &RemoteFile, part_bytes: u64) -> u64 {
    let same = Manifest::read(&folders.partial).is_some_and(|manifest| manifest.has(file));
    if same {
        part_file::done_bytes(&folders.partial.join(&file.path), file.bytes, part_bytes)
    } else {
        0
    }
}
