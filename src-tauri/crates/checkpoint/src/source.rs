//! Bytes of a checkpoint's files by name and range, wherever they are; headers are all that is ever asked for.
//!
//! Outside: what the bytes mean, downloading whole files.

use std::future::Future;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// One file of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Name inside the checkpoint, `/` between folders.
    pub name: String,
    pub bytes: u64,
}

/// Why bytes could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("it does not exist")]
    NotFound,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The network or server; the text says what.
    #[error("{0}")]
    Remote(String),
}

/// A place that holds a checkpoint's files.
pub trait ReadRange: Sync {
    /// Name of the place for messages: a path or a repository.
    fn place(&self) -> String;

    /// All files, in no order.
    fn files(&self) -> impl Future<Output = Result<Vec<FileEntry>, SourceError>> + Send;

    /// `length` bytes from `offset` on; fewer if the file ends before.
    fn read(
        &self,
        file: &str,
        offset: u64,
        length: u64,
    ) -> impl Future<Output = Result<Vec<u8>, SourceError>> + Send;
}

/// A folder on this computer (not its subfolders), or one file as if it were alone in its folder.
#[derive(Debug, Clone)]
pub struct LocalFiles {
    folder: PathBuf,
    only: Option<String>,
}

impl LocalFiles {
    /// All files of a folder.
    #[must_use]
    pub fn folder(path: &Path) -> Self {
        Self {
            folder: path.to_owned(),
            only: None,
        }
    }

    /// One file; the other parts of a split file (same name but for the number) belong to it, and projectors beside it.
    #[must_use]
    pub fn file(path: &Path) -> Option<Self> {
        Some(Self {
            folder: path.parent()?.to_owned(),
            only: Some(path.file_name()?.to_str()?.to_owned()),
        })
    }
}

impl ReadRange for LocalFiles {
    fn place(&self) -> String {
        match &self.only {
            Some(name) => self.folder.join(name).display().to_string(),
            None => self.folder.display().to_string(),
        }
    }

    async fn files(&self) -> Result<Vec<FileEntry>, SourceError> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            if let Some(only) = &self.only
                && !crate::stamp::belongs(&name, only)
            {
                continue;
            }
            // Follows links: the Hugging Face cache and Ollama are made of them. A dangling one is as good as missing.
            let Ok(meta) = std::fs::metadata(entry.path()) else {
                continue;
            };
            if meta.is_file() {
                files.push(FileEntry {
                    name,
                    bytes: meta.len(),
                });
            }
        }
        Ok(files)
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>, SourceError> {
        let mut handle = std::fs::File::open(self.folder.join(file)).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                SourceError::NotFound
            } else {
                error.into()
            }
        })?;
        if offset > 0 {
            handle.seek(SeekFrom::Start(offset))?;
        }
        let mut bytes = Vec::new();
        handle.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
