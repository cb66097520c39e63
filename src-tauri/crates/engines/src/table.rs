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
mod tests {
    use super::*;

    fn stands() -> Vec<Stand> {
        let mut all = vec![Stand::Empty];
        for claims in 0..3 {
            all.extend([
                Stand::Loading { claims },
                Stand::Ready { claims },
                Stand::Clearing { claims },
            ]);
        }
        all
    }

    fn states() -> Vec<State> {
        let mut all = Vec::new();
        for chosen in stands() {
            for beside in stands() {
                all.push(State {
                    chosen,
                    beside,
                    closed: false,
                });
            }
        }
        all.push(State {
            closed: true,
            ..State::default()
        });
        all
    }

    fn wants() -> Vec<Want> {
        (0..16)
            .map(|bits: u32| Want {
                claim: bits & 1 != 0,
                here_already: bits & 2 != 0,
                fits_beside: bits & 4 != 0,
                end_running: bits & 8 != 0,
            })
            .collect()
    }

    fn events() -> Vec<Event> {
        let mut all = vec![Event::Close];
        for seat in Seat::BOTH {
            all.extend(wants().into_iter().map(|want| Event::Want(seat, want)));
            all.extend([
                Event::Loaded(seat),
                Event::Gone(seat),
                Event::Released(seat),
                Event::Abandoned(seat),
                Event::Cleared(seat),
                Event::Overdue(seat),
                Event::IdleOver(seat),
            ]);
        }
        all
    }

    fn ended(actions: &[Action], seat: Seat) -> bool {
        actions.contains(&Action::End(seat))
            || (actions.contains(&Action::Load(seat)) && actions.contains(&Action::Void(seat)))
    }

    /// What must be true of every move, for every state and every event.
    #[test]
    fn every_move_keeps_the_rules() {
        let mut moves = 0;
        for state in states() {
            for event in events() {
                let (next, actions) = step(state, event);
                let at = format!("{state:?} {event:?} -> {next:?} {actions:?}");
                moves += 1;
                for seat in Seat::BOTH {
                    let (before, after) = (state.of(seat), next.of(seat));
                    // Nobody's answer is ended unless they say so, or the app ends.
                    let asked = match event {
                        Event::Want(_, want) => want.end_running,
                        Event::Close => true,
                        _ => false,
                    };
                    if ended(&actions, seat) && before.claims() > 0 {
                        assert!(asked, "{at}");
                    }
                    // Only what is idle is ended for being idle.
                    if event == Event::IdleOver(seat) {
                        assert_eq!(
                            ended(&actions, seat),
                            before == Stand::Ready { claims: 0 },
                            "{at}"
                        );
                    }
                    // A seat that an event does not name only changes if it has to go.
                    let named = match event {
                        Event::Want(at, _)
                        | Event::Loaded(at)
                        | Event::Gone(at)
                        | Event::Released(at)
                        | Event::Abandoned(at)
                        | Event::Cleared(at)
                        | Event::Overdue(at)
                        | Event::IdleOver(at) => at == seat,
                        Event::Close => true,
                    };
                    if !named && before != after {
                        assert!(
                            after == Stand::Empty && actions.contains(&Action::End(seat)),
                            "{at}"
                        );
                    }
                    // What becomes empty has no claims left, and is told to end unless it ended.
                    if before != Stand::Empty && after == Stand::Empty {
                        assert!(actions.contains(&Action::Void(seat)), "{at}");
                        assert!(
                            event == Event::Gone(seat) || actions.contains(&Action::End(seat)),
                            "{at}"
                        );
                    }
                    // Claims go by releases and by being void, and come by wishes.
                    let void = actions.contains(&Action::Void(seat));
                    let come = match event {
                        Event::Want(at, want) if at == seat && want.claim => {
                            u32::from(!actions.iter().any(|action| {
                                matches!(action, Action::RefuseBusy(_) | Action::RefuseClosed)
                            }))
                        }
                        _ => 0,
                    };
                    let gone = u32::from(event == Event::Released(seat) && before.claims() > 0);
                    let kept = if void { 0 } else { before.claims() - gone };
                    assert_eq!(after.claims(), kept + come, "{at}");
                    // A load is started exactly where a seat begins to load.
                    let starts = actions.contains(&Action::Load(seat))
                        || actions.contains(&Action::Reload(seat));
                    let begins = matches!(after, Stand::Loading { .. })
                        && (!matches!(before, Stand::Loading { .. })
                            || actions.contains(&Action::Load(seat)));
                    assert_eq!(starts, begins, "{at}");
                    // Those that wait for a clear engine are let in when it is one, or new; never before.
                    let was_clearing = matches!(before, Stand::Clearing { .. });
                    let lets_in = actions.contains(&Action::AdmitHeld(seat));
                    if was_clearing && !void && !matches!(after, Stand::Clearing { .. }) {
                        assert!(lets_in, "{at}");
                    }
                    if lets_in {
                        assert!(was_clearing, "{at}");
                    }
                }
                if let Event::Want(seat, want) = event {
                    let answers = actions
                        .iter()
                        .filter(|action| {
                            matches!(
                                action,
                                Action::Admit(_)
                                    | Action::Hold(_)
                                    | Action::RefuseBusy(_)
                                    | Action::RefuseClosed
                            )
                        })
                        .count();
                    assert_eq!(answers, 1, "every wish is answered, once: {at}");
                    let refused = actions.iter().any(|action| {
                        matches!(action, Action::RefuseBusy(_) | Action::RefuseClosed)
                    });
                    if refused {
                        assert_eq!(next, state, "{at}");
                        assert!(!want.end_running || state.closed, "{at}");
                        assert_eq!(actions.len(), 1, "{at}");
                    }
                    if let [Action::RefuseBusy(busy)] = actions[..] {
                        assert!(state.of(busy).claims() > 0, "{at}");
                    }
                    // What is there and wanted is never loaded again.
                    if want.here_already && state.of(seat) != Stand::Empty {
                        assert!(!actions.contains(&Action::Load(seat)), "{at}");
                    }
                    // Two engines at a time only if both fit.
                    if actions.contains(&Action::Load(seat)) && !want.fits_beside {
                        assert_eq!(next.of(seat.other()), Stand::Empty, "{at}");
                    }
                    // The memory of the other is free before the load begins.
                    let place = |wanted| actions.iter().position(|action| *action == wanted);
                    if let Some(end) = place(Action::End(seat.other())) {
                        assert!(place(Action::Load(seat)).is_some_and(|load| end < load));
                    }
                }
                if state.closed {
                    assert!(next.closed && next == state, "{at}");
                }
            }
        }
        assert_eq!(moves, 101 * 47);
    }

