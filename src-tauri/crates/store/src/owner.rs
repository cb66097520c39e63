//! The lock that makes one process the owner of a data folder.
//!
//! Outside: what the owner does. SQLite's own file locks do the work on every system, and the operating system
//! releases them however the process ends.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use crate::StoreError;

/// Held as long as the store is open.
#[derive(Debug)]
pub struct Lock {
    // Behind a mutex only because a connection is not Sync; nobody ever uses it.
    _held: std::sync::Mutex<Connection>,
}

impl Lock {
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(folder.join("owner.lock"))
            .map_err(|e| StoreError::folder(folder, e))?;
        connection.busy_timeout(std::time::Duration::from_millis(200))?;
        // A rollback journal in memory leaves no second file behind.
        let taken = connection
            .pragma_update(None, "journal_mode", "MEMORY")
            .and_then(|()| connection.execute_batch("BEGIN EXCLUSIVE"));
        match taken {
            Ok(()) => Ok(Self {
                _held: std::sync::Mutex::new(connection),
            }),
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.code == ErrorCode::DatabaseBusy =>
            {
                Err(StoreError::InUse)
            }
            Err(error) => Err(error.into()),
        }
    }
}
