//! The one owner of one engine process: starts it on need, watches it, ends it, and publishes its state.
//!
//! Outside: what is asked of the engine, and which of two engines may run (the owner of both). The process is never
//! restarted in a loop: a death is told, and the next need starts it again, a few times at most.

use std::path::PathBuf;
use std::time::Duration;

use paddock_conversation::ModelLabel;
use paddock_protocol::engine::{EngineLine, LoadStage, Ready};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::connect::{connect, random_token, reach};
use crate::deaths::Deaths;
use crate::handle::{EngineReply, Order};
use crate::memory;
use crate::obituary::obituary;
use crate::process::{Exit, Process, ProcessEvent};
use crate::{
    EngineError, EngineHandle, EngineSnapshot, EngineState, LoadSpec, LocalEngine, SupervisorConfig,
};

/// How long a driver may take to say which devices there are.
const PLACING: Duration = Duration::from_secs(10);

/// Starts the supervisor as a task of the current tokio runtime. No process is started yet.
#[must_use]
pub fn start_supervisor(config: SupervisorConfig) -> EngineHandle {
    let (orders, order_inbox) = mpsc::channel(16);
    let (events, event_inbox) = mpsc::channel(64);
    let (news, news_inbox) = mpsc::channel(16);
    let (snapshot, snapshots) = watch::channel(EngineSnapshot {
        revision: 0,
        model: None,
        state: EngineState::Empty,
    });
    let (process, processes) = watch::channel(None);
    let supervisor = Supervisor {
        config,
        events,
        news,
        snapshot,
        process,
        running: None,
        next: None,
        deaths: Deaths::default(),
        last_epoch: 0,
        stop_waiters: Vec::new(),
    };
    tokio::spawn(supervisor.run(order_inbox, event_inbox, news_inbox));
    EngineHandle {
        orders,
        snapshots,
        process: processes,
    }
}

struct Supervisor {
    config: SupervisorConfig,
    events: mpsc::Sender<(u64, ProcessEvent)>,
    news: mpsc::Sender<(u64, News)>,
    snapshot: watch::Sender<EngineSnapshot>,
    /// Number of the running process.
    process: watch::Sender<Option<u32>>,
    running: Option<Running>,
    /// What starts when the running process is gone and the pause is over.
    next: Option<Wanted>,
    deaths: Deaths,
    last_epoch: u64,
    stop_waiters: Vec<oneshot::Sender<()>>,
}

/// What a task beside the supervisor found out.
enum News {
    /// The device and program of a load.
    Placed(Result<(String, PathBuf), EngineError>),
    /// Whether an engine that says it is ready accepts connections.
    Reached(Box<Ready>, Result<(), String>),
}

struct Running {
    epoch: u64,
    spec: LoadSpec,
    token: String,
    /// None until it is known which program runs on which device.
    process: Option<Process>,
    /// We asked it to end.
    stopping: bool,
    stage: Stage,
    waiters: Vec<EngineReply>,
    ended: watch::Sender<Option<EngineError>>,
}

