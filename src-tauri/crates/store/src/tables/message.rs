//! Messages and their parts: rows written and read.
//!
//! Outside: turns (several tables at once), and which message follows which (the caller decides).

use std::collections::HashMap;

use paddock_conversation::{
    ConversationId, Failure, FinishReason, ImageReceipt, ImageRef, ImageSize, Message, MessageId,
    MessageStatus, ModelLabel, Part, Role, Timings, Usage,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::rows;
use crate::store::Store;
use crate::tables::search;

/// A user message to be kept.
#[derive(Debug, Clone)]
pub struct NewQuestion {
    pub id: MessageId,
    pub parent: Option<MessageId>,
    pub parts: Vec<Part>,
    /// It was written in the conversation's composer: the draft there has been sent and is cleared with it.
    pub from_composer: bool,
}

/// An answer about to be written.
#[derive(Debug, Clone)]
pub struct NewAnswer {
    pub id: MessageId,
    /// The question it answers.
    pub parent: MessageId,
    pub model: Option<ModelLabel>,
}

/// How an answer ended.
#[derive(Debug, Clone)]
pub struct Answer {
    pub reason: FinishReason,
    pub failure: Option<Failure>,
    /// Replaces the label given at the beginning, if any.
    pub model: Option<ModelLabel>,
    pub usage: Option<Usage>,
    pub timings: Option<Timings>,
    pub receipts: Vec<ImageReceipt>,
}

impl Store {
    /// One message.
    ///
    /// # Errors
    /// There is no such message, or the database fails.
    pub fn message(&self, id: MessageId) -> Result<Message, StoreError> {
        self.read(|connection| one(connection, id))
    }

    /// The whole tree of a conversation, oldest first.
    ///
    /// # Errors
    /// The database fails.
    pub fn messages(&self, conversation: ConversationId) -> Result<Vec<Message>, StoreError> {
        let id = conversation.to_string();
        self.read(|connection| load(connection, "WHERE m.conversation = ?1", &id))
    }
}

/// Marks what was being generated when the app ended.
pub fn interrupt_unfinished(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let unfinished: Vec<(String, String)> = transaction
        .prepare("SELECT id, conversation FROM message WHERE status = 'generating'")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, conversation) in unfinished {
        transaction.execute(
            "UPDATE message SET status = 'interrupted' WHERE id = ?1",
            [&id],
        )?;
        search::index_message(transaction, rows::id(&conversation)?, rows::id(&id)?)?;
    }
    Ok(())
}

/// Adds to an answer that is being generated; adds nothing to one that has ended.
pub fn append(
    transaction: &Transaction<'_>,
    answer: MessageId,
    text: &str,
    reasoning: &str,
) -> Result<(), StoreError> {
    let id = answer.to_string();
    if !text.is_empty() {
        transaction.execute(
            "UPDATE part SET text = text || ?2 WHERE message = ?1 AND position = 0
             AND (SELECT status FROM message WHERE id = ?1) = 'generating'",
            params![id, text],
        )?;
    }
    if !reasoning.is_empty() {
        transaction.execute(
            "UPDATE message SET reasoning = coalesce(reasoning, '') || ?2 WHERE id = ?1 AND status = 'generating'",
            params![id, reasoning],
        )?;
    }
    Ok(())
}

/// Ends an answer and returns its conversation.
pub fn end(
    transaction: &Transaction<'_>,
    answer: MessageId,
    end: &Answer,
) -> Result<ConversationId, StoreError> {
    let receipts = (!end.receipts.is_empty()).then_some(&end.receipts);
    let conversation: Option<String> = transaction
        .query_row(
            "UPDATE message SET status = ?2, failure = ?3, usage = ?4, timings = ?5, receipts = ?6,
                 model = coalesce(?7, model)
             WHERE id = ?1 RETURNING conversation",
            params![
                answer.to_string(),
                rows::status_text(MessageStatus::Finished { reason: end.reason }),
                rows::optional_json(end.failure.as_ref())?,
                rows::optional_json(end.usage.as_ref())?,
                rows::optional_json(end.timings.as_ref())?,
                rows::optional_json(receipts)?,
                rows::optional_json(end.model.as_ref())?,
            ],
            |row| row.get(0),
        )
        .optional()?;
    rows::id(&conversation.ok_or(StoreError::NoMessage(answer))?)
}

