//! The temporary folder in which mistral.rs is given a model, and the end of those that were left behind.
//!
//! Outside: what is put into it.
//!
//! A process that is killed, or exits because its parent has gone, cannot remove its folder. Where files cannot be linked it holds
//! a copy of the weights, so the next start removes it. Whether it is still used is told by a lock, which the system releases
//! however a process ends; unlike a process number it is never somebody else's.

use std::{
    fs::{File, Metadata},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

const PREFIX: &str = "paddock-model-";
const LOCK: &str = "lock";
/// A folder may be so new that its lock is not there yet.
const YOUNG: Duration = Duration::from_secs(60);
/// One without a lock is left alone for so long.
const WITHOUT_LOCK: Duration = Duration::from_secs(24 * 3600);

/// Removed with the value.
#[derive(Debug)]
pub struct View {
    model: PathBuf,
    // In this order: the lock is gone when the folder is removed.
    _lock: File,
    _folder: TempDir,
}

impl View {
    /// An empty folder for a model; what earlier processes left behind is removed.
    ///
    /// # Errors
    /// The system gives no folder.
    pub fn new() -> io::Result<Self> {
        Self::inside(&std::env::temp_dir())
    }

    fn inside(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create_new(folder.path().join(LOCK))?;
        lock.lock()?;
        let model = folder.path().join("model");
        std::fs::create_dir(&model)?;
        remove_left_behind(parent, &std::fs::metadata(folder.path())?);
        Ok(Self {
            model,
            _lock: lock,
            _folder: folder,
        })
    }

    /// The folder for the model's files.
    pub fn path(&self) -> &Path {
        &self.model
    }
}

/// Those of the same user only; what cannot be removed stays.
fn remove_left_behind(parent: &Path, own: &Metadata) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry
                .path()
                .symlink_metadata()
                .is_ok_and(|other| other.is_dir() && same_owner(own, &other))
            && is_left_behind(&entry.path())
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_left_behind(folder: &Path) -> bool {
    let older_than = |path: &Path, age| {
        let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified());
        changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|elapsed| elapsed > age))
    };
    match File::open(folder.join(LOCK)) {
        Ok(lock) => older_than(&folder.join(LOCK), YOUNG) && lock.try_lock().is_ok(),
        Err(_) => older_than(folder, WITHOUT_LOCK),
    }
}

#[cfg(unix)]
fn same_owner(own: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    own.uid() == other.uid()
}

/// Temporary folders are the user's own there.
#[cfg(not(unix))]
const fn same_owner(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test that cannot go on has failed
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn aged(path: &Path, age: Duration) {
        let file = File::open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_used_stays() {
        let parent = tempfile::tempdir().unwrap();
        let hour = Duration::from_secs(3600);
        let left = parent.path().join("paddock-model-left");
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("weights"), "w").unwrap();
        File::create(left.join(LOCK)).unwrap();
        aged(&left.join(LOCK), hour);
        let young = parent.path().join("paddock-model-young");
        std::fs::create_dir(&young).unwrap();
        File::create(young.join(LOCK)).unwrap();
        let unlocked = parent.path().join("paddock-model-unlocked");
        std::fs::create_dir(&unlocked).unwrap();
        aged(&unlocked, hour);
        let old = parent.path().join("paddock-model-old");
        std::fs::create_dir(&old).unwrap();
        aged(&old, 30 * hour);
        let foreign = parent.path().join("somebody");
        std::fs::create_dir(&foreign).unwrap();
        aged(&foreign, 30 * hour);

        let used = View::inside(parent.path()).unwrap();
        aged(&used.path().parent().unwrap().join(LOCK), hour);
        let next = View::inside(parent.path()).unwrap();
        assert!(used.path().is_dir() && next.path().is_dir());
        assert!(!left.exists() && !old.exists());
        assert!(young.exists() && unlocked.exists() && foreign.exists());

        let own = next.path().to_owned();
        drop(next);
        assert!(!own.parent().unwrap().exists());
    }
}
