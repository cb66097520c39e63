//! The one owner of both engines: takes wishes one after the other, asks the table, and does what it says.
//!
//! Outside: the rules (the table), the counting (the ledger), and the life of one process (the supervisor).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::handle::{EngineReply, Order};
use crate::ledger::{self, Entry};
use crate::placement::FreeMemory;
use crate::table::{Action, Event, Seat, Stand, State, Want, step};
use crate::wishes::{EnginesConfig, Message, Need, Promised, View, Wish};
use crate::{EngineError, EngineHandle, EngineState, LoadSpec, LocalEngine, start_supervisor};

/// How long a process may take to end. One that does not is left behind.
const ENDING: Duration = Duration::from_secs(8);
/// How long a driver may take to say how much memory is free.
const MEASURING: Duration = Duration::from_secs(5);
/// How often an engine is asked whether it is done with an answer that was stopped, at first and at most.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LAST_LOOK: Duration = Duration::from_millis(500);

/// What a ticket stands for.
#[derive(Debug, Clone, Copy)]
struct Claim {
    seat: Seat,
    background: bool,
}

pub struct Owner {
    state: State,
    seats: [Chair; 2],
    memory: Arc<dyn FreeMemory>,
    patience: Duration,
    claims: HashMap<u64, Claim>,
    /// Tasks tell the owner what happened, but do not keep it alive.
    messages: mpsc::WeakUnboundedSender<Message>,
}

/// All of one seat but its state.
struct Chair {
    engine: EngineHandle,
    view: View,
    /// What was loaded last.
    spec: Option<LoadSpec>,
    need: Option<Need>,
    /// Number of the load; what is told of an older one does not count.
    load: u64,
    load_began: Instant,
    load_took: Duration,
    /// Set once it is loaded.
    local: Option<LocalEngine>,
    /// Wishes that wait until the load is over.
    waiting: Vec<EngineReply>,
    /// Wishes that wait until the engine is clear.
    held: Vec<EngineReply>,
    keep: Option<Duration>,
    idle_since: Option<Instant>,
    clearing: Option<Clearing>,
}

struct Clearing {
    overdue_at: Instant,
    look: tokio::task::JoinHandle<()>,
}

impl Drop for Clearing {
    fn drop(&mut self) {
        self.look.abort();
    }
}

