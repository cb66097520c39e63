//! What the owner of both engines is told and asked.
//!
//! Outside: what it does with that.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::placement::{FreeMemory, ThisComputer};
use crate::table::Seat;
use crate::{
    EngineError, EngineSnapshot, EngineState, LoadSpec, LocalEngine, ProcessMemory,
    SupervisorConfig,
};

#[derive(Debug, Clone)]
pub struct EnginesConfig {
    pub supervisor: SupervisorConfig,
    pub memory: Arc<dyn FreeMemory>,
    /// An engine that goes on with an answer that was stopped is started anew after so long, or after as long as its load took
    /// if that is longer.
    pub patience: Duration,
}

impl EnginesConfig {
    /// For the memory of this computer.
    #[must_use]
    pub fn new(supervisor: SupervisorConfig) -> Self {
        Self {
            supervisor,
            memory: Arc::new(ThisComputer),
            patience: Duration::from_secs(5),
        }
    }
}

/// What a load will take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    pub predicted_bytes: u64,
    /// `cpu`, `cuda:N` or `metal`: what `auto` resolves to.
    pub device: String,
}

/// The promise of an engine, or nothing where nothing was to be loaded.
pub type Promised = Result<Option<Promise>, EngineError>;

/// An engine that comes when it is loaded.
pub type Promise = oneshot::Receiver<Result<LocalEngine, EngineError>>;

#[derive(Debug)]
pub enum Message {
    Want {
        wish: Box<Wish>,
        reply: oneshot::Sender<Promised>,
    },
    Release {
        ticket: u64,
        /// An answer was begun and not followed to its end.
        unfinished: bool,
    },
    Keep {
        seat: Seat,
        keep: Option<Duration>,
    },
    Close {
        reply: oneshot::Sender<()>,
    },
    /// How a load ended.
    Settled {
        seat: Seat,
        load: u64,
        result: Box<Result<LocalEngine, EngineError>>,
    },
    /// The process of a load ended.
    Gone {
        seat: Seat,
        load: u64,
    },
    /// The engine is done with what it worked on.
    Cleared {
        seat: Seat,
        load: u64,
    },
}

/// What a caller wants.
#[derive(Debug)]
pub struct Wish {
    pub seat: Seat,
    pub spec: LoadSpec,
    /// None: only if it is there.
    pub need: Option<Need>,
    /// None: ahead of a question.
    pub ticket: Option<u64>,
    /// For work that may be ended.
    pub background: bool,
    pub restart: bool,
    /// Nothing is done; only whether it could be is answered.
    pub trial: bool,
    pub end_running: bool,
}

impl Wish {
    pub const fn new(seat: Seat, spec: LoadSpec, need: Option<Need>) -> Self {
        Self {
            seat,
            spec,
            need,
            ticket: None,
            background: false,
            restart: false,
            trial: false,
            end_running: false,
        }
    }
}

/// What can be seen of one engine.
#[derive(Debug)]
pub struct View {
    pub snapshots: watch::Receiver<EngineSnapshot>,
    pub process: watch::Receiver<Option<u32>>,
}

impl View {
    pub fn memory(&self) -> Option<ProcessMemory> {
        let process = *self.process.borrow();
        ProcessMemory::of(process?)
    }

    /// What the process holds by itself; where the system does not tell, what it said when it was ready.
    pub fn own_bytes(&self) -> Option<u64> {
        if let Some(memory) = self.memory() {
            return Some(memory.own_bytes);
        }
        match self.snapshots.borrow().state {
            EngineState::Ready { resident_bytes, .. } => Some(resident_bytes),
            _ => None,
        }
    }
}