    /// The moves of one engine alone, written out.
    #[test]
    fn one_engine_alone() {
        use Stand::{Clearing, Empty, Loading, Ready};
        let seat = Seat::Chosen;
        let want = |here_already, end_running| {
            Event::Want(
                seat,
                Want {
                    claim: true,
                    here_already,
                    fits_beside: true,
                    end_running,
                },
            )
        };
        let (load, admit, void) = (Action::Load(seat), Action::Admit(seat), Action::Void(seat));
        let busy = vec![Action::RefuseBusy(seat)];
        let (one, two) = (1, 2);
        let rows = [
            (
                Empty,
                want(false, false),
                Loading { claims: one },
                vec![load, admit],
            ),
            (
                Loading { claims: 0 },
                want(true, false),
                Loading { claims: one },
                vec![admit],
            ),
            (
                Loading { claims: 0 },
                want(false, false),
                Loading { claims: one },
                vec![void, load, admit],
            ),
            (
                Loading { claims: one },
                want(false, false),
                Loading { claims: one },
                busy.clone(),
            ),
            (
                Loading { claims: one },
                want(false, true),
                Loading { claims: one },
                vec![void, load, admit],
            ),
            (
                Loading { claims: one },
                Event::Loaded(seat),
                Ready { claims: one },
                vec![],
            ),
            (
                Loading { claims: one },
                Event::Gone(seat),
                Empty,
                vec![void],
            ),
            (
                Loading { claims: 0 },
                Event::IdleOver(seat),
                Loading { claims: 0 },
                vec![],
            ),
            (
                Loading { claims: one },
                Event::Released(seat),
                Loading { claims: 0 },
                vec![],
            ),
            (
                Ready { claims: one },
                want(true, false),
                Ready { claims: two },
                vec![admit],
            ),
            (
                Ready { claims: one },
                want(false, false),
                Ready { claims: one },
                busy,
            ),
            (
                Ready { claims: 0 },
                want(false, false),
                Loading { claims: one },
                vec![void, load, admit],
            ),
            (
                Ready { claims: one },
                Event::Released(seat),
                Ready { claims: 0 },
                vec![],
            ),
            (
                Ready { claims: one },
                Event::IdleOver(seat),
                Ready { claims: one },
                vec![],
            ),
            (
                Ready { claims: 0 },
                Event::IdleOver(seat),
                Empty,
                vec![void, Action::End(seat)],
            ),
            (
                Ready { claims: 0 },
                Event::Abandoned(seat),
                Clearing { claims: 0 },
                vec![],
            ),
            (
                Ready { claims: one },
                Event::Abandoned(seat),
                Ready { claims: one },
                vec![],
            ),
            (Ready { claims: one }, Event::Gone(seat), Empty, vec![void]),
            (
                Clearing { claims: 0 },
                want(true, false),
                Clearing { claims: one },
                vec![Action::Hold(seat)],
            ),
            (
                Clearing { claims: 0 },
                want(false, false),
                Loading { claims: one },
                vec![void, load, admit],
            ),
            (
                Clearing { claims: one },
                Event::Cleared(seat),
                Ready { claims: one },
                vec![Action::AdmitHeld(seat)],
            ),
            (
                Clearing { claims: one },
                Event::Overdue(seat),
                Loading { claims: one },
                vec![Action::Reload(seat), Action::AdmitHeld(seat)],
            ),
            (
                Clearing { claims: one },
                Event::Gone(seat),
                Loading { claims: one },
                vec![Action::Reload(seat), Action::AdmitHeld(seat)],
            ),
            (Clearing { claims: 0 }, Event::Gone(seat), Empty, vec![void]),
            (
                Clearing { claims: 0 },
                Event::IdleOver(seat),
                Clearing { claims: 0 },
                vec![],
            ),
        ];
        for (before, event, after, actions) in rows {
            let alone = |chosen| State {
                chosen,
                ..State::default()
            };
            assert_eq!(
                step(alone(before), event),
                (alone(after), actions),
                "{before:?} {event:?}"
            );
        }
    }
}
