//! The answers being written: who they belong to and how each of them is stopped.
//!
//! Outside: writing them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use paddock_conversation::{ConversationId, FinishReason, GenerationId};
use tokio_util::sync::CancellationToken;

use crate::ChatError;

/// A page may cancel before its question arrives; so many of such early cancellations are remembered.
const MAX_EARLY: usize = 64;

#[derive(Debug, Default)]
pub struct ActiveAnswers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: HashMap<GenerationId, (Option<ConversationId>, CancellationToken)>,
    early: Vec<GenerationId>,
    /// The app is ending; what is stopped now was interrupted, not cancelled.
    closing: bool,
}

/// One running answer; dropping it signs it off.
#[derive(Debug)]
pub struct Active<'a> {
    answers: &'a ActiveAnswers,
    id: GenerationId,
    pub token: CancellationToken,
}

impl ActiveAnswers {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs an answer on. One conversation writes one answer at a time.
    pub fn begin(
        &self,
        id: GenerationId,
        conversation: Option<ConversationId>,
    ) -> Result<Active<'_>, ChatError> {
        let mut state = self.state();
        let busy = state.running.iter().any(|(other, (theirs, _))| {
            *other == id || (conversation.is_some() && *theirs == conversation)
        });
        if busy {
            return Err(ChatError::Busy);
        }
        let token = CancellationToken::new();
        let early = state.early.iter().position(|early| *early == id);
        if let Some(index) = early {
            state.early.swap_remove(index);
        }
        if early.is_some() || state.closing {
            token.cancel();
        }
        state.running.insert(id, (conversation, token.clone()));
        Ok(Active {
            answers: self,
            id,
            token,
        })
    }

    /// Stops what is being written in a conversation.
    pub fn cancel_in(&self, conversation: ConversationId) {
        for (theirs, token) in self.state().running.values() {
            if *theirs == Some(conversation) {
                token.cancel();
            }
        }
    }

    pub fn cancel(&self, id: GenerationId) {
        let mut state = self.state();
        if let Some((_, token)) = state.running.get(&id) {
            token.cancel();
        } else {
            if state.early.len() == MAX_EARLY {
                state.early.remove(0);
            }
            state.early.push(id);
        }
    }

    /// Stops everything because the app ends.
    pub fn close(&self) {
        let mut state = self.state();
        state.closing = true;
        for (_, token) in state.running.values() {
            token.cancel();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.state().running.is_empty()
    }

    /// Why an answer that was stopped was stopped.
    pub fn stop_reason(&self) -> FinishReason {
        if self.state().closing {
            FinishReason::Interrupted
        } else {
            FinishReason::Cancelled
        }
    }
}

impl Active<'_> {
    /// A new conversation has its id from here on.
    pub fn belongs_to(&self, conversation: ConversationId) {
        if let Some((theirs, _)) = self.answers.state().running.get_mut(&self.id) {
            *theirs = Some(conversation);
        }
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.answers.state().running.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_that_overtakes_its_question_counts() {
        let answers = ActiveAnswers::default();
        let id = GenerationId::random();
        answers.cancel(id);
        let active = answers.begin(id, None).unwrap();
        assert!(active.token.is_cancelled());
    }

    #[test]
    fn one_answer_at_a_time_in_one_conversation() {
        let answers = ActiveAnswers::default();
        let conversation = Some(ConversationId::random());
        let first = answers.begin(GenerationId::random(), conversation).unwrap();
        assert!(matches!(
            answers.begin(GenerationId::random(), conversation),
            Err(ChatError::Busy)
        ));
        assert!(
            answers
                .begin(GenerationId::random(), Some(ConversationId::random()))
                .is_ok()
        );
        drop(first);
        assert!(answers.begin(GenerationId::random(), conversation).is_ok());
        assert!(answers.is_empty());
        let new = answers.begin(GenerationId::random(), None).unwrap();
        let begun = ConversationId::random();
        new.belongs_to(begun);
        assert!(matches!(
            answers.begin(GenerationId::random(), Some(begun)),
            Err(ChatError::Busy)
        ));
        answers.cancel_in(begun);
        assert!(new.token.is_cancelled());
    }
}
