//! What to load, and the way to the supervisor that loads it.
//!
//! Outside: the process itself.

use std::path::PathBuf;
use std::sync::Arc;

use paddock_conversation::ModelLabel;
use tokio::sync::{mpsc, oneshot, watch};

use crate::placement::Placement;
use crate::{EngineError, EngineSnapshot, LocalEngine, ProcessMemory};

#[derive(Debug, Clone)]
pub struct SupervisorConfig {
    /// The `paddock-engine` program.
    pub program: PathBuf,
    /// None: `program` runs everything.
    pub placement: Option<Arc<dyn Placement>>,
}

impl SupervisorConfig {
    /// The device and program for a load on `device`. Blocks.
    pub(crate) fn place(&self, device: &str) -> (String, PathBuf) {
        match &self.placement {
            Some(placement) => placement.place(device),
            None => (device.to_owned(), self.program.clone()),
        }
    }
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
    /// What to compute in instead where the load is placed on a processor; none: `dtype`.
    pub cpu_dtype: Option<String>,
    /// `none`, `q8_0`, `q6k`, `q5k` or `q4k`.
    pub quant: String,
    /// None: the engine decides.
    pub context_tokens: Option<u32>,
    pub threads: Option<u32>,
}

impl LoadSpec {
    /// For the engine's command line; `device` is what this load's resolves to.
    pub(crate) fn arguments(&self, device: String) -> Vec<String> {
        let on_gpu = device.starts_with("cuda") || device == "metal";
        let dtype = match &self.cpu_dtype {
            Some(dtype) if !on_gpu => dtype.clone(),
            _ => self.dtype.clone(),
        };
        let mut arguments = vec![
            "--model".into(),
            self.path.to_string_lossy().into_owned(),
            "--device".into(),
            device,
            "--dtype".into(),
            dtype,
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

/// The way to the supervisor of one process. When the last handle is dropped, the engine process ends.
#[derive(Debug, Clone)]
pub struct EngineHandle {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) snapshots: watch::Receiver<EngineSnapshot>,
    /// The system's number of the running process.
    pub(crate) process: watch::Receiver<Option<u32>>,
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

    /// Memory of the process that runs now; none without a process, or where the system does not tell. Takes
    /// microseconds.
    #[must_use]
    pub fn memory(&self) -> Option<ProcessMemory> {
        let process = *self.process.borrow();
        ProcessMemory::of(process?)
    }

    /// Every change from now on; the current value is there at once.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<EngineSnapshot> {
        self.snapshots.clone()
    }
}
