//! The owner of both engines with real processes: who may end whom, what fits beside what, when an engine is idle.

#![allow(clippy::unwrap_used)] // helpers of tests, too

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use paddock_conversation::{ModelId, ModelLabel};
use paddock_engines::{
    Engine as _, EngineError, EngineEvent, EngineState, Engines, EnginesConfig, EventStream,
    FreeMemory, GenerateRequest, LoadSpec, Need, PromptMessage, PromptPart, PromptRole, Seat,
    SupervisorConfig,
};
use paddock_tests::fake_engine::{FakeEngine, PATIENCE, is_alive, pids, program};
use serde_json::json;

const GIB: u64 = 1 << 30;

/// Memory as the test says.
#[derive(Debug)]
struct Free(AtomicU64);

impl FreeMemory for Free {
    fn free_bytes(&self, _: &str) -> Option<u64> {
        Some(self.0.load(Ordering::SeqCst))
    }
}

struct Scene {
    folder: tempfile::TempDir,
    fake: FakeEngine,
    engines: Engines,
}

impl Scene {
    /// `slow` models are ready when the test says so; `free_gib` are free, whatever runs.
    async fn new(free_gib: u64, patience: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = FakeEngine::start().await;
        let (ready, here) = (fake.ready_line(4096), folder.path().display());
        let body = format!(
            "case \"$*\" in *slow*) until test -e '{here}/go'; do sleep 0.01; done;; esac\n\
             echo '{ready}'\ncat > /dev/null\n"
        );
        let engines = Engines::start(EnginesConfig {
            memory: Arc::new(Free(AtomicU64::new(free_gib * GIB))),
            patience,
            ..EnginesConfig::new(SupervisorConfig {
                program: program(folder.path(), &body),
                placement: None,
            })
        });
        Self {
            folder,
            fake,
            engines,
        }
    }

    fn alive(&self) -> usize {
        let all = pids(self.folder.path());
        all.into_iter().filter(|pid| is_alive(*pid)).count()
    }

    fn is(&self, seat: Seat, wanted: impl Fn(&EngineState) -> bool) -> bool {
        wanted(&self.engines.snapshot(seat).state)
    }

    async fn becomes(&self, seat: Seat, wanted: impl Fn(&EngineState) -> bool) {
        let mut changes = self.engines.subscribe(seat);
        let change = changes.wait_for(|snapshot| wanted(&snapshot.state));
        tokio::time::timeout(PATIENCE, change)
            .await
            .expect("the state never came")
            .unwrap();
    }
}

fn empty(state: &EngineState) -> bool {
    *state == EngineState::Empty
}

fn loading(state: &EngineState) -> bool {
    matches!(state, EngineState::Loading { .. })
}

fn ready(state: &EngineState) -> bool {
    matches!(state, EngineState::Ready { .. })
}

fn spec(name: &str) -> LoadSpec {
    LoadSpec {
        model: ModelLabel {
            id: ModelId::local(name),
            name: name.into(),
            quant: "none".into(),
            place: "this computer".into(),
        },
        path: Path::new("/m").join(name),
        device: "auto".into(),
        dtype: "auto".into(),
        cpu_dtype: None,
        quant: "none".into(),
        context_tokens: Some(4096),
        threads: None,
    }
}

fn need(gib: u64) -> Need {
    Need {
        predicted_bytes: gib * GIB,
        device: "cpu".into(),
    }
}

fn question() -> GenerateRequest {
    GenerateRequest {
        messages: vec![PromptMessage {
            role: PromptRole::User,
            parts: vec![PromptPart::Text("Hi".into())],
        }],
        temperature: 0.0,
        max_tokens: None,
    }
}

fn collected(
    events: EventStream,
) -> tokio::task::JoinHandle<Vec<Result<EngineEvent, EngineError>>> {
    tokio::spawn(events.collect())
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "it never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn busy_with(model: &str) -> EngineError {
    EngineError::Busy {
        model: model.into(),
    }
}