#[allow(clippy::too_many_arguments)] // one row's columns
pub fn insert(
    transaction: &Transaction<'_>,
    conversation: ConversationId,
    id: MessageId,
    parent: Option<MessageId>,
    role: Role,
    status: MessageStatus,
    model: Option<&ModelLabel>,
    now_ms: u64,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO message (id, conversation, parent, role, created_ms, status, model) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            id.to_string(),
            conversation.to_string(),
            parent.map(|parent| parent.to_string()),
            match role {
                Role::User => "user",
                Role::Assistant => "assistant",
            },
            now_ms as i64,
            rows::status_text(status),
            rows::optional_json(model)?,
        ],
    )?;
    Ok(())
}

pub fn insert_parts(
    transaction: &Transaction<'_>,
    message: MessageId,
    parts: &[Part],
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO part (message, position, text, image, name, alt) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (position, part) in parts.iter().enumerate() {
        let (text, image) = match part {
            Part::Text { text } => (Some(text), None),
            Part::Image { image } => (None, Some(image)),
        };
        statement.execute(params![
            message.to_string(),
            position as i64,
            text,
            image.map(|image| image.id.as_str()),
            image.map(|image| &image.name),
            image.and_then(|image| image.alt.as_ref()),
        ])?;
    }
    Ok(())
}

pub fn must_belong(
    connection: &Connection,
    message: MessageId,
    conversation: ConversationId,
) -> Result<(), StoreError> {
    let found: Option<String> = connection
        .query_row(
            "SELECT conversation FROM message WHERE id = ?1",
            [message.to_string()],
            |row| row.get(0),
        )
        .optional()?;
    match found {
        None => Err(StoreError::NoMessage(message)),
        Some(other) if other != conversation.to_string() => {
            Err(StoreError::WrongConversation(message))
        }
        Some(_) => Ok(()),
    }
}

/// One message.
pub fn one(connection: &Connection, id: MessageId) -> Result<Message, StoreError> {
    load(connection, "WHERE m.id = ?1", &id.to_string())?
        .pop()
        .ok_or(StoreError::NoMessage(id))
}

/// Reads messages with their parts; `condition` has one parameter.
fn load(
    connection: &Connection,
    condition: &str,
    parameter: &str,
) -> Result<Vec<Message>, StoreError> {
    let mut parts: HashMap<String, Vec<Part>> = HashMap::new();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT p.message, p.text, p.image, p.name, COALESCE(i.alt, p.alt), i.width, i.height
         FROM part p JOIN message m ON m.id = p.message LEFT JOIN image i ON i.id = p.image
         {condition} ORDER BY p.message, p.position"
    ))?;
    let mut found = statement.query([parameter])?;
    while let Some(row) = found.next()? {
        let part = match row.get::<_, Option<String>>(1)? {
            Some(text) => Part::Text { text },
            None => Part::Image {
                image: ImageRef {
                    id: rows::id(&row.get::<_, String>(2)?)?,
                    name: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
                    alt: row.get(4)?,
                    size: ImageSize::new(row.get(5)?, row.get(6)?),
                },
            },
        };
        parts.entry(row.get(0)?).or_default().push(part);
    }

    let mut statement = connection.prepare_cached(&format!(
        "SELECT m.id, m.conversation, m.parent, m.role, m.created_ms, m.status, m.reasoning, m.failure, m.model,
                m.usage, m.timings, m.receipts
         FROM message m {condition} ORDER BY m.number"
    ))?;
    let mut found = statement.query([parameter])?;
    let mut messages = Vec::new();
    while let Some(row) = found.next()? {
        let id: String = row.get(0)?;
        let text = |column: usize| row.get::<_, Option<String>>(column);
        messages.push(Message {
            id: rows::id(&id)?,
            conversation_id: rows::id(&row.get::<_, String>(1)?)?,
            parent: text(2)?.as_deref().map(rows::id).transpose()?,
            role: if row.get::<_, String>(3)? == "user" {
                Role::User
            } else {
                Role::Assistant
            },
            parts: parts.remove(&id).unwrap_or_default(),
            reasoning: text(6)?,
            created_at_ms: row.get::<_, i64>(4)?.max(0) as u64,
            status: rows::status(&row.get::<_, String>(5)?)?,
            failure: rows::from_optional_json("a failure", text(7)?.as_deref())?,
            model: rows::from_optional_json("a model label", text(8)?.as_deref())?,
            usage: rows::from_optional_json("token counts", text(9)?.as_deref())?,
            timings: rows::from_optional_json("timings", text(10)?.as_deref())?,
            receipts: rows::from_optional_json("image receipts", text(11)?.as_deref())?
                .unwrap_or_default(),
        });
    }
    Ok(messages)
}
