//! What to load, and the way to the supervisor that loads it.
//!
//! Outside: the process itself.

use std::path::PathBuf;

use paddock_conversation::ModelLabel;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{EngineError, EngineSnapshot, LocalEngine};

#[derive(Debug, Clone)]
pub struct SupervisorConfig {
    /// The `paddock-engine` program.
    pub program: PathBuf,
}

/// What to load and how. Two equal specs are served by the same process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadSpec {
    pub model: ModelLabel,
    pub path: PathBuf,
    /// `auto`, `cpu`, `cuda:N` or `metal`.
    pub device: String,
    /// `auto`, `f32`, `f16` or `bf16`.
    pub dtype: String,
    /// `none`, `q8_0`, `q6k`, `q5k` or `q4k`.
    pub quant: String,
    /// None: the engine decides.
    pub context_tokens: Option<u32>,
    pub threads: Option<u32>,
}

impl LoadSpec {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            "--model".into(),
            self.path.to_string_lossy().into_owned(),
            "--device".into(),
            self.device.clone(),
            "--dtype".into(),
            self.dtype.clone(),
            "--quant".into(),
            self.quant.clone(),
            "--port".into(),
            "0".into(),
        ];
        for (name, value) in [
            ("--context", self.context_tokens),
            ("--threads", self.threads),
        ] {
            if let Some(value) = value {
                arguments.extend([name.to_owned(), value.to_string()]);
            }
        }
        arguments
    }
}

pub(crate) type EngineReply = oneshot::Sender<Result<LocalEngine, EngineError>>;

pub(crate) enum Order {
    Ready { spec: LoadSpec, reply: EngineReply },
    Restart { spec: LoadSpec, reply: EngineReply },
    Stop { reply: oneshot::Sender<()> },
}

/// The way to the supervisor. When the last handle is dropped, the engine process ends.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) snapshots: watch::Receiver<EngineSnapshot>,
}

impl EngineHandle {
    /// The model, loaded: at once if it is, else after the load. Ends another model first.
    ///
    /// # Errors
    /// The engine cannot be started, the load failed, or another model was asked for meanwhile.
    pub async fn ready(&self, spec: LoadSpec) -> Result<LocalEngine, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::Ready { spec, reply }, answer).await?
    }

    /// Ends the process if there is one and starts anew, whatever happened before.
    ///
    /// # Errors
    /// As [`Self::ready`].
    pub async fn restart(&self, spec: LoadSpec) -> Result<LocalEngine, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::Restart { spec, reply }, answer).await?
    }

    /// Ends the process and waits until it is gone and its memory free.
    pub async fn stop(&self) {
        let (reply, answer) = oneshot::channel();
        let _ = self.order(Order::Stop { reply }, answer).await;
    }

    async fn order<T>(&self, order: Order, answer: oneshot::Receiver<T>) -> Result<T, EngineError> {
        self.orders
            .send(order)
            .await
            .map_err(|_| EngineError::ShutDown)?;
        answer.await.map_err(|_| EngineError::ShutDown)
    }

    #[must_use]
    pub fn snapshot(&self) -> EngineSnapshot {
        self.snapshots.borrow().clone()
    }

    /// Every change from now on; the current value is there at once.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<EngineSnapshot> {
        self.snapshots.clone()
    }
}
