//! Pictures taken in, and drafts: what stands in a composer and was not sent.
//!
//! Outside: the bytes of pictures (see [`crate::Blobs`]).

use paddock_conversation::{Attachment, ConversationId, Draft, ImageId, ImageSize};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{Store, StoreError, rows};

impl Store {
    /// Keeps what is known of a picture. The same picture taken in again gets the newer name.
    ///
    /// # Errors
    /// The database fails.
    pub fn put_attachment(&self, attachment: &Attachment, now_ms: u64) -> Result<(), StoreError> {
        self.connection().execute(
            "INSERT INTO image (id, name, format, stored_width, stored_height, width, height, bytes, notes, created_ms, pages)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, format = excluded.format,
                 stored_width = excluded.stored_width, stored_height = excluded.stored_height, width = excluded.width,
                 height = excluded.height, notes = excluded.notes, created_ms = excluded.created_ms,
                 pages = excluded.pages",
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
            ],
        )?;
        Ok(())
    }

    /// Keeps what is on a picture, wherever it is shown; none forgets it.
    ///
    /// # Errors
    /// There is no such picture, or the database fails.
    pub fn describe_image(&self, id: &ImageId, alt: Option<&str>) -> Result<(), StoreError> {
        let changed = self.connection().execute(
            "UPDATE image SET alt = ?2 WHERE id = ?1",
            params![id.as_str(), alt],
        )?;
        if changed == 0 {
            return Err(StoreError::NoImage(id.clone()));
        }
        Ok(())
    }

    /// # Errors
    /// There is no such picture, or the database fails.
    pub fn attachment(&self, id: &ImageId) -> Result<Attachment, StoreError> {
        attachment(&self.connection(), id)
    }

    /// Keeps a draft (none: of the conversation not begun yet). An empty one is forgotten.
    ///
    /// # Errors
    /// The database fails.
    pub fn save_draft(
        &self,
        conversation: Option<ConversationId>,
        text: &str,
        images: &[ImageId],
    ) -> Result<(), StoreError> {
        let connection = self.connection();
        let key = key(conversation);
        if text.is_empty() && images.is_empty() {
            connection.execute("DELETE FROM draft WHERE conversation = ?1", [key])?;
        } else {
            connection.execute(
                "INSERT INTO draft (conversation, text, images) VALUES (?1, ?2, ?3)
                 ON CONFLICT (conversation) DO UPDATE SET text = excluded.text, images = excluded.images",
                params![key, text, rows::json(&images)?],
            )?;
        }
        Ok(())
    }

    /// What was kept, or an empty draft. Pictures that are gone are left out.
    ///
    /// # Errors
    /// The database fails.
    pub fn load_draft(&self, conversation: Option<ConversationId>) -> Result<Draft, StoreError> {
        let connection = self.connection();
        let kept: Option<(String, String)> = connection
            .query_row(
                "SELECT text, images FROM draft WHERE conversation = ?1",
                [key(conversation)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let Some((text, images)) = kept else {
            return Ok(Draft::default());
        };
        let mut draft = Draft {
            text,
            images: Vec::new(),
        };
        for id in rows::from_json::<Vec<ImageId>>("a draft", &images)? {
            match attachment(&connection, &id) {
                Ok(attachment) => draft.images.push(attachment),
                Err(StoreError::NoImage(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(draft)
    }
}

fn key(conversation: Option<ConversationId>) -> String {
    conversation.map(|id| id.to_string()).unwrap_or_default()
}

fn attachment(connection: &Connection, id: &ImageId) -> Result<Attachment, StoreError> {
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
