//! A repository's files read by ranges: what a model is and whether it fits is known before a byte of its weights is
//! downloaded.
//!
//! Outside: what the bytes mean (the checkpoint crate), downloading whole files.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt as _, stream};
use paddock_checkpoint::{FileEntry, ReadRange, SourceError};

use crate::client::Patience;
use crate::fetch::RemoteContent;
use crate::{Hub, HubError, RemoteFile, Repository};

/// What is read of a weight file at first; the checkpoint reader asks for the same.
const FIRST_READ_BYTES: u64 = 64 << 10;
/// Small files are read once and kept.
const SMALL_FILE_BYTES: u64 = 4 << 20;

/// The files of one repository at one commit.
#[derive(Debug)]
pub struct RemoteFiles {
    hub: Hub,
    repository: String,
    files: HashMap<String, RemoteContent>,
    /// The beginnings of files that were read ahead.
    beginnings: Mutex<HashMap<String, Vec<u8>>>,
    /// What the Hub said when it refused; a [`SourceError`] has only its words.
    refusal: Mutex<Option<HubError>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RemoteFiles {
    #[must_use]
    pub fn new(hub: &Hub, repository: &Repository) -> Self {
        let content =
            |file: &RemoteFile| RemoteContent::new(hub, &repository.name, &repository.commit, file);
        Self {
            hub: hub.clone(),
            repository: repository.name.clone(),
            files: repository
                .files
                .iter()
                .map(|file| (file.path.clone(), content(file)))
                .collect(),
            beginnings: Mutex::default(),
            refusal: Mutex::default(),
        }
    }

    /// Why the Hub refused to be read, if it did.
    #[must_use]
    pub fn refusal(&self) -> Option<HubError> {
        lock(&self.refusal).clone()
    }

    /// Reads what the checkpoint reader will ask for, several files at a time: it asks for one after the other, which
    /// for fifty shards would take as many journeys. What fails here fails again, and is told, when it is asked for.
    pub async fn read_ahead(&self) {
        if self.files.contains_key("config.json")
            && self.read("config.json", 0, SMALL_FILE_BYTES).await.is_err()
        {
            return;
        }
        let wanted = self.files.values().filter_map(|content| {
            let file = content.file();
            let weights = file.path.ends_with(".safetensors") && !file.path.contains('/');
            let small = matches!(
                file.path.as_str(),
                "preprocessor_config.json" | "processor_config.json"
            ) || file.path.ends_with(".safetensors.index.json");
            let bytes = if weights {
                FIRST_READ_BYTES
            } else {
                SMALL_FILE_BYTES
            };
            (weights || small).then_some((file.path.as_str(), bytes))
        });
        stream::iter(wanted.collect::<Vec<_>>())
            .for_each_concurrent(
                self.hub.options().connections.max(1),
                |(path, bytes)| async move {
                    if let Ok(beginning) = self.read(path, 0, bytes).await {
                        lock(&self.beginnings).insert(path.to_owned(), beginning);
                    }
                },
            )
            .await;
    }

    async fn fetch(
        &self,
        content: &RemoteContent,
        from: u64,
        to: u64,
    ) -> Result<Vec<u8>, HubError> {
        let options = self.hub.options();
        let mut patience = Patience::interactive(options);
        let mut bytes = Vec::with_capacity((to - from) as usize);
        loop {
            let before = bytes.len();
            match fetch_into(content, &mut bytes, from, to).await {
                Ok(()) => return Ok(bytes),
                Err(error) => patience.wait(error, bytes.len() > before).await?,
            }
        }
    }
}

async fn fetch_into(
    content: &RemoteContent,
    bytes: &mut Vec<u8>,
    from: u64,
    to: u64,
) -> Result<(), HubError> {
    let mut body = content.open(from + bytes.len() as u64, to).await?;
    // Of a server that knows no ranges, the beginning is passed over.
    let mut pass_over = if body.whole {
        from + bytes.len() as u64
    } else {
        0
    };
    while (bytes.len() as u64) < to - from {
        let Some(mut more) = body.next().await? else {
            return Err(HubError::Unreachable {
                host: body.host(),
                detail: "it ended the answer too early".to_owned(),
            });
        };
        let over = pass_over.min(more.len() as u64);
        pass_over -= over;
        let _ = more.split_to(over as usize);
        more.truncate((to - from) as usize - bytes.len());
        bytes.extend_from_slice(&more);
    }
    Ok(())
}

impl ReadRange for RemoteFiles {
    fn place(&self) -> String {
        self.repository.clone()
    }

    async fn files(&self) -> Result<Vec<FileEntry>, SourceError> {
        let entry = |content: &RemoteContent| FileEntry {
            name: content.file().path.clone(),
            bytes: content.file().bytes,
        };
        Ok(self.files.values().map(entry).collect())
    }

    async fn read(&self, file: &str, offset: u64, length: u64) -> Result<Vec<u8>, SourceError> {
        let content = self.files.get(file).ok_or(SourceError::NotFound)?;
        let bytes = content.file().bytes;
        let end = offset.saturating_add(length).min(bytes);
        if offset >= end {
            return Ok(Vec::new());
        }
        if let Some(beginning) = lock(&self.beginnings).get(file)
            && let Some(piece) = beginning.get(offset as usize..end as usize)
        {
            return Ok(piece.to_vec());
        }
        let read = self.fetch(content, offset, end).await.map_err(|error| {
            let words = error.to_string();
            lock(&self.refusal).get_or_insert(error);
            SourceError::Remote(words.trim_end_matches('.').to_owned())
        })?;
        if offset == 0 && end == bytes && bytes <= SMALL_FILE_BYTES {
            lock(&self.beginnings).insert(file.to_owned(), read.clone());
        }
        Ok(read)
    }
}
