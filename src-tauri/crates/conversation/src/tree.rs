//! Messages form a tree: an edit or a regeneration adds a sibling and loses nothing.
//!
//! Outside: storing the tree, and choosing which branch is shown.

use std::collections::{HashMap, HashSet};

use crate::{Message, MessageId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error("message {0} is not in this conversation")]
    Unknown(MessageId),
    #[error("the parents of message {0} form a circle")]
    Circle(MessageId),
}

/// A view over the messages of one conversation, given oldest first.
#[derive(Debug)]
pub struct MessageTree<'a> {
    messages: &'a [Message],
    by_id: HashMap<MessageId, &'a Message>,
    children: HashMap<Option<MessageId>, Vec<&'a Message>>,
}

impl<'a> MessageTree<'a> {
    #[must_use]
    pub fn new(messages: &'a [Message]) -> Self {
        let mut by_id = HashMap::with_capacity(messages.len());
        let mut children: HashMap<_, Vec<_>> = HashMap::new();
        for message in messages {
            by_id.insert(message.id, message);
            children.entry(message.parent).or_default().push(message);
        }
        Self {
            messages,
            by_id,
            children,
        }
    }

    #[must_use]
    pub fn get(&self, id: MessageId) -> Option<&'a Message> {
        self.by_id.get(&id).copied()
    }

    /// The branch that ends in `leaf`, from the first question on.
    ///
    /// # Errors
    /// A message on the way is missing, or the parents form a circle.
    pub fn path(&self, leaf: MessageId) -> Result<Vec<&'a Message>, TreeError> {
        let mut path = Vec::new();
        let mut seen = HashSet::new();
        let mut next = Some(leaf);
        while let Some(id) = next {
            let message = self.get(id).ok_or(TreeError::Unknown(id))?;
            if !seen.insert(id) {
                return Err(TreeError::Circle(id));
            }
            path.push(message);
            next = message.parent;
        }
        path.reverse();
        Ok(path)
    }

    /// The message and those that share its parent, oldest first.
    ///
    /// # Errors
    /// The message is not in this conversation.
    pub fn siblings(&self, id: MessageId) -> Result<&[&'a Message], TreeError> {
        let message = self.get(id).ok_or(TreeError::Unknown(id))?;
        Ok(self.children_of(message.parent))
    }

    /// The answers to a message (or, with none, the first questions), oldest first.
    #[must_use]
    pub fn children_of(&self, parent: Option<MessageId>) -> &[&'a Message] {
        self.children.get(&parent).map_or(&[], Vec::as_slice)
    }

    /// Where a branch leads if one follows the newest child from `id` on.
    ///
    /// # Errors
    /// The message is not in this conversation, or its descendants form a circle.
    pub fn newest_leaf_below(&self, id: MessageId) -> Result<MessageId, TreeError> {
        let mut current = self.get(id).ok_or(TreeError::Unknown(id))?;
        for _ in 0..=self.messages.len() {
            match self.children_of(Some(current.id)).last() {
                Some(child) => current = child,
                None => return Ok(current.id),
            }
        }
        Err(TreeError::Circle(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConversationId, MessageStatus, Role};

    fn message(conversation: ConversationId, parent: Option<MessageId>) -> Message {
        Message {
            id: MessageId::random(),
            conversation_id: conversation,
            parent,
            role: Role::User,
            parts: vec![],
            reasoning: None,
            created_at_ms: 0,
            status: MessageStatus::Complete,
            failure: None,
            model: None,
            usage: None,
            timings: None,
            receipts: vec![],
        }
    }

    #[test]
    fn paths_siblings_and_leaves_of_a_branched_conversation() {
        let c = ConversationId::random();
        let question = message(c, None);
        let first = message(c, Some(question.id));
        let again = message(c, Some(question.id));
        let follow_up = message(c, Some(first.id));
        let all = vec![question, first, again, follow_up];
        let tree = MessageTree::new(&all);

        let path: Vec<_> = tree.path(all[3].id).unwrap().iter().map(|m| m.id).collect();
        assert_eq!(path, [all[0].id, all[1].id, all[3].id]);
        let siblings: Vec<_> = tree
            .siblings(all[1].id)
            .unwrap()
            .iter()
            .map(|m| m.id)
            .collect();
        assert_eq!(siblings, [all[1].id, all[2].id]);
        assert_eq!(tree.newest_leaf_below(all[0].id).unwrap(), all[2].id);
        assert_eq!(tree.newest_leaf_below(all[1].id).unwrap(), all[3].id);
        let stranger = MessageId::random();
        assert_eq!(
            tree.path(stranger).unwrap_err(),
            TreeError::Unknown(stranger)
        );
    }

    #[test]
    fn a_circle_is_an_error_not_a_hang() {
        let c = ConversationId::random();
        let mut a = message(c, None);
        let b = message(c, Some(a.id));
        a.parent = Some(b.id);
        let all = vec![a, b];
        assert!(matches!(
            MessageTree::new(&all).path(all[0].id),
            Err(TreeError::Circle(_))
        ));
    }
}
