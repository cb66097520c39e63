//! The open store: one connection, used by one caller at a time, and what every use of it has in common.
//!
//! Outside: how it is opened, and what is read and written (the tables).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction};

use crate::backups;
use crate::blobs::Blobs;
use crate::error::StoreError;
use crate::owner::Lock;
use crate::schema::transact;
use crate::tables::search;
use crate::upkeep::{Health, Upkeep};

/// The open store. One process owns a data folder at a time.
#[derive(Debug)]
pub struct Store {
    // Fields are dropped in this order: what runs in the background ends first, the folder is free last.
    upkeep: Upkeep,
    connection: Mutex<Connection>,
    blobs: Arc<Blobs>,
    folder: PathBuf,
    _owner: Lock,
}

impl Store {
    pub(crate) fn new(
        folder: &Path,
        connection: Connection,
        blobs: Arc<Blobs>,
        upkeep: Upkeep,
        owner: Lock,
    ) -> Self {
        Self {
            upkeep,
            connection: Mutex::new(connection),
            blobs,
            folder: folder.to_owned(),
            _owner: owner,
        }
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

    /// How the database is, as far as is known: the check of a large one runs in the background, and damage may show
    /// only when it is read.
    #[must_use]
    pub fn health(&self) -> Health {
        self.upkeep.health()
    }

    /// Waits for what runs in the background (check, copy, sweep) and returns how the database is.
    pub fn settled(&self) -> Health {
        self.upkeep.settle();
        self.upkeep.health()
    }

    /// Makes the daily copy in the background if one is due. Beginning a turn asks by itself.
    pub fn back_up_if_due(&self, now_ms: u64) {
        self.upkeep.back_up_if_due(now_ms);
    }

    /// Reads. A damaged search index is made anew once.
    pub(crate) fn read<T>(
        &self,
        query: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let mut result = query(&connection);
        if matches!(result, Err(StoreError::SearchIndex { .. }))
            && transact(&mut connection, search::rebuild).is_ok()
        {
            result = query(&connection);
        }
        result.map_err(|error| self.noticed(error))
    }

    /// Writes: all of it or nothing. It is done again once with a new search index if the old one was damaged.
    pub(crate) fn write<T>(
        &self,
        change: impl Fn(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let mut result = transact(&mut connection, &change);
        if matches!(result, Err(StoreError::SearchIndex { .. })) {
            tracing::warn!("the search index is damaged and made anew");
            if transact(&mut connection, search::rebuild).is_ok() {
                result = transact(&mut connection, &change);
            }
        }
        result.map_err(|error| self.noticed(error))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held rolled its transaction back; the connection itself is sound.
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // A transaction whose rollback failed (a disk that was gone) must not swallow the next one.
        if !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a transaction that failed cannot be rolled back");
        }
        connection
    }

    fn noticed(&self, error: StoreError) -> StoreError {
        let StoreError::Damaged { detail, .. } = error else {
            return error;
        };
        self.upkeep.found_damaged(&detail);
        StoreError::Damaged {
            detail,
            newest_good_copy: backups::newest_good(&self.folder),
        }
    }
}
