//! The states of the two engines and every move between them, as one pure function.
//!
//! Outside: processes, clocks and memory; the owner asks this table and does what it says.
//!
//! A *claim* is an answer that runs, or a question that waits for its engine. An engine with claims is never ended without
//! being asked to: a wish that would end one is refused. While an engine *clears*, it still works on an answer that was stopped;
//! it is not asked anything until it is done with that or has been started anew.

/// The two places for an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seat {
    /// Runs the chosen model; its state is what the window shows.
    Chosen,
    /// Runs another model that is asked the same.
    Beside,
}

impl Seat {
    pub const BOTH: [Self; 2] = [Self::Chosen, Self::Beside];

    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Chosen => Self::Beside,
            Self::Beside => Self::Chosen,
        }
    }
}

/// What is in a seat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Stand {
    #[default]
    Empty,
    Loading {
        claims: u32,
    },
    Ready {
        claims: u32,
    },
    Clearing {
        claims: u32,
    },
}

impl Stand {
    pub const fn claims(self) -> u32 {
        match self {
            Self::Empty => 0,
            Self::Loading { claims } | Self::Ready { claims } | Self::Clearing { claims } => claims,
        }
    }

    /// Whether the clock of idleness runs.
    pub const fn is_idle(self) -> bool {
        matches!(self, Self::Ready { claims: 0 })
    }

    const fn with(self, claims: u32) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Loading { .. } => Self::Loading { claims },
            Self::Ready { .. } => Self::Ready { claims },
            Self::Clearing { .. } => Self::Clearing { claims },
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct State {
    pub chosen: Stand,
    pub beside: Stand,
    /// Nothing is loaded any more.
    pub closed: bool,
}

impl State {
    pub const fn of(self, seat: Seat) -> Stand {
        match seat {
            Seat::Chosen => self.chosen,
            Seat::Beside => self.beside,
        }
    }

    const fn set(mut self, seat: Seat, stand: Stand) -> Self {
        match seat {
            Seat::Chosen => self.chosen = stand,
            Seat::Beside => self.beside = stand,
        }
        self
    }
}

/// A model wanted in a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// For a question; otherwise ahead of one.
    pub claim: bool,
    /// The seat has this model, loaded this way.
    pub here_already: bool,
    /// It fits beside what is in the other seat.
    pub fits_beside: bool,
    /// Answers may be ended for it.
    pub end_running: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Want(Seat, Want),
    /// The load is over and the engine answers.
    Loaded(Seat),
    /// The load failed, or the process ended by itself.
    Gone(Seat),
    /// A claim ended.
    Released(Seat),
    /// An answer was given up before its end, and its engine may still work on it.
    Abandoned(Seat),
    /// The engine works on nothing any more.
    Cleared(Seat),
    /// It still does, after more time than a new start takes.
    Overdue(Seat),
    /// Nobody asked for as long as the caller wants to keep it.
    IdleOver(Seat),
    Close,
}

/// What the owner has to do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The wish joins what is in the seat: it gets the engine now, or when it is loaded.
    Admit(Seat),
    /// The wish waits until the engine is clear.
    Hold(Seat),
    /// So do no longer those that waited.
    AdmitHeld(Seat),
    /// The claims of this seat are void.
    Void(Seat),
    /// End the engine and wait until its memory is free.
    End(Seat),
    /// Start the load that is wanted, in place of what is there.
    Load(Seat),
    /// Start the same load in a new process.
    Reload(Seat),
    /// It would end what runs in this seat.
    RefuseBusy(Seat),
    RefuseClosed,
}

/// The table. What it does not name changes nothing.
pub fn step(state: State, event: Event) -> (State, Vec<Action>) {
    let stay = (state, Vec::new());
    match event {
        Event::Want(_, _) if state.closed => (state, vec![Action::RefuseClosed]),
        Event::Want(seat, want) => wanted(state, seat, want),
        Event::Loaded(seat) => match state.of(seat) {
            Stand::Loading { claims } => (state.set(seat, Stand::Ready { claims }), vec![]),
            _ => stay,
        },
        Event::Gone(seat) => match state.of(seat) {
            Stand::Empty => stay,
            Stand::Loading { .. } | Stand::Ready { .. } | Stand::Clearing { claims: 0 } => {
                (state.set(seat, Stand::Empty), vec![Action::Void(seat)])
            }
            // They were not let in yet, so they lose nothing.
            Stand::Clearing { claims } => (
                state.set(seat, Stand::Loading { claims }),
                vec![Action::Reload(seat), Action::AdmitHeld(seat)],
            ),
        },
        Event::Released(seat) => {
            let stand = state.of(seat);
            (
                state.set(seat, stand.with(stand.claims().saturating_sub(1))),
                vec![],
            )
        }
        Event::Abandoned(seat) => match state.of(seat) {
            Stand::Ready { claims: 0 } => (state.set(seat, Stand::Clearing { claims: 0 }), vec![]),
            // Whether it works on the given-up answer or on another cannot be told from outside.
            _ => stay,
        },
        Event::Cleared(seat) => match state.of(seat) {
            Stand::Clearing { claims } => (
                state.set(seat, Stand::Ready { claims }),
                vec![Action::AdmitHeld(seat)],
            ),
            _ => stay,
        },
        Event::Overdue(seat) => match state.of(seat) {
            Stand::Clearing { claims } => (
                state.set(seat, Stand::Loading { claims }),
                vec![Action::Reload(seat), Action::AdmitHeld(seat)],
            ),
            _ => stay,
        },
        Event::IdleOver(seat) if state.of(seat).is_idle() => (
            state.set(seat, Stand::Empty),
            vec![Action::Void(seat), Action::End(seat)],
        ),
        Event::IdleOver(_) => stay,
        Event::Close => (
            State {
                closed: true,
                ..State::default()
            },
            Seat::BOTH
                .into_iter()
                .filter(|seat| state.of(*seat) != Stand::Empty)
                .flat_map(|seat| [Action::Void(seat), Action::End(seat)])
                .collect(),
        ),
    }
}

fn wanted(state: State, seat: Seat, want: Want) -> (State, Vec<Action>) {
    let (here, other) = (state.of(seat), seat.other());
    let there = state.of(other);
    let more = here.claims() + u32::from(want.claim);
    match here {
        Stand::Loading { .. } | Stand::Ready { .. } if want.here_already => {
            return (state.set(seat, here.with(more)), vec![Action::Admit(seat)]);
        }
        Stand::Clearing { .. } if want.here_already => {
            return (state.set(seat, here.with(more)), vec![Action::Hold(seat)]);
        }
        _ => {}
    }
    let other_must_go = there != Stand::Empty && !want.fits_beside;
    let busy = [(seat, true), (other, other_must_go)]
        .into_iter()
        .find(|(seat, ends)| *ends && state.of(*seat).claims() > 0);
    if let Some((busy, _)) = busy
        && !want.end_running
    {
        return (state, vec![Action::RefuseBusy(busy)]);
    }
    let mut next = state;
    let mut actions = Vec::new();
    if other_must_go {
        next = next.set(other, Stand::Empty);
        actions.extend([Action::Void(other), Action::End(other)]);
    }
    if here != Stand::Empty {
        actions.push(Action::Void(seat));
    }
    actions.extend([Action::Load(seat), Action::Admit(seat)]);
    let claims = u32::from(want.claim);
    (next.set(seat, Stand::Loading { claims }), actions)
}

#[cfg(test)]
mod tests;