#[tokio::test]
async fn what_a_load_is_yet_to_take_is_not_given_to_another() {
    // 16 are free, and 12 of them are spoken for by a load that has hardly begun.
    let s = Scene::new(16, PATIENCE).await;
    s.engines
        .load(Seat::Chosen, spec("slow"), need(12))
        .await
        .unwrap();
    until("it loads", || pids(s.folder.path()).len() == 1).await;
    let lease = s.engines.lease(Seat::Beside, spec("b"), need(6)).await;
    assert!(lease.is_ok());
    // A load that nobody waits for makes room.
    assert!(s.is(Seat::Chosen, empty) && s.alive() == 1);
    s.engines.shutdown().await;

    // With 19 both fit.
    let s = Scene::new(19, PATIENCE).await;
    s.engines
        .load(Seat::Chosen, spec("slow"), need(12))
        .await
        .unwrap();
    until("it loads", || pids(s.folder.path()).len() == 1).await;
    let lease = s.engines.lease(Seat::Beside, spec("b"), need(6)).await;
    assert!(lease.is_ok() && s.is(Seat::Chosen, loading) && s.alive() == 2);
}

#[tokio::test]
async fn a_question_that_waits_for_its_load_is_not_driven_out() {
    let s = Scene::new(16, PATIENCE).await;
    let waiting = tokio::spawn({
        let engines = s.engines.clone();
        async move { engines.lease(Seat::Chosen, spec("slow"), need(12)).await }
    });
    until("it loads", || pids(s.folder.path()).len() == 1).await;
    let refused = s.engines.lease(Seat::Beside, spec("b"), need(6)).await;
    assert_eq!(refused.unwrap_err(), busy_with("slow"));
    let refused = s.engines.load(Seat::Chosen, spec("b"), need(6)).await;
    assert_eq!(refused.unwrap_err(), busy_with("slow"));
    // It is stopped: the load goes on, and is nobody's any more.
    waiting.abort();
    let _ = waiting.await;
    s.engines
        .load(Seat::Chosen, spec("b"), need(6))
        .await
        .unwrap();
    s.becomes(Seat::Chosen, ready).await;
    assert_eq!(s.engines.snapshot(Seat::Chosen).model.unwrap().name, "b");
}

#[tokio::test]
async fn two_that_ask_at_once_are_served_one_after_the_other() {
    let s = Scene::new(10, PATIENCE).await;
    let (chosen, beside) = tokio::join!(
        s.engines.lease(Seat::Chosen, spec("a"), need(6)),
        s.engines.lease(Seat::Beside, spec("b"), need(6)),
    );
    let errors: Vec<_> = [&chosen, &beside]
        .into_iter()
        .filter_map(|result| result.as_ref().err())
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].code(), "engineBusy");
    assert_eq!((pids(s.folder.path()).len(), s.alive()), (1, 1));
    drop((chosen, beside));
    // What is there is shared.
    let (first, second) = tokio::join!(
        s.engines.lease(Seat::Chosen, spec("c"), need(6)),
        s.engines.lease(Seat::Chosen, spec("c"), need(6)),
    );
    assert!(first.is_ok() && second.is_ok());
    assert_eq!((pids(s.folder.path()).len(), s.alive()), (2, 1));
}

#[tokio::test]
async fn an_answer_is_ended_only_by_who_says_so() {
    let mut s = Scene::new(10, PATIENCE).await;
    let lease = s
        .engines
        .lease(Seat::Chosen, spec("a"), need(6))
        .await
        .unwrap();
    let answer = collected(lease.generate(question()));
    let mut exchange = s.fake.next().await;
    exchange.begin().await;
    exchange.text("So").await;
    let engine = pids(s.folder.path())[0];

    let refused = s.engines.load(Seat::Chosen, spec("b"), need(6)).await;
    let error = refused.unwrap_err();
    assert_eq!(error, busy_with("a"));
    let failure = error.failure();
    assert!(
        failure.message.starts_with("a is answering") && failure.next_step.contains("stop it"),
        "{failure}"
    );
    for refused in [
        s.engines.could_load(Seat::Chosen, spec("b"), need(6)).await,
        s.engines
            .restart(Seat::Chosen, spec("a"), need(6), false)
            .await,
        s.engines
            .restart(Seat::Beside, spec("b"), need(11), false)
            .await,
        s.engines
            .lease(Seat::Beside, spec("b"), need(11))
            .await
            .map(drop),
        // Loaded otherwise is another load.
        s.engines
            .load(
                Seat::Chosen,
                LoadSpec {
                    context_tokens: Some(512),
                    ..spec("a")
                },
                need(6),
            )
            .await,
    ] {
        assert_eq!(refused, Err(busy_with("a")));
    }
    assert!(is_alive(engine) && !answer.is_finished());
    // Where there is room, nobody has to go.
    let beside = s
        .engines
        .lease(Seat::Beside, spec("b"), need(2))
        .await
        .unwrap();
    assert_eq!(s.alive(), 2);
    drop(beside);

    s.engines
        .restart(Seat::Chosen, spec("a"), need(6), true)
        .await
        .unwrap();
    // The server is the test's own and does not end with the process.
    drop(exchange);
    let events = answer.await.unwrap();
    assert_eq!(events[0], Ok(EngineEvent::TextDelta("So".into())));
    assert_eq!(events.last(), Some(&Err(EngineError::Stopped)));
    s.becomes(Seat::Chosen, ready).await;
    assert!(!is_alive(engine));
    // What the old lease stood for is void: giving it back takes nothing from anybody.
    let new = s
        .engines
        .lease(Seat::Chosen, spec("a"), need(6))
        .await
        .unwrap();
    drop(lease);
    let refused = s.engines.load(Seat::Chosen, spec("c"), need(6)).await;
    assert_eq!(refused, Err(busy_with("a")));
    drop(new);
    s.engines
        .load(Seat::Chosen, spec("c"), need(6))
        .await
        .unwrap();
    s.engines.shutdown().await;
    assert_eq!(s.alive(), 0);
    let late = s.engines.lease(Seat::Chosen, spec("a"), need(6)).await;
    assert_eq!(late.unwrap_err(), EngineError::ShutDown);
}

