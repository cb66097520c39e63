//! Turns: begun in one transaction over several tables, an answer growing, an answer ended.
//!
//! Outside: the rows of each table.

use paddock_conversation::{ConversationId, Message, MessageId, MessageStatus, Part, Role};
use rusqlite::Transaction;

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::message::{Answer, NewAnswer, NewQuestion};
use crate::tables::{conversation, draft, message, search, state};

impl Store {
    /// Keeps a question (none: another answer to an old one) and an empty answer marked as being generated, and
    /// shows that branch; with `new_title`, the conversation is made first. The draft that became the question
    /// ([`NewQuestion::from_composer`]) is cleared. All or nothing.
    ///
    /// # Errors
    /// The conversation or a parent does not exist, or the database fails.
    pub fn begin_turn(
        &self,
        id: ConversationId,
        new_title: Option<&str>,
        question: Option<&NewQuestion>,
        answer: &NewAnswer,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            state::look_at_clock(transaction, now_ms)?;
            if let Some(title) = new_title {
                conversation::insert(transaction, id, title, now_ms)?;
            } else {
                conversation::must_exist(transaction, id)?;
            }
            if let Some(question) = question {
                insert_question(transaction, id, question, now_ms)?;
                if question.from_composer {
                    let composer = new_title.is_none().then_some(id);
                    draft::clear(transaction, composer)?;
                }
            }
            message::must_belong(transaction, answer.parent, id)?;
            message::insert(
                transaction,
                id,
                answer.id,
                Some(answer.parent),
                Role::Assistant,
                MessageStatus::Generating,
                answer.model.as_ref(),
                now_ms,
            )?;
            let nothing_yet = Part::Text {
                text: String::new(),
            };
            message::insert_parts(transaction, answer.id, &[nothing_yet])?;
            conversation::touch(transaction, id, Some(answer.id), now_ms)
        })?;
        self.back_up_if_due(now_ms);
        Ok(())
    }

    /// Adds to an answer that is being generated; adds nothing to one that has ended.
    ///
    /// # Errors
    /// The database fails.
    pub fn append_text(
        &self,
        answer: MessageId,
        text: &str,
        reasoning: &str,
    ) -> Result<(), StoreError> {
        self.write(|transaction| message::append(transaction, answer, text, reasoning))
    }

    /// Ends an answer, adding its last piece of text, and returns it as it is kept.
    ///
    /// # Errors
    /// There is no such message, or the database fails.
    pub fn finish_answer(
        &self,
        answer: MessageId,
        text: &str,
        reasoning: &str,
        end: &Answer,
        now_ms: u64,
    ) -> Result<Message, StoreError> {
        self.write(|transaction| {
            message::append(transaction, answer, text, reasoning)?;
            let conversation = message::end(transaction, answer, end)?;
            search::index_message(transaction, conversation, answer)?;
            conversation::touch(transaction, conversation, None, now_ms)?;
            message::one(transaction, answer)
        })
    }
}

fn insert_question(
    transaction: &Transaction<'_>,
    conversation: ConversationId,
    question: &NewQuestion,
    now_ms: u64,
) -> Result<(), StoreError> {
    if let Some(parent) = question.parent {
        message::must_belong(transaction, parent, conversation)?;
    }
    message::insert(
        transaction,
        conversation,
        question.id,
        question.parent,
        Role::User,
        MessageStatus::Complete,
        None,
        now_ms,
    )?;
    message::insert_parts(transaction, question.id, &question.parts)?;
    search::index_message(transaction, conversation, question.id)
}
