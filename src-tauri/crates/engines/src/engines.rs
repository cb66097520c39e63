//! The way to the owner of both engines.
//!
//! Outside: models and settings. A caller says what to load and what it will take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::lease::{Lease, Ticket};
use crate::owner::Owner;
use crate::table::Seat;
use crate::wishes::{EnginesConfig, Message, Need, Promise, View, Wish};
use crate::{EngineError, EngineSnapshot, LoadSpec, ProcessMemory};

/// How long the end of the app waits for the engines' end.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Both engines. Cheap to clone; the processes end with the last clone and lease.
#[derive(Debug, Clone)]
pub struct Engines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    messages: mpsc::UnboundedSender<Message>,
    views: [View; 2],
    tickets: AtomicU64,
}

impl Engines {
    /// Starts no process yet; must be called inside a tokio runtime.
    #[must_use]
    pub fn start(config: EnginesConfig) -> Self {
        let (messages, views) = Owner::start(config);
        Self(Arc::new(Shared {
            messages,
            views,
            tickets: AtomicU64::new(0),
        }))
    }

    /// The model, loaded if need be, and the right to ask it.
    ///
    /// # Errors
    /// [`EngineError::Busy`] if an answer would have to be ended for it; or why it could not be loaded.
    pub async fn lease(
        &self,
        seat: Seat,
        spec: LoadSpec,
        need: Need,
    ) -> Result<Lease, EngineError> {
        let ticket = self.ticket();
        let wish = Wish {
            ticket: Some(ticket.id),
            ..Wish::new(seat, spec, Some(need))
        };
        let engine = self.promised(wish).await?.ok_or(EngineError::ShutDown)?;
        kept(engine, ticket).await
    }

    /// The right to ask the model if it is in the seat, loaded this way or being loaded; nothing is loaded for it.
    ///
    /// # Errors
    /// Why it could not be loaded.
    pub async fn lease_held(
        &self,
        seat: Seat,
        spec: &LoadSpec,
    ) -> Result<Option<Lease>, EngineError> {
        let ticket = self.ticket();
        let wish = Wish {
            ticket: Some(ticket.id),
            ..Wish::new(seat, spec.clone(), None)
        };
        match self.promised(wish).await? {
            Some(engine) => Ok(Some(kept(engine, ticket).await?)),
            None => Ok(None),
        }
    }

    /// As [`Self::lease_held`], for work that nobody waits for: none unless the engine is ready and not asked anything; and it may
    /// be ended under it. Give it back as soon as somebody asks: they wait for that.
    ///
    /// # Errors
    /// The seat has another model, or the same loaded otherwise.
    pub async fn lease_in_background(
        &self,
        seat: Seat,
        spec: &LoadSpec,
    ) -> Result<Option<Lease>, EngineError> {
        let ticket = self.ticket();
        let wish = Wish {
            ticket: Some(ticket.id),
            background: true,
            ..Wish::new(seat, spec.clone(), None)
        };
        match self.promised(wish).await? {
            Some(engine) => Ok(Some(kept(engine, ticket).await?)),
            None => Ok(None),
        }
    }

    /// Begins to load a model ahead of a question; [`Self::subscribe`] tells how that goes. Does nothing if it is there.
    ///
    /// # Errors
    /// [`EngineError::Busy`] if an answer would have to be ended for it.
    pub async fn load(&self, seat: Seat, spec: LoadSpec, need: Need) -> Result<(), EngineError> {
        self.begin(seat, Wish::new(seat, spec, Some(need))).await
    }

    /// Whether [`Self::load`] would begin now.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn could_load(
        &self,
        seat: Seat,
        spec: LoadSpec,
        need: Need,
    ) -> Result<(), EngineError> {
        let wish = Wish {
            trial: true,
            ..Wish::new(seat, spec, Some(need))
        };
        self.promised(wish).await.map(drop)
    }

    /// Ends the process and loads the model in a new one, whatever happened before. With `end_running` the answers of the engines
    /// that have to go are ended.
    ///
    /// # Errors
    /// [`EngineError::Busy`] without `end_running`, if an answer would have to be ended for it.
    pub async fn restart(
        &self,
        seat: Seat,
        spec: LoadSpec,
        need: Need,
        end_running: bool,
    ) -> Result<(), EngineError> {
        let wish = Wish {
            restart: true,
            end_running,
            ..Wish::new(seat, spec, Some(need))
        };
        self.begin(seat, wish).await
    }

    /// How long an engine is kept that nobody asks, from now on; none: for ever. It is counted from the end of the load or of the
    /// last answer.
    pub fn keep(&self, seat: Seat, keep: Option<Duration>) {
        let _ = self.0.messages.send(Message::Keep { seat, keep });
    }

    /// Ends both processes and whatever they answer. Returns after some seconds at most, also if a process does not end.
    pub async fn shutdown(&self) {
        let (reply, done) = oneshot::channel();
        if self.0.messages.send(Message::Close { reply }).is_ok()
            && tokio::time::timeout(SHUTDOWN, done).await.is_err()
        {
            tracing::error!("an engine did not end in time");
        }
    }

    #[must_use]
    pub fn snapshot(&self, seat: Seat) -> EngineSnapshot {
        self.view(seat).snapshots.borrow().clone()
    }

    /// Every change from now on; the current value is there at once.
    #[must_use]
    pub fn subscribe(&self, seat: Seat) -> watch::Receiver<EngineSnapshot> {
        self.view(seat).snapshots.clone()
    }

    /// Memory of the process that runs now; none without a process, or where the system does not tell. Takes microseconds.
    #[must_use]
    pub fn memory(&self, seat: Seat) -> Option<ProcessMemory> {
        self.view(seat).memory()
    }

    /// The computer's memory that would be free if both engines were ended.
    #[must_use]
    pub fn own_bytes(&self) -> u64 {
        self.0
            .views
            .iter()
            .filter_map(View::own_bytes)
            .fold(0, u64::saturating_add)
    }

    fn view(&self, seat: Seat) -> &View {
        &self.0.views[seat as usize]
    }

    fn ticket(&self) -> Ticket {
        let id = self.0.tickets.fetch_add(1, Ordering::Relaxed);
        Ticket::new(id, self.0.messages.clone())
    }

    async fn promised(&self, wish: Wish) -> Result<Option<Promise>, EngineError> {
        let (reply, answer) = oneshot::channel();
        let wish = Box::new(wish);
        self.0
            .messages
            .send(Message::Want { wish, reply })
            .map_err(|_| EngineError::ShutDown)?;
        answer.await.map_err(|_| EngineError::ShutDown)?
    }

    async fn begin(&self, seat: Seat, wish: Wish) -> Result<(), EngineError> {
        let mut changes = self.subscribe(seat);
        let before = changes.borrow_and_update().revision;
        let Some(promise) = self.promised(wish).await? else {
            return Ok(());
        };
        // Until the order is taken up: the state has changed, or it is done already.
        tokio::select! {
            _ = changes.wait_for(|snapshot| snapshot.revision != before) => {}
            _ = promise => {}
        }
        Ok(())
    }
}

async fn kept(engine: Promise, ticket: Ticket) -> Result<Lease, EngineError> {
    let engine = engine.await.map_err(|_| EngineError::ShutDown)??;
    Ok(Lease::new(engine, ticket))
}
