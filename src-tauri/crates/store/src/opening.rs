//! Opening the store: check, copy, upgrade; and telling damage from a disk that is full or may not be written.
//!
//! Outside: what a damaged database becomes (the user chooses), and what runs in the background afterwards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, ffi};

use crate::backups;
use crate::blobs::Blobs;
use crate::check::{Finding, quick_check};
use crate::error::StoreError;
use crate::files::{self, BESIDE_DATABASE, PICTURES, SUSPECT};
use crate::owner::Lock;
use crate::schema::{self, transact};
use crate::store::Store;
use crate::tables::{conversation, document, message, search, state};
use crate::upkeep::{CheckState, Job, Upkeep, is_due};

/// A larger database is checked in the background: the window does not wait for it. The check takes about 25 ms for each
/// MiB on a busy computer of two cores (`what_a_start_costs_by_size` measures it), most of it for the search index.
const CHECKED_AT_ONCE_BYTES: u64 = 16 << 20;

/// SQLite's smallest page.
const SMALLEST_DATABASE_BYTES: u64 = 512;

impl Store {
    /// Opens the store in `folder`, creating or upgrading it (a copy is made before); answers that were being written
    /// when the app ended become interrupted, their text kept. `now_ms` is what the clock shows.
    ///
    /// # Errors
    /// The folder cannot be used, another process owns it, the disk is full or may not be written, the database is
    /// damaged ([`StoreError::Damaged`]: nothing was changed) or newer than this program.
    pub fn open(folder: &Path, now_ms: u64) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(|error| match StoreError::from(error) {
            StoreError::File(error) => StoreError::folder(folder, error),
            error => error,
        })?;
        let owner = Lock::take(folder).map_err(|error| explained(folder, error))?;
        let opened = open_database(folder, now_ms).map_err(|error| explained(folder, error))?;
        let blobs = Arc::new(Blobs::open(&folder.join(PICTURES))?);
        let backed_up_ms = match backups::list(folder).first() {
            Some(newest) => newest.made_ms,
            // Of a new one there is nothing to copy yet.
            None if opened.is_new => now_ms,
            None => 0,
        };
        let check = if opened.is_checked {
            CheckState::Passed
        } else {
            CheckState::Running
        };
        let upkeep = Upkeep::new(folder, Arc::clone(&blobs), check, backed_up_ms);
        let job = Job {
            check: !opened.is_checked,
            back_up: is_due(backed_up_ms, now_ms),
            sweep: true,
        };
        upkeep.begin(job, now_ms);
        Ok(Self::new(folder, opened.connection, blobs, upkeep, owner))
    }
}

struct Opened {
    connection: Connection,
    is_new: bool,
    is_checked: bool,
}

fn open_database(folder: &Path, now_ms: u64) -> Result<Opened, StoreError> {
    let path = files::database(folder);
    let bytes = length(&path);
    match bytes {
        0 => must_be_new(folder)?,
        // SQLite would take it for an empty one and write over it.
        1..SMALLEST_DATABASE_BYTES => return Err(StoreError::damaged("its file was cut off")),
        _ => {}
    }
    let mut connection = Connection::open(&path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    if connection.is_readonly("main")? {
        return Err(StoreError::ReadOnly {
            detail: "the database was opened for reading only".into(),
        });
    }
    let is_suspect = folder.join(SUSPECT).exists();
    let log_bytes = length(&folder.join(BESIDE_DATABASE[0]));
    let is_checked = is_suspect || bytes + log_bytes < CHECKED_AT_ONCE_BYTES;
    // With a log the last page may be whole there; without one nothing but damage leaves half a page. SQLite reads what
    // is missing as zeros and says nothing.
    let page_bytes: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    if log_bytes == 0 && !bytes.is_multiple_of(page_bytes.max(1)) {
        return Err(StoreError::damaged("its file was cut off"));
    }
    let finding = if is_checked && bytes > 0 {
        quick_check(&connection)?
    } else {
        Finding::Whole
    };
    if let Finding::Damaged(detail) = finding {
        return Err(StoreError::damaged(detail));
    }
    let found = schema::version(&connection)?;
    schema::set_up(&connection)?;
    if let Finding::SearchIndex(detail) = finding {
        tracing::warn!(detail, "the search index is damaged and made anew");
        transact(&mut connection, search::rebuild)?;
    }
    if found > 0 && found < schema::CURRENT {
        backups::make(&connection, folder, now_ms)?;
    }
    schema::migrate(&mut connection, found)?;
    transact(&mut connection, |transaction| {
        if found == 0 {
            state::begin(transaction, now_ms)?;
        }
        state::look_at_clock(transaction, now_ms)?;
        document::set_unreadable_aside(transaction)?;
        message::interrupt_unfinished(transaction)
    })?;
    // What no page check sees: ids that are none. Without the list there is no window.
    conversation::list(&connection, None)?;
    if is_suspect {
        files::clear_suspect(folder);
    }
    Ok(Opened {
        connection,
        is_new: found == 0,
        is_checked,
    })
}

/// A database that is gone, or has lost all it had, is no new one.
fn must_be_new(folder: &Path) -> Result<(), StoreError> {
    let has_log = length(&folder.join(BESIDE_DATABASE[0])) > 0;
    if has_log || !backups::list(folder).is_empty() {
        return Err(StoreError::damaged("its file is missing or empty"));
    }
    Ok(())
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// What a failure at opening really is. SQLite takes one wrong bit in a header for a disk that may not be written, and
/// a disk that may not be written for a file that is not there.
fn explained(folder: &Path, error: StoreError) -> StoreError {
    let is_writable = || {
        files::try_writing(folder)?;
        match files::try_opening(&files::database(folder)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    };
    let error = match error {
        StoreError::ReadOnly { detail } => match is_writable() {
            Ok(()) => StoreError::damaged(detail),
            Err(error) => error.into(),
        },
        StoreError::Database(rusqlite::Error::SqliteFailure(failure, text)) => {
            match is_writable().map_err(StoreError::from) {
                Err(reason @ (StoreError::DiskFull | StoreError::ReadOnly { .. })) => reason,
                _ => {
                    let error = rusqlite::Error::SqliteFailure(failure, text);
                    if is_about_content(failure) {
                        StoreError::damaged(error)
                    } else if failure.code == ErrorCode::CannotOpen {
                        StoreError::folder(folder, error)
                    } else {
                        StoreError::Database(error)
                    }
                }
            }
        }
        // A value of another type or in no encoding, a row that must be there and is not.
        StoreError::Database(error) => StoreError::damaged(error),
        StoreError::Corrupt { .. } | StoreError::SearchIndex { .. } => StoreError::damaged(error),
        error => error,
    };
    match error {
        StoreError::Damaged { detail, .. } => StoreError::Damaged {
            detail,
            newest_good_copy: backups::newest_good(folder),
        },
        error => error,
    }
}

/// Whether SQLite failed at what the file holds (a table that is not there, a sector that cannot be read), not at the
/// world around it.
fn is_about_content(failure: ffi::Error) -> bool {
    match failure.code {
        ErrorCode::SystemIoFailure => matches!(
            failure.extended_code,
            ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_DATA
        ),
        ErrorCode::Unknown
        | ErrorCode::ConstraintViolation
        | ErrorCode::TypeMismatch
        | ErrorCode::SchemaChanged
        | ErrorCode::TooBig
        | ErrorCode::InternalMalfunction
        | ErrorCode::NotFound => true,
        _ => false,
    }
}
