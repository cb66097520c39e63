//! What is to be downloaded: files with their checksums, pinned to a commit.
//!
//! Outside: which files those are (`preflight`), what of them is on the disk (`plan_on_disk`).

use serde::{Deserialize, Serialize};

use crate::RemoteFile;

/// What is to be downloaded, pinned to a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// `owner/name`.
    pub repository: String,
    pub commit: String,
    pub licence: Option<String>,
    pub files: Vec<RemoteFile>,
    /// The GGUF file to load (the first part of a split one); none: the folder is the model.
    pub model_file: Option<String>,
}

impl Plan {
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}
