//! The one owner of the engine process: starts it on need, watches it, ends it, and publishes its state.
//!
//! Outside: what is asked of the engine. The process is never restarted in a loop: a death is told, and the
//! next need starts it again, a few times at most.

use std::collections::VecDeque;
use std::time::Duration;

use paddock_conversation::ModelLabel;
use paddock_protocol::engine::{EngineLine, LoadStage, Ready};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::handle::{EngineReply, Order};
use crate::memory;
use crate::process::{Exit, Process, ProcessEvent};
use crate::{
    Endpoint, EngineError, EngineHandle, EngineSnapshot, EngineState, LoadSpec, LocalEngine,
    OpenAiClient, SupervisorConfig,
};

/// Deaths within this span count together.
const DEATH_WINDOW: Duration = Duration::from_secs(60);
/// With so many deaths in the window, only an explicit restart starts the engine again.
const MAX_DEATHS: usize = 3;
/// Pause before the second start in the window; it doubles with each further death.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Starts the supervisor as a task of the current tokio runtime. No process is started yet.
#[must_use]
pub fn start_supervisor(config: SupervisorConfig) -> EngineHandle {
    let (orders, order_inbox) = mpsc::channel(16);
    let (events, event_inbox) = mpsc::channel(64);
    let (snapshot, snapshots) = watch::channel(EngineSnapshot {
        revision: 0,
        model: None,
        state: EngineState::Empty,
    });
    let (process, processes) = watch::channel(None);
    let supervisor = Supervisor {
        config,
        events,
        snapshot,
        process,
        running: None,
        next: None,
        deaths: VecDeque::new(),
        last_epoch: 0,
        stop_waiters: Vec::new(),
    };
    tokio::spawn(supervisor.run(order_inbox, event_inbox));
    EngineHandle {
        orders,
        snapshots,
        process: processes,
    }
}

struct Supervisor {
    config: SupervisorConfig,
    events: mpsc::Sender<(u64, ProcessEvent)>,
    snapshot: watch::Sender<EngineSnapshot>,
    /// Number of the running process.
    process: watch::Sender<Option<u32>>,
    running: Option<Running>,
    /// What starts when the running process is gone and the pause is over.
    next: Option<Wanted>,
    deaths: VecDeque<Instant>,
    last_epoch: u64,
    stop_waiters: Vec<oneshot::Sender<()>>,
}

struct Running {
    epoch: u64,
    spec: LoadSpec,
    token: String,
    process: Process,
    /// We asked it to end.
    stopping: bool,
    /// Set once it is ready.
    engine: Option<LocalEngine>,
    /// Set if it said why it cannot load.
    failed: Option<EngineError>,
    waiters: Vec<EngineReply>,
    ended: watch::Sender<Option<EngineError>>,
}

struct Wanted {
    spec: LoadSpec,
    waiters: Vec<EngineReply>,
    not_before: Instant,
}

fn tell(waiters: Vec<EngineReply>, result: &Result<LocalEngine, EngineError>) {
    for waiter in waiters {
        let _ = waiter.send(result.clone());
    }
}

