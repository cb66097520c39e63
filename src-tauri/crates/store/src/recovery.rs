//! A damaged database: set aside under a dated name, and gone on with the newest good copy or with an empty one.
//!
//! Nothing is deleted. A crash at any moment leaves either the database as it was, or none beside its copies, which
//! [`crate::Store::open`] calls damaged too: the choice is offered again.
//!
//! Outside: finding out that it is damaged, and asking the user.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::backups::{self, Backup};
use crate::error::StoreError;
use crate::files::{self, BACKUPS, BESIDE_DATABASE, DAMAGED, DATABASE, PICTURES, SUSPECT};
use crate::owner::Lock;
use crate::{check, dates};

/// Sets the database aside and puts the newest copy that passes its check in its place. Pictures and copies stay.
///
/// # Errors
/// No copy is good ([`StoreError::NoGoodCopy`]), the store is open, or the folder cannot be written; the database is
/// then where it was, but for a crash or a failure between the two renames.
pub fn restore_newest(folder: &Path, now_ms: u64) -> Result<Backup, StoreError> {
    let _owner = Lock::take(folder)?;
    let part = folder.join("paddock.db-restoring");
    for backup in backups::list(folder) {
        // Left over from a crash or the copy before.
        files::remove_if_there(&part)?;
        fs::copy(&backup.path, &part)?;
        // What counts is what was copied: the disk that damaged one file may damage another.
        if let Err(detail) = check::check_file(&part) {
            tracing::warn!(path = %backup.path.display(), detail, "a copy of the database is damaged");
            continue;
        }
        File::options().write(true).open(&part)?.sync_all()?;
        set_aside(folder, now_ms, &[])?;
        fs::rename(&part, files::database(folder))?;
        files::sync_folder(folder)?;
        return Ok(backup);
    }
    files::remove_if_there(&part)?;
    Err(StoreError::NoGoodCopy)
}

/// Sets the database aside with its copies and its pictures, and returns where they lie: a data folder of its own.
///
/// # Errors
/// The store is open, or the folder cannot be written.
pub fn begin_empty(folder: &Path, now_ms: u64) -> Result<PathBuf, StoreError> {
    let _owner = Lock::take(folder)?;
    set_aside(folder, now_ms, &[PICTURES, BACKUPS])
}

/// When a database was last set aside, in milliseconds since 1970; 0 if none was.
pub fn last_set_aside_ms(folder: &Path) -> u64 {
    fs::read_dir(folder.join(DAMAGED))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            // The second of two in one second has a number after the date.
            let stamp = name.to_str()?.split_inclusive('Z').next()?;
            // To the second: what was written within it is spared, too.
            Some(dates::parse(stamp)? + 1000)
        })
        .max()
        .unwrap_or(0)
}

fn set_aside(folder: &Path, now_ms: u64, more: &[&str]) -> Result<PathBuf, StoreError> {
    let aside = new_folder(&folder.join(DAMAGED), &dates::stamp(now_ms)?)?;
    // The database first: without it nobody takes what is left for a whole. The copies last: as long as they are
    // there, a missing database is noticed.
    let names = [DATABASE]
        .into_iter()
        .chain(BESIDE_DATABASE)
        .chain([SUSPECT])
        .chain(more.iter().copied());
    for name in names {
        let from = folder.join(name);
        // Not `exists`: what cannot be looked at must not be left behind unsaid.
        if from.symlink_metadata().is_ok() {
            fs::rename(&from, aside.join(name))?;
        }
    }
    files::sync_folder(&aside)?;
    files::sync_folder(folder)?;
    Ok(aside)
}

fn new_folder(parent: &Path, name: &str) -> Result<PathBuf, StoreError> {
    fs::create_dir_all(parent)?;
    let mut number = 1;
    loop {
        let folder = match number {
            1 => parent.join(name),
            number => parent.join(format!("{name}-{number}")),
        };
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error.into()),
        }
    }
}
