//! The end of an answer, written down however long that takes.
//!
//! Outside: the pieces that are written while an answer streams (`turn.rs`).
//!
//! A disk that is full, or a database that is locked, costs nobody an answer that is on the screen: its end waits here and
//! is tried again until it is kept or the app ends. Whoever opens the conversation meanwhile sees it whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paddock_conversation::{Failure, Message, MessageId, MessageStatus, Part};
use paddock_store::{Answer, Store, StoreError};
use tokio::sync::watch;

use crate::chat::now_ms;
use crate::stream::Piece;

/// Pauses between the first tries, while the turn itself still waits: a lock is mostly gone by then.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// Between later tries.
const LATER: Duration = Duration::from_secs(2);

/// How an answer ended, with all that it said.
#[derive(Debug, Clone)]
pub struct Ending {
    pub answer: Answer,
    /// Not written yet.
    pub unsaved: Piece,
    pub whole: Piece,
}

/// Ends that could not be written yet. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Endings(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<Store>,
    waiting: Mutex<HashMap<MessageId, (Message, Ending)>>,
    /// Their ids, for whoever shows them.
    unkept: watch::Sender<Vec<MessageId>>,
}

impl Endings {
    pub fn new(store: Arc<Store>) -> Self {
        Self(Arc::new(Inner {
            store,
            waiting: Mutex::default(),
            unkept: watch::channel(Vec::new()).0,
        }))
    }

    /// The answers that are on the screen and not in the store.
    pub fn unkept(&self) -> watch::Receiver<Vec<MessageId>> {
        self.0.unkept.subscribe()
    }

    /// Writes the end of the answer that began as `begun`, now or later, and returns it as it is to be shown.
    ///
    /// # Errors
    /// The message is gone.
    pub async fn keep(&self, begun: Message, ending: Ending) -> Result<Message, StoreError> {
        let mut pauses = PAUSES.into_iter();
        let error = loop {
            match self.write(begun.id, &ending).await {
                Ok(kept) => return Ok(kept),
                Err(error @ StoreError::NoMessage(_)) => return Err(error),
                Err(error) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => break error,
                },
            }
        };
        tracing::warn!(%error, "the end of an answer could not be kept yet");
        let shown = shown(begun, &ending, &error);
        let first = {
            let mut waiting = self.waiting();
            waiting.insert(shown.id, (shown.clone(), ending));
            self.publish(&waiting);
            waiting.len() == 1
        };
        if first {
            tokio::spawn(self.clone().try_again());
        }
        Ok(shown)
    }

    /// Puts those of `messages` that end here in the place of what the store has of them.
    pub fn overlay(&self, messages: &mut [Message]) {
        let waiting = self.waiting();
        for message in messages {
            if let Some((shown, _)) = waiting.get(&message.id) {
                message.clone_from(shown);
            }
        }
    }

    async fn try_again(self) {
        loop {
            tokio::time::sleep(LATER).await;
            let all: Vec<_> = self
                .waiting()
                .iter()
                .map(|(id, (_, ending))| (*id, ending.clone()))
                .collect();
            for (id, ending) in all {
                match self.write(id, &ending).await {
                    // A message that is gone needs no end.
                    Ok(_) | Err(StoreError::NoMessage(_)) => {
                        let mut waiting = self.waiting();
                        waiting.remove(&id);
                        self.publish(&waiting);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "the end of an answer still waits");
                    }
                }
            }
            if self.waiting().is_empty() {
                return;
            }
        }
    }

    async fn write(&self, id: MessageId, ending: &Ending) -> Result<Message, StoreError> {
        let (store, ending) = (self.0.store.clone(), ending.clone());
        let written = tokio::task::spawn_blocking(move || {
            store.finish_answer(
                id,
                &ending.unsaved.text,
                &ending.unsaved.reasoning,
                &ending.answer,
                now_ms(),
            )
        });
        // It is only ended with the runtime.
        written.await.unwrap_or(Err(StoreError::NoMessage(id)))
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<MessageId, (Message, Ending)>> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, waiting: &HashMap<MessageId, (Message, Ending)>) {
        self.0
            .unkept
            .send_replace(waiting.keys().copied().collect());
    }
}

/// The answer as it stands on the screen, with the reason why it is nowhere else.
fn shown(begun: Message, ending: &Ending, error: &StoreError) -> Message {
    let reason = error.failure();
    Message {
        parts: vec![Part::Text {
            text: ending.whole.text.clone(),
        }],
        reasoning: Some(ending.whole.reasoning.clone()).filter(|text| !text.is_empty()),
        status: MessageStatus::Finished {
            reason: ending.answer.reason,
        },
        failure: Some(Failure::new(
            "answerNotKept",
            format!("This answer could not be saved yet. {}", reason.message),
            format!(
                "Copy it to be safe; saving is tried again until it works. {}",
                reason.next_step
            ),
        )),
        usage: ending.answer.usage,
        timings: ending.answer.timings,
        receipts: ending.answer.receipts.clone(),
        ..begun
    }
}