/// How far it is, as far as its lines are believed.
enum Stage {
    /// Or loading again, after it said that it restarts.
    Loading,
    Ready(LocalEngine),
    /// It is of no use and ends or is being ended.
    Failed(EngineError),
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
        mut news: mpsc::Receiver<(u64, News)>,
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
                // Events of a process that was replaced do not count.
                Some((epoch, event)) = events.recv() => if self.is_running(epoch) {
                    match event {
                        ProcessEvent::Line(line) => self.line(line),
                        ProcessEvent::Exited(exit) => self.exited(&exit),
                    }
                },
                Some((epoch, news)) = news.recv() => if self.is_running(epoch) {
                    match news {
                        News::Placed(placed) => self.placed(placed),
                        News::Reached(ready, reached) => self.reached(*ready, reached),
                    }
                },
                () = tokio::time::sleep_until(start_at.unwrap_or_else(Instant::now)), if start_at.is_some() => self.start(),
            }
        }
    }

    fn is_running(&self, epoch: u64) -> bool {
        self.running
            .as_ref()
            .is_some_and(|running| running.epoch == epoch)
    }

    fn want(&mut self, spec: LoadSpec, reply: EngineReply) {
        if let Some(running) = &mut self.running
            && !running.stopping
            && running.spec == spec
        {
            match &running.stage {
                Stage::Ready(engine) => {
                    let _ = reply.send(Ok(engine.clone()));
                    return;
                }
                Stage::Loading => {
                    running.waiters.push(reply);
                    return;
                }
                Stage::Failed(_) => {}
            }
        }
        match self.deaths.pause(&spec.model.id) {
            Ok(pause) => self.plan(spec, reply, Instant::now() + pause),
            Err(error) => {
                // Another model that runs is not touched, and its state stays the state.
                if self.running.is_none() && self.next.is_none() {
                    self.publish_failed(spec.model, &error);
                }
                let _ = reply.send(Err(error));
            }
        }
    }

    fn restart(&mut self, spec: LoadSpec, reply: EngineReply) {
        self.deaths.forget(&spec.model.id);
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
        let Some(running) = &mut self.running else {
            return;
        };
        if running.stopping {
            return;
        }
        running.stopping = true;
        tell(
            std::mem::take(&mut running.waiters),
            &Err(EngineError::Superseded),
        );
        match &mut running.process {
            Some(process) => process.stop(),
            // There is nothing to wait for yet.
            None => self.running = None,
        }
    }

    /// Finds out where it runs; the answer comes as [`News::Placed`].
    fn start(&mut self) {
        let Some(Wanted { spec, waiters, .. }) = self.next.take() else {
            return;
        };
        self.last_epoch += 1;
        let (epoch, news) = (self.last_epoch, self.news.clone());
        let (config, device) = (self.config.clone(), spec.device.clone());
        tokio::spawn(async move {
            let place = tokio::task::spawn_blocking(move || config.place(&device));
            let placed = match tokio::time::timeout(PLACING, place).await {
                Ok(Ok(placed)) => Ok(placed),
                Ok(Err(error)) => Err(EngineError::NotStarted {
                    detail: error.to_string(),
                }),
                Err(_) => Err(EngineError::NotStarted {
                    detail: "the driver of the graphics processor does not answer".into(),
                }),
            };
            let _ = news.send((epoch, News::Placed(placed))).await;
        });
        self.publish(Some(spec.model.clone()), loading("starting"));
        self.running = Some(Running {
            epoch,
            spec,
            token: String::new(),
            process: None,
            stopping: false,
            stage: Stage::Loading,
            waiters,
            ended: watch::channel(None).0,
        });
    }

    fn placed(&mut self, placed: Result<(String, PathBuf), EngineError>) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        let started = placed.and_then(|(device, program)| {
            running.token = random_token()?;
            Process::spawn(
                &program,
                &running.spec.arguments(device),
                &running.token,
                running.epoch,
                self.events.clone(),
            )
        });
        match started {
            Ok(process) => {
                self.process.send_replace(process.id);
                running.process = Some(process);
                self.running = Some(running);
            }
            Err(error) => {
                self.publish_failed(running.spec.model, &error);
                running.ended.send_replace(Some(error.clone()));
                tell(running.waiters, &Err(error));
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
        match (line, &running.stage) {
            (EngineLine::Loading(progress), Stage::Loading) => {
                let state = EngineState::Loading {
                    bytes_read: progress.bytes_read,
                    bytes_total: progress.bytes_total,
                    stage: match progress.stage {
                        LoadStage::Checking => "checking",
                        LoadStage::Weights => "weights",
                    }
                    .into(),
                };
                let model = running.spec.model.clone();
                self.publish(Some(model), state);
            }
            (EngineLine::Ready(ready), Stage::Loading) => {
                let (epoch, news) = (running.epoch, self.news.clone());
                tokio::spawn(async move {
                    let reached = reach(&ready.address).await;
                    let _ = news
                        .send((epoch, News::Reached(Box::new(ready), reached)))
                        .await;
                });
            }
            (EngineLine::Restarting { message }, Stage::Ready(_)) => {
                tracing::warn!(%message, "the engine restarts after a panic");
                running.stage = Stage::Loading;
                let model = running.spec.model.clone();
                // It lives on, but what it was asked killed what it was.
                self.deaths.add(&model.id, message);
                match self.deaths.pause(&model.id) {
                    Ok(_) => self.publish(Some(model), loading("restarting")),
                    Err(error) => self.give_up(error),
                }
            }
            (EngineLine::Failed(failed), Stage::Loading | Stage::Ready(_)) => {
                let error = EngineError::LoadFailed {
                    code: failed.code,
                    message: failed.message,
                };
                self.fail(error);
            }
            // A sample of the load that was taken before its end, or words of one that was given up: nothing begins again
            // without `restarting`.
            (line, _) => tracing::debug!(?line, "a line of the engine that comes too late"),
        }
    }

    fn reached(&mut self, ready: Ready, reached: Result<(), String>) {
        let Some(running) = &mut self.running else {
            return;
        };
        if running.stopping || !matches!(running.stage, Stage::Loading) {
            return;
        }
        let connected = reached
            .map_err(|detail| EngineError::NotReached { detail })
            .and_then(|()| connect(&running.token, &ready, running.ended.subscribe()));
        match connected {
            Ok(engine) => {
                if let Some(id) = running.process.as_ref().and_then(|process| process.id) {
                    memory::forget_peak(id);
                }
                running.stage = Stage::Ready(engine.clone());
                tell(std::mem::take(&mut running.waiters), &Ok(engine));
                let model = running.spec.model.clone();
                self.publish(
                    Some(model),
                    EngineState::Ready {
                        device: ready.device,
                        dtype: ready.dtype,
                        quant: ready.quant,
                        context_tokens: ready.context_tokens,
                        resident_bytes: ready.resident_bytes,
                        load_ms: ready.load_ms,
                    },
                );
            }
            Err(error) => {
                let model = running.spec.model.id.clone();
                self.deaths.add(&model, error.to_string());
                self.give_up(error);
            }
        }
    }

    /// Ends a process that is of no use.
    fn give_up(&mut self, error: EngineError) {
        self.fail(error);
        if let Some(process) = self
            .running
            .as_mut()
            .and_then(|running| running.process.as_mut())
        {
            process.stop();
        }
    }

    fn fail(&mut self, error: EngineError) {
        let Some(running) = &mut self.running else {
            return;
        };
        running.stage = Stage::Failed(error.clone());
        let waiters = std::mem::take(&mut running.waiters);
        let model = running.spec.model.clone();
        self.publish_failed(model, &error);
        tell(waiters, &Err(error));
    }

    fn exited(&mut self, exit: &Exit) {
        let Some(running) = self.running.take() else {
            return;
        };
        self.process.send_replace(None);
        let error = match running.stage {
            _ if running.stopping => EngineError::Stopped,
            Stage::Failed(error) => error,
            stage => {
                for line in &exit.log {
                    tracing::warn!(target: "paddock_engine", "{line}");
                }
                tracing::warn!(status = ?exit.status, oom_counted = exit.oom_counted, "the engine ended");
                let error = obituary(exit, matches!(stage, Stage::Ready(_)));
                self.deaths.add(&running.spec.model.id, error.to_string());
                self.publish_failed(running.spec.model, &error);
                error
            }
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

    fn publish_failed(&self, model: ModelLabel, error: &EngineError) {
        let failure = error.failure();
        self.publish(Some(model), EngineState::Failed { failure });
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
