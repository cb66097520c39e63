//! An answer as it streams: passed on about once a frame, kept about four times a second, stopped at once.
//!
//! Outside: what was asked, and where the pieces go (the two closures).

use std::time::Duration;

use futures_util::StreamExt as _;
use paddock_conversation::{Failure, FinishReason};
use paddock_engines::{EngineError, EngineEvent, EventStream, Finish, Progress};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{GenerationEvent, Phase};

/// About one frame of a 60 Hz screen.
const FRAME: Duration = Duration::from_millis(16);
/// A crash of the app loses at most this much of an answer.
const SAVE_EVERY: Duration = Duration::from_millis(250);

/// How a stream ended. Text that was not saved yet is still in `unsaved`.
#[derive(Debug)]
pub struct StreamEnd {
    pub reason: FinishReason,
    pub failure: Option<Failure>,
    pub finish: Option<Finish>,
    pub unsaved: Piece,
    /// All that came, saved or not.
    pub whole: Piece,
}

/// Some text and some reasoning.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Piece {
    pub text: String,
    pub reasoning: String,
}

impl Piece {
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.reasoning.is_empty()
    }

    fn add(&mut self, other: &Self) {
        self.text.push_str(&other.text);
        self.reasoning.push_str(&other.reasoning);
    }
}

/// Follows `events` to their end or until `stop`, whose meaning `stopped` tells. `save` returns the piece if it could
/// not be kept; it is tried again with the next one.
pub async fn follow<Save, Saved>(
    mut events: EventStream,
    stop: &CancellationToken,
    stopped: impl Fn() -> FinishReason,
    emit: &(dyn Fn(GenerationEvent) + Send + Sync),
    mut save: Save,
) -> StreamEnd
where
    Save: FnMut(Piece) -> Saved,
    Saved: Future<Output = Option<Piece>>,
{
    let mut shown = Piece::default();
    let mut unsaved = Piece::default();
    let mut whole = Piece::default();
    let mut generating = false;
    let start = Instant::now();
    // The first piece is shown at once.
    let mut next_frame = start;
    let mut next_save = start + SAVE_EVERY;
    let (reason, failure, finish) = loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => break (stopped(), None, None),
            event = events.next() => Some(event),
            () = tokio::time::sleep_until(next_frame), if !shown.is_empty() => None,
            () = tokio::time::sleep_until(next_save), if !unsaved.is_empty() => None,
        };
        match event {
            Some(Some(Ok(EngineEvent::TextDelta(text)))) => {
                shown.text.push_str(&text);
                unsaved.text.push_str(&text);
                whole.text.push_str(&text);
            }
            Some(Some(Ok(EngineEvent::ReasoningDelta(text)))) => {
                shown.reasoning.push_str(&text);
                unsaved.reasoning.push_str(&text);
                whole.reasoning.push_str(&text);
            }
            Some(Some(Ok(EngineEvent::Progress(progress)))) => {
                let phase = phase(progress);
                emit(GenerationEvent::Phase { phase });
            }
            Some(Some(Ok(EngineEvent::Finished(finish)))) => {
                break (finish.reason, None, Some(finish));
            }
            Some(Some(Err(error))) => break (FinishReason::Failed, Some(error.failure()), None),
            Some(None) => {
                break (
                    FinishReason::Failed,
                    Some(EngineError::CutOff.failure()),
                    None,
                );
            }
            None => {}
        }
        if !generating && !shown.is_empty() {
            generating = true;
            emit(GenerationEvent::Phase {
                phase: Phase::Generating,
            });
        }
        let now = Instant::now();
        if !shown.is_empty() && now >= next_frame {
            show(&mut shown, emit);
            next_frame = now + FRAME;
        }
        if !unsaved.is_empty() && now >= next_save {
            if let Some(mut kept_back) = save(std::mem::take(&mut unsaved)).await {
                kept_back.add(&unsaved);
                unsaved = kept_back;
            }
            next_save = Instant::now() + SAVE_EVERY;
        }
    };
    // Closes the connection before the last write, so that the engine is free at once.
    drop(events);
    show(&mut shown, emit);
    StreamEnd {
        reason,
        failure,
        finish,
        unsaved,
        whole,
    }
}

fn show(piece: &mut Piece, emit: &(dyn Fn(GenerationEvent) + Send + Sync)) {
    let Piece { text, reasoning } = std::mem::take(piece);
    if !reasoning.is_empty() {
        emit(GenerationEvent::Reasoning { text: reasoning });
    }
    if !text.is_empty() {
        emit(GenerationEvent::Delta { text });
    }
}

fn phase(progress: Progress) -> Phase {
    match progress {
        Progress::Queued => Phase::Queued,
        Progress::EncodingImages { done, total } => Phase::EncodingImages { done, total },
        Progress::ReadingPrompt { tokens } => Phase::ReadingPrompt { tokens },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::stream;

    use super::*;

    fn words(count: usize) -> EventStream {
        let all = (0..count).map(|i| Ok(EngineEvent::TextDelta(format!("{i} "))));
        stream::iter(all).boxed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_stream_is_passed_on_in_few_pieces_and_whole() {
        let seen = Mutex::new(Vec::new());
        let emit = |event| seen.lock().unwrap().push(event);
        let stop = CancellationToken::new();
        let end = follow(
            words(1000),
            &stop,
            || FinishReason::Cancelled,
            &emit,
            |_| async { None },
        )
        .await;
        let seen = seen.into_inner().unwrap();
        let deltas: Vec<_> = seen
            .iter()
            .filter_map(|event| match event {
                GenerationEvent::Delta { text } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let whole: String = (0..1000).map(|i| format!("{i} ")).collect();
        assert_eq!(deltas.concat(), whole);
        assert!(deltas.len() <= 3, "{} deltas", deltas.len());
        assert_eq!(end.unsaved.text, whole);
        assert_eq!(
            (end.reason, end.failure.unwrap().code.as_str()),
            (FinishReason::Failed, "cutOff"),
            "the stream ended without a finish"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn text_is_saved_while_it_streams_and_what_could_not_be_saved_is_not_lost() {
        let events = stream::unfold(0, |i| async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            (i < 10).then(|| (Ok(EngineEvent::TextDelta(format!("{i}"))), i + 1))
        })
        .boxed();
        let saved = Mutex::new(Vec::new());
        let stop = CancellationToken::new();
        let end = follow(
            events,
            &stop,
            || FinishReason::Cancelled,
            &|_| {},
            |piece| {
                let mut saved = saved.lock().unwrap();
                // The second write fails.
                let result = if saved.len() == 1 {
                    Some(piece.clone())
                } else {
                    None
                };
                saved.push(piece.text);
                async { result }
            },
        )
        .await;
        let saved = saved.into_inner().unwrap();
        assert!((3..=4).contains(&saved.len()), "{saved:?}");
        assert!(saved[2].starts_with(&saved[1]), "{saved:?}");
        assert_eq!(
            format!("{}{}{}", saved[0], saved[2..].concat(), end.unsaved.text),
            "0123456789"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_keeps_what_came() {
        let events = words(3).chain(stream::pending()).boxed();
        let stop = CancellationToken::new();
        let later = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            later.cancel();
        });
        let saved = Mutex::new(String::new());
        let end = follow(
            events,
            &stop,
            || FinishReason::Cancelled,
            &|_| {},
            |piece| {
                saved.lock().unwrap().push_str(&piece.text);
                async { None }
            },
        )
        .await;
        assert_eq!(end.reason, FinishReason::Cancelled);
        assert_eq!(saved.into_inner().unwrap() + &end.unsaved.text, "0 1 2 ");
    }
}
