//! `paddock.json` beside a downloaded model: where it came from, and the checksum that every file was verified with.
//!
//! Outside: verifying.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::system_start::this_start;
use crate::{Plan, RemoteFile, disk};

const NAME: &str = "paddock.json";
const VERSION: u32 = 1;

/// Written last, when all its files are verified and in their place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub(crate) version: u32,
    pub endpoint: String,
    pub repository: String,
    pub commit: String,
    pub licence: Option<String>,
    pub files: Vec<RemoteFile>,
    /// The GGUF file that was downloaded last, if it is such a model.
    pub model_file: Option<String>,
    /// The start of the system (`settle`) during which the files were verified, until they are known to be on the disk.
    pub unsettled: Option<String>,
}

impl Manifest {
    pub fn new(endpoint: &str, plan: &Plan) -> Self {
        Self {
            version: VERSION,
            endpoint: endpoint.to_owned(),
            repository: plan.repository.clone(),
            commit: plan.commit.clone(),
            licence: plan.licence.clone(),
            files: plan.files.clone(),
            model_file: plan.model_file.clone(),
            // A start without a name is never the same: then files are verified again.
            unsettled: Some(this_start().unwrap_or_default()),
        }
    }

    /// What has to be downloaded to have these files.
    pub fn plan(&self) -> Plan {
        Plan {
            repository: self.repository.clone(),
            commit: self.commit.clone(),
            licence: self.licence.clone(),
            files: self.files.clone(),
            model_file: self.model_file.clone(),
        }
    }

    /// The one of a folder; none if there is none that this version understands. Blocks.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join(NAME)).ok()?;
        let manifest: Self = serde_json::from_slice(&text).ok()?;
        (manifest.version == VERSION).then_some(manifest)
    }

    /// Blocks.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        disk::write_whole(&folder.join(NAME), &text)
    }

    /// Whether it names exactly this file.
    pub fn has(&self, file: &RemoteFile) -> bool {
        file.hash.is_some() && self.files.contains(file)
    }

    pub fn file(&self, path: &str) -> Option<&RemoteFile> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// Where a repository's files go.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The model's folder; everything in it is verified.
    pub whole: PathBuf,
    /// Beside it: files on their way. It is never a model.
    pub partial: PathBuf,
}

impl Folders {
    /// `repository` is `owner/name`, whose pieces are safe as folder names (`Reference`); `file` is the one GGUF model
    /// of it that is meant, each of which is prepared in a folder of its own.
    pub fn of(models: &Path, repository: &str, file: Option<&str>) -> Self {
        let (owner, name) = repository.split_once('/').unwrap_or(("", repository));
        let owner = models.join(owner);
        let file = file.map_or_else(String::new, |file| format!(".{}", file.replace('/', "_")));
        Self {
            whole: owner.join(name),
            // No repository's name begins with a dot.
            partial: owner.join(format!(".{name}{file}.partial")),
        }
    }

    /// Where a verified copy of a file is, if anywhere. Blocks.
    pub fn verified(&self, file: &RemoteFile) -> Option<PathBuf> {
        [&self.partial, &self.whole].into_iter().find_map(|folder| {
            let path = folder.join(&file.path);
            let same_length = std::fs::metadata(&path)
                .is_ok_and(|meta| meta.is_file() && meta.len() == file.bytes);
            let known = same_length && Manifest::read(folder).is_some_and(|m| m.has(file));
            known.then_some(path)
        })
    }
}
