//! What is known of the pictures that were taken in, and whose files are to go.
//!
//! Outside: the bytes (see [`crate::Blobs`]).

use std::collections::HashSet;

use paddock_conversation::{Attachment, ImageId, ImageSize};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::rows;
use crate::store::Store;
use crate::tables::state;

impl Store {
    /// Keeps what is known of a picture. The same picture taken in again gets the newer name.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_attachment(&self, attachment: &Attachment, now_ms: u64) -> Result<(), StoreError> {
        self.write(|transaction| {
            let lived_ms = state::look_at_clock(transaction, now_ms)?;
            transaction.execute(
            "INSERT INTO image (id, name, format, stored_width, stored_height, width, height, bytes, notes, created_ms, pages, created_lived_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, format = excluded.format,
                 stored_width = excluded.stored_width, stored_height = excluded.stored_height, width = excluded.width,
                 height = excluded.height, notes = excluded.notes, created_ms = excluded.created_ms,
                 pages = excluded.pages, created_lived_ms = excluded.created_lived_ms",
            params![
                attachment.id.as_str(),
                attachment.name,
                attachment.format,
                attachment.stored.width_px,
                attachment.stored.height_px,
                attachment.upright.width_px,
                attachment.upright.height_px,
                attachment.bytes as i64,
                rows::json(&attachment.notes)?,
                now_ms as i64,
                attachment.pages.as_ref().map(rows::json).transpose()?,
                lived_ms as i64,
            ],
            )?;
            transaction.execute("DELETE FROM removal WHERE image = ?1", [attachment.id.as_str()])?;
            Ok(())
        })
    }

    /// Keeps what is on a picture, wherever it is shown; none forgets it.
    ///
    /// # Errors
    /// There is no such picture, or the database fails.
    pub fn describe_image(&self, id: &ImageId, alt: Option<&str>) -> Result<(), StoreError> {
        self.write(|transaction| {
            let changed = transaction.execute(
                "UPDATE image SET alt = ?2 WHERE id = ?1",
                params![id.as_str(), alt],
            )?;
            if changed == 0 {
                return Err(StoreError::NoImage(id.clone()));
            }
            Ok(())
        })
    }

    /// # Errors
    /// There is no such picture, or the database fails.
    pub fn attachment(&self, id: &ImageId) -> Result<Attachment, StoreError> {
        self.read(|connection| attachment(connection, id))
    }
}

/// All that have a row, or whose files are to be removed anyway.
pub fn ids(connection: &Connection) -> Result<HashSet<ImageId>, StoreError> {
    collect(
        connection,
        "SELECT id FROM image UNION SELECT image FROM removal",
    )
}

/// Removes the rows of pictures that nothing refers to and that were taken in until a moment of lived time. Their
/// files wait for removal: a crash between the two forgets none.
pub fn give_up_unused(transaction: &Transaction<'_>, until_ms: u64) -> Result<(), StoreError> {
    const UNUSED: &str = "created_lived_ms <= ?1
         AND NOT EXISTS (SELECT 1 FROM part WHERE part.image = image.id)
         AND NOT EXISTS (SELECT 1 FROM draft, json_each(draft.images) d WHERE d.value = image.id)
         AND NOT EXISTS (SELECT 1 FROM image page
             WHERE page.pages ->> 'file' = image.id AND page.created_lived_ms > ?1)";
    let until_ms = until_ms as i64;
    transaction.execute(
        &format!("INSERT OR IGNORE INTO removal SELECT id FROM image WHERE {UNUSED}"),
        [until_ms],
    )?;
    transaction.execute(
        "DELETE FROM image WHERE id IN (SELECT image FROM removal)",
        [],
    )?;
    Ok(())
}

/// Pictures whose files are to be removed.
pub fn waiting_for_removal(connection: &Connection) -> Result<HashSet<ImageId>, StoreError> {
    collect(connection, "SELECT image FROM removal")
}

/// Their files are gone.
pub fn removed(transaction: &Transaction<'_>, ids: &[ImageId]) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached("DELETE FROM removal WHERE image = ?1")?;
    for id in ids {
        statement.execute([id.as_str()])?;
    }
    Ok(())
}

fn collect(connection: &Connection, query: &str) -> Result<HashSet<ImageId>, StoreError> {
    let mut statement = connection.prepare_cached(query)?;
    let mut found = statement.query([])?;
    let mut ids = HashSet::new();
    while let Some(row) = found.next()? {
        ids.insert(rows::id(&row.get::<_, String>(0)?)?);
    }
    Ok(ids)
}

/// What is known of a picture.
pub fn attachment(connection: &Connection, id: &ImageId) -> Result<Attachment, StoreError> {
    let found = connection
        .query_row(
            "SELECT name, format, stored_width, stored_height, width, height, bytes, notes, alt, pages FROM image WHERE id = ?1",
            [id.as_str()],
            |row| {
                let attachment = Attachment {
                    id: id.clone(),
                    name: row.get(0)?,
                    format: row.get(1)?,
                    stored: ImageSize::new(row.get(2)?, row.get(3)?),
                    upright: ImageSize::new(row.get(4)?, row.get(5)?),
                    bytes: row.get::<_, i64>(6)?.max(0) as u64,
                    notes: Vec::new(),
                    alt: row.get(8)?,
                    pages: None,
                };
                Ok((
                    attachment,
                    row.get::<_, String>(7)?,
                    row.get::<_, Option<String>>(9)?,
                ))
            },
        )
        .optional()?;
    let (mut attachment, notes, pages) = found.ok_or_else(|| StoreError::NoImage(id.clone()))?;
    attachment.notes = rows::from_json("a picture's notes", &notes)?;
    attachment.pages = pages
        .map(|pages| rows::from_json("a picture's pages", &pages))
        .transpose()?;
    Ok(attachment)
}
