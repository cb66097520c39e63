//! What the store knows of itself: how much time surely passed, and since when pictures belong to this database.
//!
//! Outside: the clock (it is passed in).

use rusqlite::{Connection, Transaction};

use crate::error::StoreError;

/// What one look at the clock adds at most, in milliseconds.
const MOST_PER_LOOK_MS: i64 = 24 * 3600 * 1000;

/// Notes that a database is new at `now_ms`.
pub fn begin(transaction: &Transaction<'_>, now_ms: u64) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE state SET seen_ms = ?1, pictures_since_ms = ?1",
        [now_ms as i64],
    )?;
    Ok(())
}

/// Notes what the clock shows, and returns the time that surely passed since the first look, in milliseconds. A clock
/// set ahead adds a day at most, once; one that goes back adds nothing.
pub fn look_at_clock(transaction: &Transaction<'_>, now_ms: u64) -> Result<u64, StoreError> {
    let lived_ms: i64 = transaction
        .prepare_cached(
            "UPDATE state SET seen_ms = ?1,
                 lived_ms = lived_ms + iif(seen_ms = 0, 0, min(max(?1 - seen_ms, 0), ?2))
             RETURNING lived_ms",
        )?
        .query_row([now_ms as i64, MOST_PER_LOOK_MS], |row| row.get(0))?;
    Ok(lived_ms.max(0) as u64)
}

/// Picture files written before this moment (milliseconds since 1970) may belong to another database.
pub fn pictures_since_ms(connection: &Connection) -> Result<u64, StoreError> {
    let since: i64 =
        connection.query_row("SELECT pictures_since_ms FROM state", [], |row| row.get(0))?;
    Ok(since.max(0) as u64)
}
