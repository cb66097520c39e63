//! Conversations as the sidebar knows them, and which branch of each is shown.
//!
//! Outside: the rows of their messages.

use std::time::Duration;

use paddock_conversation::{ConversationId, ConversationSummary, ImageId, MessageId};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, params_from_iter};

use crate::error::StoreError;
use crate::rows;
use crate::store::Store;
use crate::tables::{image, message, search, state};

const SUMMARY: &str = "SELECT c.id, c.title, c.updated_ms, c.created_ms,
        (SELECT count(DISTINCT p.image) FROM message m JOIN part p ON p.message = m.id AND p.image IS NOT NULL
         WHERE m.conversation = c.id)
    FROM conversation c";

/// What was removed for good, and what could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    pub conversations: usize,
    /// Whose files were removed.
    pub pictures: usize,
    /// Pictures with a file that could not be removed, and why.
    pub stayed: Vec<(ImageId, String)>,
}

impl Store {
    /// Those that are not deleted, newest first; with a query, those whose title or text contains every word of it.
    ///
    /// # Errors
    /// The database fails.
    pub fn list_conversations(
        &self,
        query: Option<&str>,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        self.read(|connection| list(connection, query))
    }

    /// One conversation and the leaf of the branch that is shown.
    ///
    /// # Errors
    /// There is none (or it is deleted), or the database fails.
    pub fn conversation(
        &self,
        id: ConversationId,
    ) -> Result<(ConversationSummary, Option<MessageId>), StoreError> {
        self.read(|connection| {
            let leaf = must_exist(connection, id)?;
            Ok((load(connection, id)?, leaf))
        })
    }

    /// # Errors
    /// There is no such conversation, or the database fails.
    pub fn rename_conversation(
        &self,
        id: ConversationId,
        title: &str,
    ) -> Result<ConversationSummary, StoreError> {
        self.write(|transaction| {
            must_exist(transaction, id)?;
            transaction.execute(
                "UPDATE conversation SET title = ?2 WHERE id = ?1",
                params![id.to_string(), title],
            )?;
            search::index_title(transaction, id, title)?;
            load(transaction, id)
        })
    }

    /// Hides a conversation until it is restored or removed for good.
    ///
    /// # Errors
    /// There is no such conversation, or the database fails.
    pub fn delete_conversation(&self, id: ConversationId, now_ms: u64) -> Result<(), StoreError> {
        self.write(|transaction| {
            must_exist(transaction, id)?;
            let lived_ms = state::look_at_clock(transaction, now_ms)?;
            transaction.execute(
                "UPDATE conversation SET deleted_ms = ?2, deleted_lived_ms = ?3 WHERE id = ?1",
                params![id.to_string(), now_ms as i64, lived_ms as i64],
            )?;
            Ok(())
        })
    }

    /// Takes a deletion back.
    ///
    /// # Errors
    /// There is no such conversation any more, or the database fails.
    pub fn restore_conversation(
        &self,
        id: ConversationId,
    ) -> Result<ConversationSummary, StoreError> {
        self.write(|transaction| {
            transaction.execute(
                "UPDATE conversation SET deleted_ms = NULL, deleted_lived_ms = NULL WHERE id = ?1",
                [id.to_string()],
            )?;
            load(transaction, id)
        })
    }

    /// Removes for good what was deleted at least `keep` ago, and pictures that nothing refers to any more and that
    /// were taken in before then.
    ///
    /// Of time only that counts which surely passed: a day at most between two looks at the clock. A clock that is set
    /// ahead, once or for good, ends nobody's chance to take a deletion back; who looks in once a week gets more time.
    ///
    /// # Errors
    /// The database fails. A file that cannot be removed is no error: it is told, and tried again the next time.
    pub fn purge_deleted(&self, now_ms: u64, keep: Duration) -> Result<Purged, StoreError> {
        let (conversations, waiting) = self.write(|transaction| {
            let lived_ms = state::look_at_clock(transaction, now_ms)?;
            // Younger than `keep` is all, as long as less than `keep` was lived.
            let Some(until_ms) = lived_ms.checked_sub(keep.as_millis() as u64) else {
                return Ok((0, image::waiting_for_removal(transaction)?));
            };
            let conversations = purge(transaction, until_ms)?;
            image::give_up_unused(transaction, until_ms)?;
            Ok((conversations, image::waiting_for_removal(transaction)?))
        })?;
        let mut purged = Purged {
            conversations,
            pictures: 0,
            stayed: Vec::new(),
        };
        let mut removed = Vec::new();
        for id in waiting {
            match self.blobs().remove(&id) {
                Ok(true) => removed.push(id),
                Ok(false) => {}
                Err(error) => purged.stayed.push((id, error.to_string())),
            }
        }
        purged.pictures = removed.len();
        self.write(|transaction| image::removed(transaction, &removed))?;
        Ok(purged)
    }

