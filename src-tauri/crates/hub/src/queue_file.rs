//! The file that keeps the list of downloads over a restart: written whole, newest last, by whoever may wait for the disk.
//!
//! Outside: the downloads themselves (`downloads`).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use paddock_conversation::Failure;
use serde::{Deserialize, Serialize};

use crate::{Plan, disk};

const VERSION: u32 = 1;

/// What is kept over a restart. No token: that is asked for when the user resumes.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    downloads: Vec<KeptItem>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct KeptItem {
    pub plan: Plan,
    pub failure: Option<Failure>,
}

/// A content that is to be written. Those that were made earlier are older.
#[derive(Debug)]
pub struct Pending {
    number: u64,
    content: Vec<u8>,
}

#[derive(Debug)]
pub struct QueueFile {
    path: PathBuf,
    made: AtomicU64,
    /// The number of the newest content on the disk; held while it is written.
    written: Mutex<u64>,
}

impl QueueFile {
    /// The one of a models folder.
    pub fn of(models: &Path) -> Self {
        Self {
            path: models.join("downloads.json"),
            made: AtomicU64::new(0),
            written: Mutex::new(0),
        }
    }

    /// What is kept; nothing if there is no file. One that cannot be understood is said and set aside: nothing is lost.
    /// Blocks for a small file.
    pub fn read(&self) -> Vec<KeptItem> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "the list of downloads could not be read");
                return Vec::new();
            }
        };
        let why = match serde_json::from_slice::<Kept>(&text) {
            Ok(kept) if kept.version == VERSION => return kept.downloads,
            Ok(kept) => format!("version {}", kept.version),
            Err(error) => error.to_string(),
        };
        tracing::warn!(
            why,
            "the list of downloads is not understood; it is set aside"
        );
        if let Err(error) = std::fs::rename(&self.path, self.path.with_extension("json.old")) {
            tracing::warn!(%error, "the list of downloads could not be set aside");
        }
        Vec::new()
    }

    /// Notes a list; call it where no other can be made at the same time.
    pub fn pending(&self, downloads: Vec<KeptItem>) -> Pending {
        let kept = Kept {
            version: VERSION,
            downloads,
        };
        Pending {
            number: self.made.fetch_add(1, Ordering::Relaxed) + 1,
            // Strings, numbers and lists of them: that cannot fail.
            content: serde_json::to_vec(&kept).unwrap_or_default(),
        }
    }

    /// Brings a content to the disk, unless a newer one is there already. Blocks for the disk, which may take seconds while
    /// much is written: never call it on a worker of the runtime.
    pub fn write(&self, pending: &Pending) -> std::io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.number <= *written {
            return Ok(());
        }
        disk::write_whole(&self.path, &pending.content)?;
        *written = pending.number;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str) -> KeptItem {
        KeptItem {
            plan: Plan {
                repository: name.to_owned(),
                commit: String::new(),
                licence: None,
                files: Vec::new(),
                model_file: None,
            },
            failure: None,
        }
    }

    #[test]
    fn an_older_list_never_replaces_a_newer_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = QueueFile::of(&folder.path().join("models"));
        assert!(file.read().is_empty());
        let (first, second) = (
            file.pending(vec![item("a/1")]),
            file.pending(vec![item("a/2")]),
        );
        file.write(&second).unwrap();
        file.write(&first).unwrap();
        assert_eq!(file.read()[0].plan.repository, "a/2");
    }

    #[test]
    fn a_list_that_is_not_understood_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let file = QueueFile::of(folder.path());
        std::fs::write(&file.path, "{\"version\": 9, \"downloads\": []}").unwrap();
        assert!(file.read().is_empty());
        assert!(!file.path.exists() && folder.path().join("downloads.json.old").exists());
    }
}
