//! Whether a database is whole.
//!
//! Outside: what is done about one that is not.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;
use crate::schema;

/// Most findings that are read; the first says enough.
const MOST_FINDINGS: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Whole,
    /// Only the search index, which is made of the messages.
    SearchIndex(String),
    Damaged(String),
}

/// SQLite's `quick_check`: every page, every cell, types, and the search index against the texts.
///
/// # Errors
/// The database cannot be read for another reason than damage.
pub fn quick_check(connection: &Connection) -> Result<Finding, StoreError> {
    let findings = (|| {
        connection
            .prepare(&format!("PRAGMA quick_check({MOST_FINDINGS})"))?
            .query_map([], |row| row.get::<_, String>(0))?
            .collect::<Result<Vec<_>, _>>()
    })();
    let findings = match findings.map_err(StoreError::from) {
        Ok(findings) => findings,
        Err(StoreError::Damaged { detail, .. }) => return Ok(Finding::Damaged(detail)),
        Err(StoreError::SearchIndex { detail }) => return Ok(Finding::SearchIndex(detail)),
        Err(error) => return Err(error),
    };
    let damage = |text: &&String| !text.contains("FTS5 table");
    Ok(match findings.as_slice() {
        [fine] if fine == "ok" => Finding::Whole,
        [] => Finding::Damaged("its check said nothing".into()),
        findings => match findings.iter().find(damage) {
            Some(damage) => Finding::Damaged(damage.replace('\n', " ")),
            None => Finding::SearchIndex(findings.join(" ")),
        },
    })
}

/// Checks a database that nobody has open, without writing to it; `Err` says what is wrong.
pub fn check_file(path: &Path) -> Result<(), String> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(text)?;
    match quick_check(&connection).map_err(text)? {
        Finding::Whole | Finding::SearchIndex(_) => {}
        Finding::Damaged(detail) => return Err(detail),
    }
    match schema::version(&connection).map_err(text)? {
        0 => Err("it is empty".into()),
        _ => Ok(()),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