    /// Shows another branch.
    ///
    /// # Errors
    /// The conversation or the message does not exist, or they do not belong together.
    pub fn select_leaf(
        &self,
        conversation: ConversationId,
        leaf: MessageId,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            must_exist(transaction, conversation)?;
            message::must_belong(transaction, leaf, conversation)?;
            transaction.execute(
                "UPDATE conversation SET active_leaf = ?2 WHERE id = ?1",
                params![conversation.to_string(), leaf.to_string()],
            )?;
            Ok(())
        })
    }
}

/// Those that are not deleted, newest first.
pub fn list(
    connection: &Connection,
    query: Option<&str>,
) -> Result<Vec<ConversationSummary>, StoreError> {
    let (condition, parameters) = search::condition(query.unwrap_or_default());
    let mut statement = connection.prepare_cached(&format!(
        "{SUMMARY} WHERE c.deleted_ms IS NULL{condition} ORDER BY c.updated_ms DESC, c.id DESC"
    ))?;
    let mut found = statement.query(params_from_iter(parameters))?;
    let mut summaries = Vec::new();
    while let Some(row) = found.next()? {
        summaries.push(summary(row)?);
    }
    Ok(summaries)
}

/// Removes the rows of what was deleted until a moment of lived time, and returns how many conversations it were.
fn purge(transaction: &Transaction<'_>, until_ms: u64) -> Result<usize, StoreError> {
    const GONE: &str = "deleted_ms IS NOT NULL AND coalesce(deleted_lived_ms, 0) <= ?1";
    for table in ["search", "draft"] {
        transaction.execute(
            &format!("DELETE FROM {table} WHERE conversation IN (SELECT id FROM conversation WHERE {GONE})"),
            [until_ms as i64],
        )?;
    }
    let purged = transaction.execute(
        &format!("DELETE FROM conversation WHERE {GONE}"),
        [until_ms as i64],
    )?;
    Ok(purged)
}

pub fn insert(
    transaction: &Transaction<'_>,
    id: ConversationId,
    title: &str,
    now_ms: u64,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO conversation (id, title, created_ms, updated_ms) VALUES (?1, ?2, ?3, ?3)",
        params![id.to_string(), title, now_ms as i64],
    )?;
    search::index_title(transaction, id, title)
}

/// Makes it the newest. What a wrong clock wrote before does not stay.
pub fn touch(
    transaction: &Transaction<'_>,
    id: ConversationId,
    leaf: Option<MessageId>,
    now_ms: u64,
) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE conversation SET updated_ms = ?2, active_leaf = coalesce(?3, active_leaf) WHERE id = ?1",
        params![id.to_string(), now_ms as i64, leaf.map(|leaf| leaf.to_string())],
    )?;
    Ok(())
}

/// Returns the active leaf.
pub fn must_exist(
    connection: &Connection,
    id: ConversationId,
) -> Result<Option<MessageId>, StoreError> {
    let leaf: Option<Option<String>> = connection
        .query_row(
            "SELECT active_leaf FROM conversation WHERE id = ?1 AND deleted_ms IS NULL",
            [id.to_string()],
            |row| row.get(0),
        )
        .optional()?;
    leaf.ok_or(StoreError::NoConversation(id))?
        .as_deref()
        .map(rows::id)
        .transpose()
}

fn load(connection: &Connection, id: ConversationId) -> Result<ConversationSummary, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SUMMARY} WHERE c.id = ?1"))?;
    let mut found = statement.query([id.to_string()])?;
    found
        .next()?
        .map(summary)
        .ok_or(StoreError::NoConversation(id))?
}

fn summary(row: &Row<'_>) -> Result<ConversationSummary, StoreError> {
    Ok(ConversationSummary {
        id: rows::id(&row.get::<_, String>(0)?)?,
        title: row.get(1)?,
        updated_at_ms: row.get::<_, i64>(2)?.max(0) as u64,
        created_at_ms: row.get::<_, i64>(3)?.max(0) as u64,
        images: row.get(4)?,
    })
}
