//! Small things about files that several parts need.
//!
//! Outside: what is in them.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

pub const DATABASE: &str = "paddock.db";
/// What SQLite keeps beside an open database.
pub const BESIDE_DATABASE: [&str; 2] = ["paddock.db-wal", "paddock.db-shm"];
/// Lies there when damage was noticed while the database was in use: the next start checks it whatever its size.
pub const SUSPECT: &str = "paddock.db-suspect";
pub const PICTURES: &str = "pictures";
pub const BACKUPS: &str = "backups";
pub const DAMAGED: &str = "damaged";

pub fn database(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// Makes a rename survive a power cut, where folders can be synchronised at all.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Removes a file that may not be there.
pub fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Has the next start check the database whatever its size.
pub fn mark_suspect(folder: &Path) {
    if let Err(error) = fs::write(folder.join(SUSPECT), []) {
        tracing::warn!(%error, "the damaged database cannot be marked");
    }
}

/// The opposite of [`mark_suspect`].
pub fn clear_suspect(folder: &Path) {
    if let Err(error) = remove_if_there(&folder.join(SUSPECT)) {
        tracing::warn!(%error, "the mark of a damaged database stays");
    }
}

/// Whether something can be written into a folder; SQLite does not always say why it cannot open a file.
pub fn try_writing(folder: &Path) -> std::io::Result<()> {
    let path = folder.join("paddock.probe");
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&[0; 64 << 10])?;
        file.sync_all()
    });
    let removed = remove_if_there(&path);
    written.and(removed)
}

/// Whether an existing file may be opened for writing.
pub fn try_opening(path: &Path) -> std::io::Result<()> {
    File::options().write(true).open(path).map(drop)
}
