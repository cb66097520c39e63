//! The lock that makes one process the owner of a data folder.
//!
//! Outside: what the owner does. SQLite's own file locks do the work on every system, and the operating system
//! releases them however the process ends.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::Connection;

use crate::error::StoreError;

/// Held as long as the store is open.
#[derive(Debug)]
pub struct Lock {
    // Behind a mutex only because a connection is not Sync; nobody ever uses it.
    _held: Mutex<Connection>,
}

impl Lock {
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("owner.lock");
        match Self::of(&path) {
            // It never holds anything; what a bad disk or a stranger put there is nobody's lock.
            Err(StoreError::Damaged { .. }) => {
                File::options().write(true).open(&path)?.set_len(0)?;
                Self::of(&path)
            }
            taken => taken,
        }
    }

    fn of(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_millis(200))?;
        // A rollback journal in memory leaves no second file behind.
        let taken = connection
            .pragma_update(None, "journal_mode", "MEMORY")
            .and_then(|()| connection.execute_batch("BEGIN EXCLUSIVE"));
        match taken.map_err(StoreError::from) {
            Ok(()) => Ok(Self {
                _held: Mutex::new(connection),
            }),
            Err(StoreError::Locked) => Err(StoreError::InUse),
            Err(error) => Err(error),
        }
    }
}