#[tokio::test]
async fn an_engine_is_idle_from_its_last_answer_on_and_never_while_it_loads() {
    let s = Scene::new(100, PATIENCE).await;
    let keep = Some(Duration::from_millis(60));
    s.engines.keep(Seat::Chosen, keep);
    s.engines.keep(Seat::Beside, keep);
    s.engines
        .load(Seat::Chosen, spec("slow"), need(1))
        .await
        .unwrap();
    // The other engine is the clock: it is loaded and idle for as long, more than once.
    for _ in 0..2 {
        s.engines
            .load(Seat::Beside, spec("b"), need(1))
            .await
            .unwrap();
        s.becomes(Seat::Beside, ready).await;
        s.becomes(Seat::Beside, empty).await;
    }
    assert!(s.is(Seat::Chosen, loading), "a load is not idle");
    std::fs::write(s.folder.path().join("go"), "").unwrap();
    let lease = s
        .engines
        .lease(Seat::Chosen, spec("slow"), need(1))
        .await
        .unwrap();
    for _ in 0..2 {
        s.engines
            .load(Seat::Beside, spec("b"), need(1))
            .await
            .unwrap();
        s.becomes(Seat::Beside, ready).await;
        s.becomes(Seat::Beside, empty).await;
    }
    assert!(s.is(Seat::Chosen, ready), "an answer is not idle");
    drop(lease);
    s.becomes(Seat::Chosen, empty).await;
    until("no process is left", || s.alive() == 0).await;

    // Kept for ever while that is wanted.
    s.engines.keep(Seat::Chosen, None);
    s.engines
        .load(Seat::Chosen, spec("a"), need(1))
        .await
        .unwrap();
    s.becomes(Seat::Chosen, ready).await;
    s.engines
        .load(Seat::Beside, spec("b"), need(1))
        .await
        .unwrap();
    s.becomes(Seat::Beside, ready).await;
    s.becomes(Seat::Beside, empty).await;
    assert!(s.is(Seat::Chosen, ready));
}

/// Asks, gets as far as the reading of the prompt, and gives up.
async fn stopped_while_reading(s: &mut Scene) {
    let lease = s
        .engines
        .lease(Seat::Chosen, spec("a"), need(1))
        .await
        .unwrap();
    let mut events = lease.generate(question());
    let reading = tokio::spawn(async move {
        let event = events.next().await;
        (event, events)
    });
    let mut exchange = s.fake.next().await;
    s.fake.set_busy(true);
    exchange.begin().await;
    exchange
        .event(&json!({"paddock": {"progress": {"stage": "reading_prompt", "tokens": 8000}}}))
        .await;
    let (event, events) = reading.await.unwrap();
    assert!(matches!(event, Some(Ok(EngineEvent::Progress(_)))));
    drop(events);
    drop(lease);
    exchange.closed().await;
}

