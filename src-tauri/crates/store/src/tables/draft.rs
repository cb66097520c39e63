//! Drafts: what stands in a composer and was not sent.
//!
//! Outside: the pictures in them.

use paddock_conversation::{ConversationId, Draft, ImageId};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::rows;
use crate::store::Store;
use crate::tables::image;

impl Store {
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
        self.write(|transaction| {
            if text.is_empty() && images.is_empty() {
                return clear(transaction, conversation);
            }
            transaction.execute(
                "INSERT INTO draft (conversation, text, images) VALUES (?1, ?2, ?3)
                 ON CONFLICT (conversation) DO UPDATE SET text = excluded.text, images = excluded.images",
                params![key(conversation), text, rows::json(&images)?],
            )?;
            Ok(())
        })
    }

    /// What was kept, or an empty draft. Pictures that are gone are left out.
    ///
    /// # Errors
    /// The database fails.
    pub fn load_draft(&self, conversation: Option<ConversationId>) -> Result<Draft, StoreError> {
        self.read(|connection| {
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
                match image::attachment(connection, &id) {
                    Ok(attachment) => draft.images.push(attachment),
                    Err(StoreError::NoImage(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(draft)
        })
    }
}

/// Forgets what stands in a composer (none: of the conversation not begun yet).
pub fn clear(
    transaction: &Transaction<'_>,
    conversation: Option<ConversationId>,
) -> Result<(), StoreError> {
    transaction.execute(
        "DELETE FROM draft WHERE conversation = ?1",
        [key(conversation)],
    )?;
    Ok(())
}

fn key(conversation: Option<ConversationId>) -> String {
    conversation.map(|id| id.to_string()).unwrap_or_default()
}
