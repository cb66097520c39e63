//! What was read of the models on this computer, until their files change: one cache for the list, planning and loading.
//!
//! Outside: reading itself (the checkpoint crate).

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use paddock_checkpoint::{Checkpoint, CheckpointError, Stamp, inspect, place, stamp};

use crate::fit::FitModel;

/// A model whose files were read, with its numbers for planning.
#[derive(Debug)]
pub struct Known {
    pub checkpoint: Checkpoint,
    pub fit: FitModel,
}

/// What reading came to; kept as it is, so that a broken folder is not read again with every list either.
pub type Reading = Arc<Result<Known, CheckpointError>>;

/// Models by their paths.
#[derive(Debug, Default)]
pub struct Readings(Mutex<HashMap<PathBuf, (Stamp, Reading)>>);

impl Readings {
    /// What is known of the files at `path`, read with everything that the engine will read, if they changed. Blocks.
    pub fn of(&self, path: &Path) -> Reading {
        let now = stamp(path);
        let known = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned();
        if let (Some(now), Some((then, reading))) = (now, known)
            && now == then
        {
            return reading;
        }
        let reading = Arc::new(guarded(path, || {
            let checkpoint = inspect(path)?;
            let fit = FitModel::from(&checkpoint);
            Ok(Known { checkpoint, fit })
        }));
        if let Some(now) = now {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(path.to_owned(), (now, reading.clone()));
        }
        reading
    }
}

/// The last line: a reader that panics has one broken folder and not a list that never comes.
fn guarded<T>(
    path: &Path,
    read: impl FnOnce() -> Result<T, CheckpointError>,
) -> Result<T, CheckpointError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let detail = words(&*panic);
        tracing::error!(path = %path.display(), detail, "reading a model's files panicked");
        Err(CheckpointError::ReaderFailed {
            what: place::name_of(path),
            detail,
        })
    })
}

fn words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a word".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_panics_is_one_failure_with_its_reason() {
        let path = Path::new("/models/Odd-1B");
        let read = guarded(path, || -> Result<(), CheckpointError> {
            let sides: Vec<u32> = Vec::new();
            let _ = sides[path.components().count()];
            Ok(())
        });
        let failure = read.unwrap_err().failure();
        assert_eq!(failure.code, "modelReaderFailed");
        assert!(failure.message.contains("Odd-1B"), "{failure:?}");
        assert!(
            failure.message.contains("index out of bounds"),
            "{failure:?}"
        );
    }

    #[test]
    fn files_are_read_once_until_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let readings = Readings::default();
        std::fs::write(folder.path().join("config.json"), "{").unwrap();
        let first = readings.of(folder.path());
        assert!(first.is_err());
        assert!(Arc::ptr_eq(&first, &readings.of(folder.path())));
        std::fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
        assert!(!Arc::ptr_eq(&first, &readings.of(folder.path())));
    }
}
