//! Models that were added by path.
//!
//! Outside: what is in the files.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::error::StoreError;
use crate::schema;
use crate::store::Store;

/// [`Store::local_models`] of a folder that another process may own: nothing is created or upgraded.
///
/// # Errors
/// There is a database and it cannot be read.
pub fn local_models_in(folder: &Path) -> Result<Vec<String>, StoreError> {
    match schema::look_into(folder)? {
        Some(connection) => read(&connection),
        None => Ok(Vec::new()),
    }
}

fn read(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT path FROM local_model ORDER BY added_ms, path")?;
    let paths = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(paths)
}

impl Store {
    /// Absolute paths, oldest first.
    ///
    /// # Errors
    /// The database fails.
    pub fn local_models(&self) -> Result<Vec<String>, StoreError> {
        self.read(read)
    }

    /// # Errors
    /// The database fails.
    pub fn add_local_model(&self, path: &str, now_ms: u64) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO local_model (path, added_ms) VALUES (?1, ?2) ON CONFLICT (path) DO NOTHING",
                params![path, now_ms as i64],
            )?;
            Ok(())
        })
    }

    /// Forgets a model; its files stay.
    ///
    /// # Errors
    /// The database fails.
    pub fn forget_local_model(&self, path: &str) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM local_model WHERE path = ?1", [path])?;
            Ok(())
        })
    }
}
