//! Bytes as they come from one connection, into a file on its way: cut into parts, written in batches on a thread that
//! may block, a part marked as done once its bytes are written.
//!
//! Outside: where the bytes come from.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::HubError;
use crate::part_file::PartFile;

/// Written at once; small enough to stay in the processor's cache on its way.
const BATCH_BYTES: usize = 1 << 20;

/// A place in a file from which on bytes are put. Parts that are done are passed over.
#[derive(Debug)]
pub struct PartWriter {
    file: Arc<PartFile>,
    name: String,
    position: u64,
    crc: crc32fast::Hasher,
    /// Bytes of the part under way that were new.
    in_part: u64,
    passing_over: bool,
    batch: Vec<(u64, Bytes)>,
    batched: usize,
    finished: Vec<(u64, u32)>,
    writing: Option<JoinHandle<std::io::Result<()>>>,
}

impl PartWriter {
    /// `position` is the first byte of a part.
    pub fn new(file: &Arc<PartFile>, name: &str, position: u64) -> Self {
        Self {
            file: file.clone(),
            name: name.to_owned(),
            position,
            crc: crc32fast::Hasher::new(),
            in_part: 0,
            passing_over: false,
            batch: Vec::new(),
            batched: 0,
            finished: Vec::new(),
            writing: None,
        }
    }

    /// Where the next byte goes.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// New bytes of the part that is not whole yet.
    pub fn in_part(&self) -> u64 {
        self.in_part
    }

    /// Takes bytes; returns how many of them were new. At most up to the file's end.
    pub fn take(&mut self, mut bytes: Bytes) -> u64 {
        let mut new = 0;
        while !bytes.is_empty() && self.position < self.file.bytes() {
            let index = self.file.part_of(self.position);
            let (from, to) = self.file.range(index);
            if self.position == from {
                self.passing_over = self.file.is_done(index);
            }
            let piece = bytes.split_to(bytes.len().min((to - self.position) as usize));
            let at = self.position;
            self.position += piece.len() as u64;
            if self.passing_over {
                continue;
            }
            new += piece.len() as u64;
            self.in_part += piece.len() as u64;
            self.crc.update(&piece);
            self.batched += piece.len();
            self.batch.push((at, piece));
            if self.position == to {
                self.finished
                    .push((index, std::mem::take(&mut self.crc).finalize()));
                self.in_part = 0;
            }
        }
        new
    }

    /// Begins to write if enough has come; waits for what is being written.
    pub async fn write_some(&mut self) -> Result<(), HubError> {
        if self.batched >= BATCH_BYTES {
            self.begin().await?;
        }
        Ok(())
    }

    /// Writes all that has come.
    pub async fn write_all(&mut self) -> Result<(), HubError> {
        self.begin().await?;
        self.settle().await
    }

    async fn begin(&mut self) -> Result<(), HubError> {
        self.settle().await?;
        if self.batch.is_empty() {
            return Ok(());
        }
        let (batch, finished) = (
            std::mem::take(&mut self.batch),
            std::mem::take(&mut self.finished),
        );
        self.batched = 0;
        let file = self.file.clone();
        self.writing = Some(tokio::task::spawn_blocking(move || {
            for (offset, bytes) in batch {
                file.write(offset, &bytes)?;
            }
            for (index, crc) in finished {
                file.finish(index, crc)?;
            }
            Ok(())
        }));
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), HubError> {
        let Some(writing) = self.writing.take() else {
            return Ok(());
        };
        writing
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error.to_string())))
            .map_err(|error| HubError::from_io(&self.name, &error))
    }
}
