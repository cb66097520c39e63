//! Pictures as files, in folders named by the SHA-256 of the original: stored once, never half written.
//!
//! Outside: what is in the bytes.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use paddock_conversation::ImageId;
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;
use crate::files::{remove_if_there, sync_folder};

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
    /// Pictures that were put since the store was opened. Their rows may be still to come: nobody removes their files.
    in_hand: Mutex<HashSet<ImageId>>,
}

/// A folder with the files of one picture.
#[derive(Debug)]
pub(crate) struct Kept {
    pub id: ImageId,
    /// When its newest file was written, in milliseconds since 1970.
    pub written_ms: u64,
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
            in_hand: Mutex::default(),
        })
    }

    /// The id that these bytes have or would have.
    #[must_use]
    pub fn id_of(original: &[u8]) -> ImageId {
        ImageId::from_digest(Sha256::digest(original).into())
    }

    /// Keeps a rendition. An original must have the id of its bytes; one that is there and whole is not written again,
    /// one that the disk has changed is.
    ///
    /// # Errors
    /// The disk is full or the folder cannot be written; nothing half written stays.
    pub fn put(&self, id: &ImageId, rendition: Rendition, bytes: &[u8]) -> Result<(), StoreError> {
        self.hand().insert(id.clone());
        let target = self.path(id, rendition);
        if rendition == Rendition::Original && is_whole(&target, id, bytes.len()) {
            return Ok(());
        }
        let folder = self.folder_of(id);
        let is_new = !folder.is_dir();
        fs::create_dir_all(&folder)?;
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join("tmp").join(number.to_string());
        let written = (|| {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &target)?;
            sync_folder(&folder)?;
            if is_new && let Some(shard) = folder.parent() {
                sync_folder(shard)?;
                sync_folder(&self.folder)?;
            }
            Ok(())
        })();
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
            // Only an empty one goes.
            let _ = fs::remove_dir(&folder);
        }
        written.map_err(|error: std::io::Error| error.into())
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

    /// Removes all files of a picture, as far as they can be removed. One that was put since the store was opened
    /// stays, and the answer is `false`.
    pub(crate) fn remove(&self, id: &ImageId) -> Result<bool, StoreError> {
        // Held to the end: whoever puts it again meanwhile writes it after this.
        let hand = self.hand();
        if hand.contains(id) {
            return Ok(false);
        }
        let mut outcome = Ok(true);
        for rendition in Rendition::ALL {
            if let Err(error) = remove_if_there(&self.path(id, rendition)) {
                outcome = Err(error.into());
            }
        }
        let _ = fs::remove_dir(self.folder_of(id));
        outcome
    }

    /// Every picture that has a folder. What is named otherwise is not Paddock's.
    pub(crate) fn kept(&self) -> Result<Vec<Kept>, StoreError> {
        let mut kept = Vec::new();
        for shard in fs::read_dir(&self.folder)? {
            let shard = shard?;
            let name = shard.file_name();
            let Some(first) = name.to_str().filter(|name| name.len() == 2) else {
                continue;
            };
            if !shard.path().is_dir() {
                continue;
            }
            for picture in fs::read_dir(shard.path())? {
                let picture = picture?;
                let rest = picture.file_name();
                let id = ImageId::try_from(format!("{first}{}", rest.to_string_lossy()));
                let Ok(id) = id else { continue };
                let written_ms = newest_file_ms(&picture.path());
                kept.push(Kept { id, written_ms });
            }
        }
        Ok(kept)
    }

    fn hand(&self) -> MutexGuard<'_, HashSet<ImageId>> {
        // A set of names is sound whatever panicked.
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder_of(&self, id: &ImageId) -> PathBuf {
        let (shard, rest) = id.as_str().split_at(2);
        self.folder.join(shard).join(rest)
    }

    fn path(&self, id: &ImageId, rendition: Rendition) -> PathBuf {
        self.folder_of(id).join(rendition.file_name())
    }
}

/// Whether a file has the length and the digest of an original, read in pieces.
fn is_whole(path: &Path, id: &ImageId, bytes: usize) -> bool {
    if !fs::metadata(path).is_ok_and(|there| there.len() == bytes as u64) {
        return false;
    }
    let digest = || -> std::io::Result<ImageId> {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(ImageId::from_digest(hasher.finalize().into())),
                read => hasher.update(&buffer[..read]),
            }
        }
    };
    digest().is_ok_and(|found| found == *id)
}

/// What cannot be told counts as written just now.
fn newest_file_ms(folder: &Path) -> u64 {
    let newest = || -> std::io::Result<u64> {
        let mut newest = modified_ms(folder)?;
        for file in fs::read_dir(folder)? {
            newest = newest.max(modified_ms(&file?.path())?);
        }
        Ok(newest)
    };
    newest().unwrap_or(u64::MAX)
}

fn modified_ms(path: &Path) -> std::io::Result<u64> {
    let since = fs::metadata(path)?.modified()?.duration_since(UNIX_EPOCH);
    Ok(since.map_or(0, |since| since.as_millis() as u64))
}
