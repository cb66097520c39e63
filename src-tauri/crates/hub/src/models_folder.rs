//! The folder that downloaded models lie in, with the turn of those who change the manifest of one that is in its place.
//!
//! Outside: what is in a manifest (`manifest`).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One folder of models: `<owner>/<name>` below it. Cheap to clone; clones share the turn.
#[derive(Debug, Clone)]
pub struct ModelsFolder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    turn: Mutex<()>,
}

impl ModelsFolder {
    /// It need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            path: path.into(),
            turn: Mutex::new(()),
        }))
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Held while the manifest of a model that is in its place is read and written. Blocks.
    pub(crate) fn changing_manifests(&self) -> MutexGuard<'_, ()> {
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
