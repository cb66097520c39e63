//! Dated copies of the database: `backups/paddock-<number>-<date>.db`.
//!
//! A copy has its name only once it is whole, on the disk and checked. The newest is the one with the highest number:
//! a clock that was wrong once does not make an old copy the newest for years.
//!
//! Outside: when a copy is due, and putting one back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::error::StoreError;
use crate::files::{self, BACKUPS};
use crate::{check, dates};

/// How many copies are kept.
const KEPT: usize = 7;

/// A copy of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    pub path: PathBuf,
    /// When it was made, in milliseconds since 1970, to the second; 0 if its name does not say.
    pub made_ms: u64,
    number: u64,
}

impl Backup {
    fn from_path(path: PathBuf) -> Option<Self> {
        let (number, date) = path
            .file_name()?
            .to_str()?
            .strip_prefix("paddock-")?
            .strip_suffix(".db")?
            .split_once('-')?;
        Some(Self {
            number: number.parse().ok()?,
            made_ms: dates::parse(date).unwrap_or(0),
            path,
        })
    }
}

/// All copies, newest first.
pub fn list(folder: &Path) -> Vec<Backup> {
    let mut found: Vec<Backup> = fs::read_dir(folder.join(BACKUPS))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Backup::from_path(entry.path()))
        .collect();
    found.sort_by_key(|backup| std::cmp::Reverse(backup.number));
    found
}

/// The newest copy that passes its check.
pub fn newest_good(folder: &Path) -> Option<Backup> {
    list(folder)
        .into_iter()
        .find(|backup| match check::check_file(&backup.path) {
            Ok(()) => true,
            Err(detail) => {
                tracing::warn!(path = %backup.path.display(), detail, "a copy of the database is damaged");
                false
            }
        })
}

/// Copies the database that `connection` has open, as of one moment; others may go on writing. Copies that are too
/// many are removed once the new one is whole.
pub fn make(connection: &Connection, folder: &Path, now_ms: u64) -> Result<Backup, StoreError> {
    let backups = folder.join(BACKUPS);
    fs::create_dir_all(&backups)?;
    let part = backups.join("next.part");
    let written = write(connection, &part);
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written?;
    let before = list(folder);
    let number = before.first().map_or(1, |newest| newest.number + 1);
    let path = backups.join(format!("paddock-{number:06}-{}.db", dates::stamp(now_ms)?));
    fs::rename(&part, &path)?;
    files::sync_folder(&backups)?;
    files::sync_folder(folder)?;
    for old in before.into_iter().skip(KEPT - 1) {
        if let Err(error) = fs::remove_file(&old.path) {
            tracing::warn!(%error, path = %old.path.display(), "an old copy of the database stays");
        }
    }
    Ok(Backup {
        path,
        made_ms: now_ms / 1000 * 1000,
        number,
    })
}

fn write(connection: &Connection, part: &Path) -> Result<(), StoreError> {
    // Left over from a crash.
    files::remove_if_there(part)?;
    files::remove_if_there(&part.with_extension("part-journal"))?;
    // The bytes of the path as they are: a folder's name need not be valid Unicode.
    let name = ToSqlOutput::Borrowed(ValueRef::Text(part.as_os_str().as_encoded_bytes()));
    connection.execute("VACUUM INTO ?1", [name])?;
    check::check_file(part).map_err(StoreError::damaged)?;
    Ok(File::options().write(true).open(part)?.sync_all()?)
}
