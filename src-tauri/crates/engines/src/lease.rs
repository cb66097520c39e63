//! The right to ask an engine: while it is held, nobody ends the engine without being asked to.
//!
//! Outside: who gets one (the owner).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use crate::wishes::Message;
use crate::{Engine, EngineError, EngineEvent, EventStream, GenerateRequest, LocalEngine};

/// A loaded model, and the right to ask it. Dropping it gives the right back; an answer that has not ended then is known to
/// have been given up.
#[derive(Debug)]
pub struct Lease {
    engine: LocalEngine,
    ticket: Ticket,
}

/// One claim; dropping it ends it.
#[derive(Debug)]
pub struct Ticket {
    pub id: u64,
    messages: mpsc::UnboundedSender<Message>,
    /// Answers that were begun and whose end was not seen.
    unfinished: Arc<AtomicU32>,
}

impl Ticket {
    pub fn new(id: u64, messages: mpsc::UnboundedSender<Message>) -> Self {
        Self {
            id,
            messages,
            unfinished: Arc::default(),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // The owner is gone only when everything is.
        let _ = self.messages.send(Message::Release {
            ticket: self.id,
            unfinished: self.unfinished.load(Ordering::Acquire) > 0,
        });
    }
}

impl Lease {
    pub(crate) fn new(engine: LocalEngine, ticket: Ticket) -> Self {
        Self { engine, ticket }
    }

    /// Tokens of prompt and answer together.
    #[must_use]
    pub fn context_tokens(&self) -> u32 {
        self.engine.context_tokens()
    }

    /// Whether images are accepted.
    #[must_use]
    pub fn vision(&self) -> bool {
        self.engine.vision()
    }
}

impl Engine for Lease {
    fn generate(&self, request: GenerateRequest) -> EventStream {
        let unfinished = self.ticket.unfinished.clone();
        unfinished.fetch_add(1, Ordering::AcqRel);
        let events = self.engine.generate(request);
        stream::unfold(
            (events, Some(unfinished)),
            |(mut events, mut unfinished)| async move {
                let event = events.next().await?;
                if is_the_end(&event)
                    && let Some(unfinished) = unfinished.take()
                {
                    unfinished.fetch_sub(1, Ordering::AcqRel);
                }
                Some((event, (events, unfinished)))
            },
        )
        .boxed()
    }
}

/// Whether the engine works on the answer no longer.
fn is_the_end(event: &Result<EngineEvent, EngineError>) -> bool {
    match event {
        Ok(event) => matches!(event, EngineEvent::Finished(_)),
        Err(EngineError::Silent { .. } | EngineError::Protocol { .. }) => false,
        Err(_) => true,
    }
}