impl Supervisor {
    async fn run(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        mut events: mpsc::Receiver<(u64, ProcessEvent)>,
    ) {
        loop {
            let start_at = match (&self.running, &self.next) {
                (None, Some(wanted)) => Some(wanted.not_before),
                _ => None,
            };
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Ready { spec, reply }) => self.want(spec, reply),
                    Some(Order::Restart { spec, reply }) => self.restart(spec, reply),
                    Some(Order::Stop { reply }) => self.stop(reply),
                    // Every handle is gone; dropping the process ends it.
                    None => return,
                },
                Some((epoch, event)) = events.recv() => {
                    // Events of a process that was replaced do not count.
                    if self.running.as_ref().is_some_and(|running| running.epoch == epoch) {
                        match event {
                            ProcessEvent::Line(line) => self.line(line),
                            ProcessEvent::Exited(exit) => self.exited(&exit),
                        }
                    }
                }
                () = tokio::time::sleep_until(start_at.unwrap_or_else(Instant::now)), if start_at.is_some() => self.start(),
            }
        }
    }

    fn want(&mut self, spec: LoadSpec, reply: EngineReply) {
        if let Some(running) = &mut self.running
            && !running.stopping
            && running.failed.is_none()
            && running.spec == spec
        {
            match &running.engine {
                Some(engine) => {
                    let _ = reply.send(Ok(engine.clone()));
                }
                None => running.waiters.push(reply),
            }
            return;
        }
        while self
            .deaths
            .front()
            .is_some_and(|death| death.elapsed() > DEATH_WINDOW)
        {
            self.deaths.pop_front();
        }
        if self.running.is_none() && self.deaths.len() >= MAX_DEATHS {
            let last = match &self.snapshot.borrow().state {
                EngineState::Failed { failure } if failure.code != "engineKeepsDying" => {
                    failure.message.clone()
                }
                _ => String::new(),
            };
            let error = EngineError::KeepsDying {
                deaths: MAX_DEATHS as u32,
                last,
            };
            self.publish(
                Some(spec.model),
                EngineState::Failed {
                    failure: error.failure(),
                },
            );
            let _ = reply.send(Err(error));
            return;
        }
        let pause = match self.deaths.len() {
            0 | 1 => Duration::ZERO,
            deaths => FIRST_PAUSE * 2u32.saturating_pow(deaths as u32 - 2),
        };
        self.plan(spec, reply, Instant::now() + pause);
    }

    fn restart(&mut self, spec: LoadSpec, reply: EngineReply) {
        self.deaths.clear();
        self.plan(spec, reply, Instant::now());
    }

    fn stop(&mut self, reply: oneshot::Sender<()>) {
        if let Some(wanted) = self.next.take() {
            tell(wanted.waiters, &Err(EngineError::Superseded));
        }
        self.stop_waiters.push(reply);
        self.end_running();
        if self.running.is_none() {
            self.publish(None, EngineState::Empty);
            self.tell_stopped();
        }
    }

    fn plan(&mut self, spec: LoadSpec, reply: EngineReply, not_before: Instant) {
        match &mut self.next {
            Some(wanted) if wanted.spec == spec => {
                wanted.waiters.push(reply);
                wanted.not_before = wanted.not_before.min(not_before);
            }
            _ => {
                let wanted = Wanted {
                    spec,
                    waiters: vec![reply],
                    not_before,
                };
                if let Some(before) = self.next.replace(wanted) {
                    tell(before.waiters, &Err(EngineError::Superseded));
                }
            }
        }
        self.end_running();
        if let Some(wanted) = &self.next {
            self.publish(Some(wanted.spec.model.clone()), loading("starting"));
        }
    }

    fn end_running(&mut self) {
        if let Some(running) = &mut self.running
            && !running.stopping
        {
            running.stopping = true;
            running.engine = None;
            tell(
                std::mem::take(&mut running.waiters),
                &Err(EngineError::Superseded),
            );
            running.process.stop();
        }
    }

    fn start(&mut self) {
        let Some(Wanted { spec, waiters, .. }) = self.next.take() else {
            return;
        };
        self.last_epoch += 1;
        let (device, program) = self.config.place(&spec);
        let started = random_token().and_then(|token| {
            let process = Process::spawn(
                &program,
                &spec.arguments(device),
                &token,
                self.last_epoch,
                self.events.clone(),
            )?;
            Ok((token, process))
        });
        match started {
            Ok((token, process)) => {
                self.publish(Some(spec.model.clone()), loading("starting"));
                self.process.send_replace(process.id);
                self.running = Some(Running {
                    epoch: self.last_epoch,
                    spec,
                    token,
                    process,
                    stopping: false,
                    engine: None,
                    failed: None,
                    waiters,
                    ended: watch::channel(None).0,
                });
            }
            Err(error) => {
                self.publish(
                    Some(spec.model),
                    EngineState::Failed {
                        failure: error.failure(),
                    },
                );
                tell(waiters, &Err(error));
            }
        }
    }

    fn line(&mut self, line: EngineLine) {
        let Some(running) = &mut self.running else {
            return;
        };
        if running.stopping {
            return;
        }
        let state = match line {
            EngineLine::Loading(progress) => EngineState::Loading {
                bytes_read: progress.bytes_read,
                bytes_total: progress.bytes_total,
                stage: match progress.stage {
                    LoadStage::Checking => "checking",
                    LoadStage::Weights => "weights",
                    LoadStage::WarmUp => "warmUp",
                }
                .into(),
            },
            EngineLine::Ready(ready) => match connect(running, &ready) {
                Ok(engine) => {
                    if let Some(process) = running.process.id {
                        memory::forget_peak(process);
                    }
                    running.engine = Some(engine.clone());
                    tell(std::mem::take(&mut running.waiters), &Ok(engine));
                    EngineState::Ready {
                        device: ready.device,
                        dtype: ready.dtype,
                        quant: ready.quant,
                        context_tokens: ready.context_tokens,
                        resident_bytes: ready.resident_bytes,
                        load_ms: ready.load_ms,
                    }
                }
                Err(error) => {
                    tell(std::mem::take(&mut running.waiters), &Err(error.clone()));
                    EngineState::Failed {
                        failure: error.failure(),
                    }
                }
            },
            EngineLine::Restarting { message } => {
                tracing::warn!(%message, "the engine restarts after a panic");
                running.engine = None;
                loading("restarting")
            }
            EngineLine::Failed(failed) => {
                let error = EngineError::LoadFailed {
                    code: failed.code,
                    message: failed.message,
                };
                running.failed = Some(error.clone());
                tell(std::mem::take(&mut running.waiters), &Err(error.clone()));
                EngineState::Failed {
                    failure: error.failure(),
                }
            }
        };
        let model = running.spec.model.clone();
        self.publish(Some(model), state);
    }

    fn exited(&mut self, exit: &Exit) {
        let Some(running) = self.running.take() else {
            return;
        };
        self.process.send_replace(None);
        let error = if running.stopping {
            EngineError::Stopped
        } else if let Some(error) = running.failed {
            error
        } else {
            for line in &exit.log {
                tracing::warn!(target: "paddock_engine", "{line}");
            }
            tracing::warn!(status = ?exit.status, oom_counted = exit.oom_counted, "the engine ended");
            self.deaths.push_back(Instant::now());
            let error = obituary(exit, running.engine.is_some());
            self.publish(
                Some(running.spec.model),
                EngineState::Failed {
                    failure: error.failure(),
                },
            );
            error
        };
        running.ended.send_replace(Some(error.clone()));
        tell(running.waiters, &Err(error));
        if running.stopping && self.next.is_none() {
            self.publish(None, EngineState::Empty);
        }
        self.tell_stopped();
    }

    fn tell_stopped(&mut self) {
        for waiter in self.stop_waiters.drain(..) {
            let _ = waiter.send(());
        }
    }

    fn publish(&self, model: Option<ModelLabel>, state: EngineState) {
        self.snapshot.send_if_modified(|snapshot| {
            if snapshot.model == model && snapshot.state == state {
                return false;
            }
            *snapshot = EngineSnapshot {
                revision: snapshot.revision.wrapping_add(1),
                model,
                state,
            };
            true
        });
    }
}

