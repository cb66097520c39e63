//! A file whose checksum is wrong: finding the parts that are to blame, and loading only those again.
//!
//! Outside: loading what is missing (`file_download`).
//!
//! The Hub publishes one checksum a file, none for its parts. Parts that the disk spoiled are told by the CRC that they
//! had when they came. If there are none, bytes came wrong: parts are loaded once more and compared, those that took
//! several connections first, until the checksum is right; only parts that differ are written.

use std::sync::atomic::Ordering;

use futures_util::{StreamExt as _, stream};

use crate::client::Patience;
use crate::file_download::{Job, on_disk};
use crate::{Hash, HubError};

impl Job {
    /// Whether the file is whole now; false: parts are missing again, load them.
    ///
    /// # Errors
    /// The publisher's bytes cannot be had here.
    pub async fn mend(&self, hash: &Hash) -> Result<bool, HubError> {
        let file = self.file.clone();
        let spoiled = on_disk(self.name(), move || file.spoiled()).await?;
        if !spoiled.is_empty() {
            self.forget(spoiled).await?;
            return Ok(false);
        }
        if self.ignores_ranges.load(Ordering::Relaxed) {
            self.forget((0..self.file.parts()).collect()).await?;
            return Ok(false);
        }
        if self.compare_with_origin(hash).await? {
            return Ok(true);
        }
        // Whoever resumes begins this file anew.
        self.forget((0..self.file.parts()).collect()).await?;
        Err(HubError::WrongContent {
            file: self.name().to_owned(),
        })
    }

    /// Loads parts again beside those on the disk; true as soon as the checksum is right.
    async fn compare_with_origin(&self, hash: &Hash) -> Result<bool, HubError> {
        let suspects = self.suspects();
        let order: Vec<u64> = suspects
            .iter()
            .copied()
            .chain((0..self.file.parts()).filter(|index| !suspects.contains(index)))
            .collect();
        let (mut changed, mut look_at) = (0_u64, 1);
        let connections = self.content.hub().options().connections.max(1);
        let mut parts = stream::iter(order)
            .map(|index| async move { (index, self.fetch_part(index).await) })
            .buffered(connections);
        while let Some((index, part)) = parts.next().await {
            let bytes = part?;
            let crc = crc32fast::hash(&bytes);
            if self.file.crc(index) == Some(crc) {
                continue;
            }
            let (file, offset) = (self.file.clone(), self.file.range(index).0);
            on_disk(self.name(), move || {
                file.write(offset, &bytes)?;
                file.finish(index, crc)
            })
            .await?;
            changed += 1;
            // The whole is read again after 1, 2, 4, 8... changes: mostly one part is to blame, sometimes all are.
            if changed >= look_at {
                look_at *= 2;
                if self.verify(hash).await? {
                    return Ok(true);
                }
            }
        }
        Ok(changed > 0 && self.verify(hash).await?)
    }

    async fn fetch_part(&self, index: u64) -> Result<Vec<u8>, HubError> {
        let options = self.content.hub().options();
        let mut patience = Patience::new(options);
        let (from, to) = self.file.range(index);
        let mut bytes = Vec::with_capacity((to - from) as usize);
        loop {
            let before = bytes.len();
            match self.fetch_into(&mut bytes, from, to).await {
                Ok(()) => return Ok(bytes),
                Err(error) => patience.wait(error, bytes.len() > before).await?,
            }
        }
    }

    async fn fetch_into(&self, bytes: &mut Vec<u8>, from: u64, to: u64) -> Result<(), HubError> {
        let missing = || HubError::BadAnswer {
            host: self.content.hub().host(),
            detail: "other bytes than those asked for".to_owned(),
        };
        let mut body = self.content.open(from + bytes.len() as u64, to).await?;
        if body.whole && (from, to) != (0, self.file.bytes()) {
            return Err(missing());
        }
        if body.whole {
            bytes.clear();
        }
        while (bytes.len() as u64) < to - from {
            let Some(mut more) = body.next().await? else {
                return Err(missing());
            };
            more.truncate((to - from) as usize - bytes.len());
            self.shared
                .received
                .fetch_add(more.len() as u64, Ordering::Relaxed);
            self.shared.throttle.pass(more.len() as u64).await;
            bytes.extend_from_slice(&more);
        }
        Ok(())
    }
}