impl Owner {
    /// Starts the owner as a task of the current tokio runtime.
    pub fn start(config: EnginesConfig) -> (mpsc::UnboundedSender<Message>, [View; 2]) {
        let (messages, inbox) = mpsc::unbounded_channel();
        let view = |engine: &EngineHandle| View {
            snapshots: engine.snapshots.clone(),
            process: engine.process.clone(),
        };
        let seats = Seat::BOTH.map(|_| {
            let engine = start_supervisor(config.supervisor.clone());
            Chair {
                view: view(&engine),
                engine,
                spec: None,
                need: None,
                load: 0,
                load_began: Instant::now(),
                load_took: Duration::ZERO,
                local: None,
                waiting: Vec::new(),
                held: Vec::new(),
                keep: None,
                idle_since: None,
                clearing: None,
            }
        });
        let views = [view(&seats[0].engine), view(&seats[1].engine)];
        let owner = Self {
            state: State::default(),
            seats,
            memory: config.memory,
            patience: config.patience,
            claims: HashMap::new(),
            messages: messages.downgrade(),
        };
        tokio::spawn(owner.run(inbox));
        (messages, views)
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        loop {
            let alarm = self.alarm();
            let at = alarm.map_or_else(Instant::now, |(at, _)| at);
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.message(message).await,
                    // Nobody is left who could ask; the processes end with their handles.
                    None => return,
                },
                () = tokio::time::sleep_until(at), if alarm.is_some() => {
                    if let Some((_, event)) = alarm {
                        self.happened(event).await;
                    }
                }
            }
        }
    }

    /// What happens next if nobody does anything.
    fn alarm(&self) -> Option<(Instant, Event)> {
        Seat::BOTH
            .into_iter()
            .flat_map(|seat| {
                let chair = &self.seats[seat as usize];
                let idle = chair.idle_since.zip(chair.keep).and_then(|(since, keep)| {
                    Some((since.checked_add(keep)?, Event::IdleOver(seat)))
                });
                let overdue = chair
                    .clearing
                    .as_ref()
                    .map(|clearing| (clearing.overdue_at, Event::Overdue(seat)));
                [idle, overdue]
            })
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    async fn message(&mut self, message: Message) {
        match message {
            Message::Want { wish, reply } => self.want(*wish, reply).await,
            Message::Release { ticket, unfinished } => self.release(ticket, unfinished).await,
            Message::Keep { seat, keep } => self.seats[seat as usize].keep = keep,
            Message::Close { reply } => {
                self.happened(Event::Close).await;
                let _ = reply.send(());
            }
            Message::Settled { seat, load, result } if self.is_current(seat, load) => {
                self.settled(seat, *result).await;
            }
            Message::Gone { seat, load } if self.is_current(seat, load) => {
                self.happened(Event::Gone(seat)).await;
            }
            Message::Cleared { seat, load } if self.is_current(seat, load) => {
                self.happened(Event::Cleared(seat)).await;
            }
            Message::Settled { .. } | Message::Gone { .. } | Message::Cleared { .. } => {}
        }
    }

    fn is_current(&self, seat: Seat, load: u64) -> bool {
        self.seats[seat as usize].load == load
    }

    async fn want(&mut self, wish: Wish, reply: oneshot::Sender<Promised>) {
        let seat = wish.seat;
        let here_already = !wish.restart
            && self.state.of(seat) != Stand::Empty
            && self.seats[seat as usize].spec.as_ref() == Some(&wish.spec);
        let idle = self.state.of(seat).is_idle();
        let nothing = match (wish.background, wish.need.is_none() && !here_already) {
            (true, true) => Some(Err(EngineError::Superseded)),
            (true, false) if !idle || self.works_in_background(seat) => Some(Ok(None)),
            (false, true) => Some(Ok(None)),
            _ => None,
        };
        if let Some(nothing) = nothing {
            let _ = reply.send(nothing);
            return;
        }
        let (promise, engine) = oneshot::channel();
        if wish.background {
            if let Some(ticket) = wish.ticket {
                let background = true;
                self.claims.insert(ticket, Claim { seat, background });
            }
            self.admit(seat, promise).await;
            self.set_clocks();
            let _ = reply.send(Ok(Some(engine)));
            return;
        }
        if here_already && !wish.trial && self.works_in_background(seat) {
            // It is about to be given up for this wish, which waits until the engine is clear.
            self.happened(Event::Abandoned(seat)).await;
        }
        let want = Want {
            claim: wish.ticket.is_some(),
            here_already,
            fits_beside: here_already || self.fits_beside(&wish).await,
            end_running: wish.end_running,
        };
        let (next, actions) = step(self.state, Event::Want(seat, want));
        if !wish.trial {
            self.state = next;
        }
        let mut promise = Some(promise);
        let mut answer = Ok(Some(engine));
        for action in actions {
            match action {
                Action::RefuseBusy(busy) => {
                    let model = self.seats[busy as usize].spec.as_ref();
                    answer = Err(EngineError::Busy {
                        model: model.map_or_else(String::new, |spec| spec.model.name.clone()),
                    });
                }
                Action::RefuseClosed => answer = Err(EngineError::ShutDown),
                _ if wish.trial => {}
                Action::Admit(_) => {
                    self.claim(&wish);
                    if let Some(promise) = promise.take() {
                        self.admit(seat, promise).await;
                    }
                }
                Action::Hold(_) => {
                    self.claim(&wish);
                    self.seats[seat as usize].held.extend(promise.take());
                }
                Action::Load(_) => {
                    let (spec, restart) = (wish.spec.clone(), wish.restart);
                    self.seats[seat as usize].need.clone_from(&wish.need);
                    self.load(seat, spec, restart).await;
                }
                other => self.act(other).await,
            }
        }
        self.set_clocks();
        let _ = reply.send(answer);
    }

    fn claim(&mut self, wish: &Wish) {
        if let Some(ticket) = wish.ticket {
            let claim = Claim {
                seat: wish.seat,
                background: false,
            };
            self.claims.insert(ticket, claim);
        }
    }

    fn works_in_background(&self, seat: Seat) -> bool {
        self.claims
            .values()
            .any(|claim| claim.seat == seat && claim.background)
    }

    async fn release(&mut self, ticket: u64, unfinished: bool) {
        // One that was refused, or is void, has nothing to give back.
        let Some(claim) = self.claims.remove(&ticket) else {
            return;
        };
        if !claim.background {
            self.happened(Event::Released(claim.seat)).await;
        }
        if unfinished {
            self.happened(Event::Abandoned(claim.seat)).await;
        }
        self.set_clocks();
    }

    async fn settled(&mut self, seat: Seat, result: Result<LocalEngine, EngineError>) {
        let chair = &mut self.seats[seat as usize];
        for waiting in chair.waiting.drain(..) {
            let _ = waiting.send(result.clone());
        }
        let Ok(engine) = result else {
            self.happened(Event::Gone(seat)).await;
            return;
        };
        chair.load_took = chair.load_began.elapsed();
        let (mut ended, load) = (engine.ended(), chair.load);
        chair.local = Some(engine);
        let messages = self.messages.clone();
        tokio::spawn(async move {
            let _ = ended.wait_for(Option::is_some).await;
            if let Some(messages) = messages.upgrade() {
                let _ = messages.send(Message::Gone { seat, load });
            }
        });
        self.happened(Event::Loaded(seat)).await;
    }

    async fn happened(&mut self, event: Event) {
        let (next, actions) = step(self.state, event);
        self.state = next;
        for action in actions {
            self.act(action).await;
        }
        self.set_clocks();
    }

    /// What does not concern a wish.
    async fn act(&mut self, action: Action) {
        match action {
            Action::Void(seat) => {
                self.claims.retain(|_, claim| claim.seat != seat);
                let chair = &mut self.seats[seat as usize];
                for reply in chair.waiting.drain(..).chain(chair.held.drain(..)) {
                    let _ = reply.send(Err(EngineError::Superseded));
                }
                // What is told of the last load does not count any more.
                chair.load += 1;
                chair.spec = None;
                chair.local = None;
            }
            Action::End(seat) => {
                let engine = &self.seats[seat as usize].engine;
                if tokio::time::timeout(ENDING, engine.stop()).await.is_err() {
                    tracing::error!(?seat, "an engine does not end; its memory stays taken");
                }
            }
            Action::Reload(seat) => {
                tracing::warn!(?seat, "the engine is started anew");
                // One that runs is ended; one that has died is loaded again as often as the supervisor allows.
                let runs = self.is_ready(seat);
                if let Some(spec) = self.seats[seat as usize].spec.clone() {
                    self.load(seat, spec, runs).await;
                }
            }
            Action::AdmitHeld(seat) => {
                for held in std::mem::take(&mut self.seats[seat as usize].held) {
                    self.admit(seat, held).await;
                }
            }
            Action::Admit(_)
            | Action::Hold(_)
            | Action::Load(_)
            | Action::RefuseBusy(_)
            | Action::RefuseClosed => {}
        }
    }

    async fn load(&mut self, seat: Seat, spec: LoadSpec, restart: bool) {
        let chair = &mut self.seats[seat as usize];
        chair.load += 1;
        chair.spec = Some(spec.clone());
        chair.local = None;
        chair.load_began = Instant::now();
        let (reply, settled) = oneshot::channel();
        let order = if restart {
            Order::Restart { spec, reply }
        } else {
            Order::Ready { spec, reply }
        };
        // The supervisor lives as long as this handle.
        let _ = chair.engine.orders.send(order).await;
        let (messages, load) = (self.messages.clone(), chair.load);
        tokio::spawn(async move {
            let result = Box::new(settled.await.unwrap_or(Err(EngineError::ShutDown)));
            if let Some(messages) = messages.upgrade() {
                let _ = messages.send(Message::Settled { seat, load, result });
            }
        });
    }

    /// It gets the engine after the load, or now; or once it has loaded again after a panic, which the supervisor knows.
    async fn admit(&mut self, seat: Seat, reply: EngineReply) {
        let loading = matches!(self.state.of(seat), Stand::Loading { .. });
        let chair = &mut self.seats[seat as usize];
        if loading {
            chair.waiting.push(reply);
        } else if let Some(spec) = chair.spec.clone() {
            let _ = chair.engine.orders.send(Order::Ready { spec, reply }).await;
        }
    }

    /// The clocks follow the states: nothing else starts or stops them.
    fn set_clocks(&mut self) {
        for seat in Seat::BOTH {
            let stand = self.state.of(seat);
            let idle = stand.is_idle() && !self.works_in_background(seat);
            let chair = &mut self.seats[seat as usize];
            if !idle {
                chair.idle_since = None;
            } else if chair.idle_since.is_none() {
                chair.idle_since = Some(Instant::now());
            }
            match (matches!(stand, Stand::Clearing { .. }), &chair.local) {
                (false, _) => chair.clearing = None,
                (true, Some(engine)) if chair.clearing.is_none() => {
                    let look =
                        look_until_clear(engine.clone(), self.messages.clone(), seat, chair.load);
                    chair.clearing = Some(Clearing {
                        // As long as a new start takes: then waiting has cost at most twice what it had to.
                        overdue_at: Instant::now() + self.patience.max(chair.load_took),
                        look: tokio::spawn(look),
                    });
                }
                (true, _) => {}
            }
        }
    }

    /// Whether what is wanted can be loaded while the other engine stays.
    async fn fits_beside(&self, wish: &Wish) -> bool {
        let other = wish.seat.other();
        let there = self.state.of(other);
        if there == Stand::Empty {
            return true;
        }
        let same_model = self.seats[other as usize]
            .spec
            .as_ref()
            .is_some_and(|spec| spec.model == wish.spec.model);
        // One model twice is a waste, unless the other is answering.
        if same_model && there.claims() == 0 {
            return false;
        }
        let Some(need) = &wish.need else {
            return false;
        };
        let (memory, device) = (self.memory.clone(), need.device.clone());
        let measure = tokio::task::spawn_blocking(move || memory.free_bytes(&device));
        let free_bytes = match tokio::time::timeout(MEASURING, measure).await {
            Ok(Ok(Some(bytes))) => bytes,
            // Not known: then not beside another.
            _ => return false,
        };
        let (here, there) = (self.entry(wish.seat), self.entry(other));
        let fits = ledger::fits(
            need.predicted_bytes,
            &need.device,
            free_bytes,
            here.as_ref(),
            there.as_ref(),
        );
        tracing::debug!(
            ?need,
            free_bytes,
            ?here,
            ?there,
            fits,
            "two models at a time"
        );
        fits
    }

    /// By the supervisor's word.
    fn is_ready(&self, seat: Seat) -> bool {
        let snapshots = &self.seats[seat as usize].view.snapshots;
        matches!(snapshots.borrow().state, EngineState::Ready { .. })
    }

    fn entry(&self, seat: Seat) -> Option<Entry> {
        if self.state.of(seat) == Stand::Empty {
            return None;
        }
        let chair = &self.seats[seat as usize];
        let need = chair.need.as_ref()?;
        Some(Entry {
            device: need.device.clone(),
            predicted_bytes: need.predicted_bytes,
            own_bytes: chair.view.own_bytes(),
            // An engine that loads again after a panic takes its memory once more.
            ready: self.is_ready(seat),
        })
    }
}

/// Asks the engine until it says that it works on nothing.
async fn look_until_clear(
    engine: LocalEngine,
    messages: mpsc::WeakUnboundedSender<Message>,
    seat: Seat,
    load: u64,
) {
    let mut pause = FIRST_LOOK;
    while engine.is_busy(LAST_LOOK).await {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_LOOK);
    }
    if let Some(messages) = messages.upgrade() {
        let _ = messages.send(Message::Cleared { seat, load });
    }
}
