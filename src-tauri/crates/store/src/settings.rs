//! Settings as versioned JSON documents, and the list of models that the user chose from disk.
//!
//! Outside: what the settings mean and their defaults.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::{Store, StoreError, rows};

/// [`Store::local_models`] of a folder that another process may own: nothing is created or upgraded.
///
/// # Errors
/// There is a database and it cannot be read.
pub fn local_models_in(folder: &Path) -> Result<Vec<String>, StoreError> {
    let file = folder.join("paddock.db");
    if !file.is_file() {
        return Ok(Vec::new());
    }
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    read_local_models(&connection)
}

/// [`Store::document`] of a folder that another process may own: nothing is created or upgraded.
///
/// # Errors
/// There is a database and it cannot be read.
pub fn document_in(
    folder: &Path,
    name: &str,
) -> Result<Option<(u32, serde_json::Value)>, StoreError> {
    let file = folder.join("paddock.db");
    if !file.is_file() {
        return Ok(None);
    }
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    read_document(&connection, name)
}

fn read_document(
    connection: &Connection,
    name: &str,
) -> Result<Option<(u32, serde_json::Value)>, StoreError> {
    let found: Option<(u32, String)> = connection
        .query_row(
            "SELECT version, json FROM document WHERE name = ?1",
            [name],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    found
        .map(|(version, json)| Ok((version, rows::from_json("a document", &json)?)))
        .transpose()
}

fn read_local_models(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT path FROM local_model ORDER BY added_ms, path")?;
    let paths = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(paths)
}

impl Store {
    /// A document and the version it was written with.
    ///
    /// # Errors
    /// The database fails, or the document is not JSON.
    pub fn document(&self, name: &str) -> Result<Option<(u32, serde_json::Value)>, StoreError> {
        read_document(&self.connection(), name)
    }

    /// # Errors
    /// The database fails.
    pub fn put_document(
        &self,
        name: &str,
        version: u32,
        json: &serde_json::Value,
    ) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO document (name, version, json) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET version = excluded.version, json = excluded.json",
            params![name, version, json.to_string()],
        )?;
        Ok(())
    }

    /// Absolute paths, oldest first.
    ///
    /// # Errors
    /// The database fails.
    pub fn local_models(&self) -> Result<Vec<String>, StoreError> {
        read_local_models(&self.connection())
    }

    /// # Errors
    /// The database fails.
    pub fn add_local_model(&self, path: &str, now_ms: u64) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO local_model (path, added_ms) VALUES (?1, ?2) ON CONFLICT (path) DO NOTHING",
            params![path, now_ms as i64],
        )?;
        Ok(())
    }

    /// Forgets a model; its files stay.
    ///
    /// # Errors
    /// The database fails.
    pub fn forget_local_model(&self, path: &str) -> Result<(), StoreError> {
        self.connection()
            .execute("DELETE FROM local_model WHERE path = ?1", [path])?;
        Ok(())
    }
}
