//! Documents: settings and the like, each a JSON value with the version of the program part that wrote it.
//!
//! Outside: what is in them. Nothing that was written is lost unasked: what an older program replaces, and what cannot
//! be read, is kept beside.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::store::Store;
use crate::{rows, schema};

/// [`Store::document`] of a folder that another process may own: nothing is created or upgraded.
///
/// # Errors
/// There is a database and it cannot be read.
pub fn document_in(
    folder: &Path,
    name: &str,
) -> Result<Option<(u32, serde_json::Value)>, StoreError> {
    match schema::look_into(folder)? {
        Some(connection) => read(&connection, name),
        None => Ok(None),
    }
}

fn read(
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

/// Keeps documents that are not JSON any more where [`Store::replaced_document`] finds them: whoever reads one gets
/// none instead of an error that never ends.
pub fn set_unreadable_aside(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let unreadable: Vec<String> = transaction
        .prepare("SELECT name FROM document WHERE NOT json_valid(json)")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for name in unreadable {
        tracing::error!(name, "a document cannot be read and is set aside");
        keep_replaced(transaction, &name)?;
        transaction.execute("DELETE FROM document WHERE name = ?1", [&name])?;
    }
    Ok(())
}

fn keep_replaced(transaction: &Transaction<'_>, name: &str) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT OR REPLACE INTO document_replaced (name, version, json)
         SELECT name, version, json FROM document WHERE name = ?1",
        [name],
    )?;
    Ok(())
}

impl Store {
    /// A document and the version it was written with, with all its fields, known or not.
    ///
    /// # Errors
    /// The database fails, or the document is not JSON.
    pub fn document(&self, name: &str) -> Result<Option<(u32, serde_json::Value)>, StoreError> {
        self.read(|connection| read(connection, name))
    }

    /// Keeps a document. One of a newer version that it replaces stays where [`Self::replaced_document`] finds it.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_document(
        &self,
        name: &str,
        version: u32,
        json: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let text = json.to_string();
        self.write(|transaction| {
            let is_older: bool = transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM document WHERE name = ?1 AND version > ?2)",
                params![name, version],
                |row| row.get(0),
            )?;
            if is_older {
                keep_replaced(transaction, name)?;
            }
            transaction.execute(
                "INSERT INTO document (name, version, json) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET version = excluded.version, json = excluded.json",
                params![name, version, text],
            )?;
            Ok(())
        })
    }

    /// The text of the newest version of a document that an older program replaced or that could not be read.
    ///
    /// # Errors
    /// The database fails.
    pub fn replaced_document(&self, name: &str) -> Result<Option<(u32, String)>, StoreError> {
        self.read(|connection| {
            let found = connection
                .query_row(
                    "SELECT version, json FROM document_replaced WHERE name = ?1
                     ORDER BY version DESC LIMIT 1",
                    [name],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            Ok(found)
        })
    }
}
