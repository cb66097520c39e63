//! A walk through the whole table: every state with every event.

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
                let refused = actions
                    .iter()
                    .any(|action| matches!(action, Action::RefuseBusy(_) | Action::RefuseClosed));
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