#[tokio::test]
async fn the_next_question_waits_for_an_engine_that_still_reads_a_stopped_one() {
    let mut s = Scene::new(10, PATIENCE).await;
    stopped_while_reading(&mut s).await;
    let mut next = tokio::spawn({
        let engines = s.engines.clone();
        async move { engines.lease(Seat::Chosen, spec("a"), need(1)).await }
    });
    let asked = s.fake.health_asked();
    until("it was asked again", || s.fake.health_asked() > asked + 1).await;
    assert!(!next.is_finished(), "it still reads");
    s.fake.set_busy(false);
    let lease = tokio::time::timeout(PATIENCE, &mut next)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let answer = collected(lease.generate(question()));
    let mut exchange = s.fake.next().await;
    exchange.begin().await;
    exchange.finish("stop", (1, 1), &json!({})).await;
    assert!(matches!(
        answer.await.unwrap().last(),
        Some(Ok(EngineEvent::Finished(_)))
    ));
    assert_eq!(pids(s.folder.path()).len(), 1);
    // An answer that ended by itself leaves nothing behind.
    let asked = s.fake.health_asked();
    drop(lease);
    let again = s.engines.lease(Seat::Chosen, spec("a"), need(1)).await;
    assert!(again.is_ok());
    assert_eq!(s.fake.health_asked(), asked);
}

#[tokio::test]
async fn an_engine_that_does_not_stop_is_started_anew() {
    let mut s = Scene::new(10, Duration::from_millis(50)).await;
    stopped_while_reading(&mut s).await;
    // It never becomes free by itself.
    let lease = tokio::time::timeout(PATIENCE, s.engines.lease(Seat::Chosen, spec("a"), need(1)))
        .await
        .expect("the next question waits for ever")
        .unwrap();
    let all = pids(s.folder.path());
    assert_eq!(all.len(), 2);
    assert!(!is_alive(all[0]) && is_alive(all[1]));
    drop(lease);
}

#[tokio::test]
async fn work_in_the_background_gives_way() {
    let mut s = Scene::new(10, PATIENCE).await;
    let none = s
        .engines
        .lease_in_background(Seat::Chosen, &spec("a"))
        .await;
    assert_eq!(none.unwrap_err(), EngineError::Superseded);
    let lease = s
        .engines
        .lease(Seat::Chosen, spec("a"), need(6))
        .await
        .unwrap();
    let background = |s: &Scene| {
        let engines = s.engines.clone();
        async move {
            engines
                .lease_in_background(Seat::Chosen, &spec("a"))
                .await
                .unwrap()
        }
    };
    assert!(background(&s).await.is_none(), "somebody asks");
    drop(lease);
    let work = background(&s).await.unwrap();
    let answer = collected(work.generate(question()));
    let exchange = s.fake.next().await;
    s.fake.set_busy(true);
    // A question waits until the engine is clear of it, and is not mixed with it.
    let next = tokio::spawn({
        let engines = s.engines.clone();
        async move { engines.lease(Seat::Chosen, spec("a"), need(6)).await }
    });
    until("it was asked", || s.fake.health_asked() > 0).await;
    assert!(!next.is_finished());
    answer.abort();
    drop(work);
    exchange.closed().await;
    s.fake.set_busy(false);
    let lease = next.await.unwrap().unwrap();
    drop(lease);
    // Another model need not ask it.
    let work = background(&s).await.unwrap();
    s.engines
        .load(Seat::Chosen, spec("b"), need(6))
        .await
        .unwrap();
    s.becomes(Seat::Chosen, ready).await;
    drop(work);
}

#[tokio::test]
async fn an_engine_that_dies_takes_its_claims_with_it() {
    let s = Scene::new(10, PATIENCE).await;
    let lease = s
        .engines
        .lease(Seat::Chosen, spec("a"), need(6))
        .await
        .unwrap();
    paddock_tests::fake_engine::kill(pids(s.folder.path())[0]);
    s.becomes(Seat::Chosen, |state| {
        matches!(state, EngineState::Failed { .. })
    })
    .await;
    // Nobody answers any more, so another may come.
    until("another may come", || s.alive() == 0).await;
    let mut next = s.engines.lease(Seat::Chosen, spec("b"), need(6)).await;
    while let Err(error) = next {
        assert_eq!(error, busy_with("a"), "the news is on its way");
        tokio::task::yield_now().await;
        next = s.engines.lease(Seat::Chosen, spec("b"), need(6)).await;
    }
    drop((lease, next));
}
