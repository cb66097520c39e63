//! The database schema and how an older one becomes the current one.
//!
//! Outside: reading and writing rows. A migration that was released is never changed, only followed by another.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};

use crate::error::StoreError;
use crate::files;

/// Step N brings schema N to N + 1.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
];

/// The schema that this program writes.
pub const CURRENT: u32 = MIGRATIONS.len() as u32;

/// The first schema whose table `state` repeats the number of the schema.
const REPEATED_SINCE: u32 = 3;

/// The schema of a database; 0 for one with nothing in it.
///
/// # Errors
/// It is newer than this program, it contradicts itself, or it cannot be read.
pub fn version(connection: &Connection) -> Result<u32, StoreError> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let (tables, has_state): (u32, bool) = connection.query_row(
        "SELECT count(*), coalesce(max(name = 'state'), 0) FROM sqlite_schema WHERE type = 'table'",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let repeated: Option<u32> = if has_state {
        connection
            .query_row("SELECT schema FROM state", [], |row| row.get(0))
            .optional()?
    } else {
        None
    };
    // One flipped bit in the header must not send anybody to a newer Paddock, nor begin an upgrade that was done.
    let contradiction = match repeated {
        Some(repeated) => repeated != found,
        None => has_state || found >= REPEATED_SINCE || (found == 0) != (tables == 0),
    };
    if contradiction {
        return Err(StoreError::damaged(format!(
            "its header names schema {found}, its tables say otherwise"
        )));
    }
    if found > CURRENT {
        return Err(StoreError::TooNew {
            found,
            known: CURRENT,
        });
    }
    Ok(found)
}

/// How a connection to the database behaves.
pub fn set_up(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // In WAL mode a crash of the app loses nothing; only a power cut may lose the last moments.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(())
}

/// A connection to the database of a folder that another process may own: nothing is created or upgraded.
pub fn look_into(folder: &Path) -> Result<Option<Connection>, StoreError> {
    let file = files::database(folder);
    if !file.is_file() {
        return Ok(None);
    }
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(Some(connection))
}

/// All of a change or nothing.
pub fn transact<T>(
    connection: &mut Connection,
    change: impl Fn(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // Immediate: two that read first and write then cannot wait for each other.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = change(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// Brings schema `found` to the current one, each step in a transaction of its own.
pub fn migrate(connection: &mut Connection, found: u32) -> Result<(), StoreError> {
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        let now = step as u32 + 1;
        transaction.pragma_update(None, "user_version", now)?;
        if now >= REPEATED_SINCE {
            transaction.execute("UPDATE state SET schema = ?1", [now])?;
        }
        transaction.commit()?;
    }
    Ok(())
}
