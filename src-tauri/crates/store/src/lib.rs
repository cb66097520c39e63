//! What Paddock keeps: conversations, drafts and settings in SQLite, pictures as files named by their content.
//!
//! Outside: what a conversation means, decoding pictures, and the choice of folder. All calls block; times and
//! ids are passed in.

mod blobs;
mod conversations;
mod drafts;
mod error;
mod messages;
mod owner;
mod rows;
mod schema;
mod search;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

pub use blobs::{Blobs, Rendition};
pub use error::StoreError;
pub use messages::{Answer, NewAnswer, NewQuestion};
pub use settings::{document_in, local_models_in};

/// The open store. One process owns a data folder at a time.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
    blobs: Blobs,
    folder: PathBuf,
    _owner: owner::Lock,
}

impl Store {
    /// Opens the store in `folder`, creating or upgrading it; answers that were being written when the app
    /// ended become interrupted, their text kept.
    ///
    /// # Errors
    /// The folder cannot be used, another process owns it, or the database is newer than this program.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|e| StoreError::folder(folder, e))?;
        let owner = owner::Lock::take(folder)?;
        let mut connection = Connection::open(folder.join("paddock.db"))?;
        schema::prepare(&mut connection)?;
        let blobs = Blobs::open(&folder.join("pictures"))?;
        let store = Self {
            connection: Mutex::new(connection),
            blobs,
            folder: folder.to_owned(),
            _owner: owner,
        };
        store.interrupt_unfinished()?;
        Ok(store)
    }

    /// The pictures.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Where everything lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held rolled its transaction back; the connection itself is sound.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
