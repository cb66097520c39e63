//! Finding conversations by what was said in them.
//!
//! Outside: ranking; the sidebar keeps its order by date. An answer is found once it has ended.

use paddock_conversation::{ConversationId, MessageId};
use rusqlite::{Transaction, params};

use crate::error::StoreError;

/// The index knows groups of three characters; shorter words are looked for by reading the texts.
const SHORTEST_INDEXED: usize = 3;

pub fn index_title(
    transaction: &Transaction<'_>,
    conversation: ConversationId,
    title: &str,
) -> Result<(), StoreError> {
    let id = conversation.to_string();
    transaction.execute(
        "DELETE FROM search WHERE conversation = ?1 AND message = ''",
        [&id],
    )?;
    transaction.execute(
        "INSERT INTO search (text, conversation, message) VALUES (?1, ?2, '')",
        params![title, id],
    )?;
    Ok(())
}

pub fn index_message(
    transaction: &Transaction<'_>,
    conversation: ConversationId,
    message: MessageId,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO search (text, conversation, message)
         SELECT group_concat(text, ' '), ?1, ?2 FROM part WHERE message = ?2 AND text <> '' HAVING count(*) > 0",
        params![conversation.to_string(), message.to_string()],
    )?;
    Ok(())
}

/// Makes the index anew of the texts that it was made of.
pub fn rebuild(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    transaction.execute("INSERT INTO search (search) VALUES ('rebuild')", [])?;
    Ok(())
}

/// An SQL condition on `c.id` (beginning with ` AND`) and its parameters, numbered from 1.
pub fn condition(query: &str) -> (String, Vec<String>) {
    let mut sql = String::new();
    let mut parameters = Vec::new();
    for word in query.split_whitespace() {
        let number = parameters.len() + 1;
        if word.chars().count() >= SHORTEST_INDEXED {
            sql.push_str(&format!(
                " AND c.id IN (SELECT conversation FROM search WHERE search MATCH ?{number})"
            ));
            // A quoted string means exactly these characters, whatever FTS5 would make of them.
            parameters.push(format!("\"{}\"", word.replace('"', "\"\"")));
        } else {
            sql.push_str(&format!(
                " AND c.id IN (SELECT conversation FROM search WHERE text LIKE ?{number} ESCAPE '\\')"
            ));
            let literal = word
                .replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_");
            parameters.push(format!("%{literal}%"));
        }
    }
    (sql, parameters)
}
