//! Pictures as files, in folders named by the SHA-256 of the original: stored once, never half written.
//!
//! Outside: what is in the bytes.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use paddock_conversation::ImageId;
use sha2::{Digest as _, Sha256};

use crate::StoreError;

/// The forms in which a picture is kept. All but the original are derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rendition {
    /// The file as it was taken in.
    Original,
    /// Upright sRGB pixels as PNG: what is shown large, and sent.
    Upright,
    /// A small JPEG.
    Thumb,
}

impl Rendition {
    const ALL: [Self; 3] = [Self::Original, Self::Upright, Self::Thumb];

    const fn file_name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Upright => "upright.png",
            Self::Thumb => "thumb.jpg",
        }
    }
}

/// The folder of pictures: `<first two digits>/<the other 62>/<rendition>`.
#[derive(Debug)]
pub struct Blobs {
    folder: PathBuf,
    next_temporary: AtomicU64,
}

impl Blobs {
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder.join("tmp")).map_err(|e| StoreError::folder(folder, e))?;
        // Left over from a crash; nothing refers to them.
        for entry in fs::read_dir(folder.join("tmp"))?.flatten() {
            let _ = fs::remove_file(entry.path());
        }
        Ok(Self {
            folder: folder.to_owned(),
            next_temporary: AtomicU64::new(0),
        })
    }

    /// The id that these bytes have or would have.
    #[must_use]
    pub fn id_of(original: &[u8]) -> ImageId {
        ImageId::from_digest(Sha256::digest(original).into())
    }

    /// Keeps a rendition. An original must have the id of its bytes; one that is there already is not written again.
    ///
    /// # Errors
    /// The disk is full or the folder cannot be written; nothing half written stays.
    pub fn put(&self, id: &ImageId, rendition: Rendition, bytes: &[u8]) -> Result<(), StoreError> {
        let target = self.path(id, rendition);
        if rendition == Rendition::Original
            && fs::metadata(&target).is_ok_and(|there| there.len() == bytes.len() as u64)
        {
            return Ok(());
        }
        let folder = self.folder_of(id);
        fs::create_dir_all(&folder)?;
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join("tmp").join(number.to_string());
        let written = (|| {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &target)?;
            sync_folder(&folder)
        })();
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        Ok(written?)
    }

    /// # Errors
    /// The picture is not there, was changed on disk (checked for originals), or cannot be read.
    pub fn read(&self, id: &ImageId, rendition: Rendition) -> Result<Vec<u8>, StoreError> {
        let bytes = fs::read(self.path(id, rendition)).map_err(|error| match error.kind() {
            ErrorKind::NotFound => StoreError::NoImage(id.clone()),
            _ => StoreError::File(error),
        })?;
        if rendition == Rendition::Original && Self::id_of(&bytes) != *id {
            return Err(StoreError::ImageChanged(id.clone()));
        }
        Ok(bytes)
    }

    #[must_use]
    pub fn contains(&self, id: &ImageId, rendition: Rendition) -> bool {
        self.path(id, rendition).is_file()
    }

    pub(crate) fn remove(&self, id: &ImageId) -> Result<(), StoreError> {
        for rendition in Rendition::ALL {
            match fs::remove_file(self.path(id, rendition)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        let _ = fs::remove_dir(self.folder_of(id));
        Ok(())
    }

    fn folder_of(&self, id: &ImageId) -> PathBuf {
        let (shard, rest) = id.as_str().split_at(2);
        self.folder.join(shard).join(rest)
    }

    fn path(&self, id: &ImageId, rendition: Rendition) -> PathBuf {
        self.folder_of(id).join(rendition.file_name())
    }
}

/// Makes a rename survive a power cut, where folders can be synchronised at all.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}