fn loading(stage: &str) -> EngineState {
    EngineState::Loading {
        bytes_read: 0,
        bytes_total: 0,
        stage: stage.into(),
    }
}

fn connect(running: &Running, ready: &Ready) -> Result<LocalEngine, EngineError> {
    let client = OpenAiClient::new(Endpoint {
        base_url: format!("http://{}/v1", ready.address),
        bearer: Some(running.token.clone()),
        model: ready.model.clone(),
        place: running.spec.model.place.clone(),
    })?;
    Ok(LocalEngine::new(
        client,
        ready.context_tokens,
        ready.vision,
        running.ended.subscribe(),
    ))
}

/// 32 random bytes as hexadecimal digits.
fn random_token() -> Result<String, EngineError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| EngineError::NotStarted {
        detail: format!("no random numbers: {e}"),
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// How it ended, as a sentence.
fn obituary(exit: &Exit, was_ready: bool) -> EngineError {
    let when = if was_ready {
        "The engine"
    } else {
        "The engine, while loading the model,"
    };
    let signal = exit.status.and_then(signal_of);
    let (message, out_of_memory) = match signal {
        Some(9) if exit.oom_counted => (
            format!("{when} was ended by the system because the memory ran out."),
            true,
        ),
        Some(9) => (
            format!(
                "{when} was ended from outside (signal 9); most often that means the memory ran out."
            ),
            true,
        ),
        Some(signal) => (format!("{when} crashed (signal {signal})."), false),
        None => match exit.status.and_then(|status| status.code()) {
            Some(code) => (
                format!("{when} ended unexpectedly (exit code {code})."),
                false,
            ),
            None => (format!("{when} ended unexpectedly."), false),
        },
    };
    EngineError::Ended {
        message,
        out_of_memory,
    }
}

#[cfg(unix)]
fn signal_of(status: std::process::ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: std::process::ExitStatus) -> Option<i32> {
    None
}
