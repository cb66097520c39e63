//! Conversations as the sidebar knows them, and which branch of each is shown.
//!
//! Outside: their messages.

use paddock_conversation::{ConversationId, ConversationSummary, MessageId};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, params_from_iter};

use crate::{Store, StoreError, messages, rows, search};

const SUMMARY: &str = "SELECT c.id, c.title, c.updated_ms, c.created_ms,
        (SELECT count(DISTINCT p.image) FROM message m JOIN part p ON p.message = m.id AND p.image IS NOT NULL
         WHERE m.conversation = c.id)
    FROM conversation c";

impl Store {
    /// Those that are not deleted, newest first; with a query, those whose title or text contains every word of it.
    ///
    /// # Errors
    /// The database fails.
    pub fn list_conversations(
        &self,
        query: Option<&str>,
    ) -> Result<Vec<ConversationSummary>, StoreError> {
        let (condition, parameters) = search::condition(query.unwrap_or_default());
        let connection = self.connection();
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

    /// One conversation and the leaf of the branch that is shown.
    ///
    /// # Errors
    /// There is none (or it is deleted), or the database fails.
    pub fn conversation(
        &self,
        id: ConversationId,
    ) -> Result<(ConversationSummary, Option<MessageId>), StoreError> {
        let connection = self.connection();
        let leaf = must_exist(&connection, id)?;
        Ok((load(&connection, id)?, leaf))
    }

    /// # Errors
    /// There is no such conversation, or the database fails.
    pub fn rename_conversation(
        &self,
        id: ConversationId,
        title: &str,
    ) -> Result<ConversationSummary, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        must_exist(&transaction, id)?;
        transaction.execute(
            "UPDATE conversation SET title = ?2 WHERE id = ?1",
            params![id.to_string(), title],
        )?;
        search::index_title(&transaction, id, title)?;
        let summary = load(&transaction, id)?;
        transaction.commit()?;
        Ok(summary)
    }

    /// Hides a conversation until it is restored or removed for good.
    ///
    /// # Errors
    /// There is no such conversation, or the database fails.
    pub fn delete_conversation(&self, id: ConversationId, now_ms: u64) -> Result<(), StoreError> {
        let connection = self.connection();
        must_exist(&connection, id)?;
        connection.execute(
            "UPDATE conversation SET deleted_ms = ?2 WHERE id = ?1",
            params![id.to_string(), now_ms as i64],
        )?;
        Ok(())
    }

    /// Takes a deletion back.
    ///
    /// # Errors
    /// There is no such conversation any more, or the database fails.
    pub fn restore_conversation(
        &self,
        id: ConversationId,
    ) -> Result<ConversationSummary, StoreError> {
        let connection = self.connection();
        connection.execute(
            "UPDATE conversation SET deleted_ms = NULL WHERE id = ?1",
            [id.to_string()],
        )?;
        load(&connection, id)
    }

    /// Removes for good what was deleted before `before_ms`, and pictures that nothing refers to any more and
    /// that were taken in before then.
    ///
    /// # Errors
    /// The database fails.
    pub fn purge_deleted(&self, before_ms: u64) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        transaction.execute(
            "DELETE FROM search WHERE conversation IN (SELECT id FROM conversation WHERE deleted_ms < ?1)",
            [before_ms as i64],
        )?;
        transaction.execute(
            "DELETE FROM draft WHERE conversation IN (SELECT id FROM conversation WHERE deleted_ms < ?1)",
            [before_ms as i64],
        )?;
        transaction.execute(
            "DELETE FROM conversation WHERE deleted_ms < ?1",
            [before_ms as i64],
        )?;
        let orphans: Vec<String> = transaction
            .prepare(
                "DELETE FROM image WHERE created_ms < ?1
                 AND NOT EXISTS (SELECT 1 FROM part WHERE part.image = image.id)
                 AND NOT EXISTS (SELECT 1 FROM draft, json_each(draft.images) d WHERE d.value = image.id)
                 AND NOT EXISTS (SELECT 1 FROM image page WHERE page.pages ->> 'file' = image.id AND page.created_ms >= ?1)
                 RETURNING id",
            )?
            .query_map([before_ms as i64], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        transaction.commit()?;
        for id in orphans {
            self.blobs().remove(&rows::id(&id)?)?;
        }
        Ok(())
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
        let connection = self.connection();
        must_exist(&connection, conversation)?;
        messages::must_belong(&connection, leaf, conversation)?;
        connection.execute(
            "UPDATE conversation SET active_leaf = ?2 WHERE id = ?1",
            params![conversation.to_string(), leaf.to_string()],
        )?;
        Ok(())
    }
}

pub(crate) fn insert(
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

pub(crate) fn touch(
    transaction: &Transaction<'_>,
    id: ConversationId,
    leaf: Option<MessageId>,
    now_ms: u64,
) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE conversation SET updated_ms = max(updated_ms, ?2), active_leaf = coalesce(?3, active_leaf) WHERE id = ?1",
        params![id.to_string(), now_ms as i64, leaf.map(|leaf| leaf.to_string())],
    )?;
    Ok(())
}

/// Returns the active leaf.
pub(crate) fn must_exist(
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
