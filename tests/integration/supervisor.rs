//! The supervisor with real processes: loading, switching, dying, giving up, ending.

#![allow(clippy::unwrap_used)] // helpers of tests, too

use std::path::Path;
use std::time::{Duration, Instant};

use paddock_conversation::{ModelId, ModelLabel};
use paddock_engines::{
    EngineError, EngineHandle, EngineState, LoadSpec, SupervisorConfig, start_supervisor,
};
use paddock_tests::fake_engine::{FakeEngine, PATIENCE, is_alive, kill, pids, program};
use serde_json::json;

fn spec(name: &str) -> LoadSpec {
    LoadSpec {
        model: ModelLabel {
            id: ModelId::local(name),
            name: name.into(),
            quant: "none".into(),
            place: "this computer".into(),
        },
        path: name.into(),
        device: "auto".into(),
        dtype: "auto".into(),
        cpu_dtype: None,
        quant: "none".into(),
        context_tokens: Some(4096),
        threads: None,
    }
}

fn supervisor(program: &Path) -> EngineHandle {
    start_supervisor(SupervisorConfig {
        program: program.to_owned(),
        placement: None,
    })
}

async fn wait_for(engine: &EngineHandle, wanted: impl Fn(&EngineState) -> bool) {
    let mut changes = engine.subscribe();
    tokio::time::timeout(
        PATIENCE,
        changes.wait_for(|snapshot| wanted(&snapshot.state)),
    )
    .await
    .expect("the state never came")
    .expect("the supervisor is gone");
}

async fn gone(pid: i32) {
    let until = Instant::now() + PATIENCE;
    while is_alive(pid) {
        assert!(Instant::now() < until, "process {pid} is still there");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_model_is_loaded_once_and_the_process_gets_a_token_and_no_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeEngine::start().await;
    let engine = supervisor(&fake.program(folder.path()));
    assert_eq!(engine.snapshot().state, EngineState::Empty);
    let (first, second) = tokio::join!(engine.ready(spec("/m/a")), engine.ready(spec("/m/a")));
    assert_eq!(
        (
            first.unwrap().context_tokens(),
            second.unwrap().context_tokens()
        ),
        (4096, 4096)
    );
    assert_eq!(pids(folder.path()).len(), 1);
    let snapshot = engine.snapshot();
    assert!(
        matches!(
            snapshot.state,
            EngineState::Ready {
                context_tokens: 4096,
                ..
            }
        ),
        "{snapshot:?}"
    );
    assert_eq!(snapshot.model.unwrap().name, "/m/a");

    let arguments = std::fs::read_to_string(folder.path().join("arguments")).unwrap();
    assert_eq!(
        arguments.lines().collect::<Vec<_>>().join(" "),
        "--model /m/a --device auto --dtype auto --quant none --port 0 --context 4096"
    );
    let environment = std::fs::read_to_string(folder.path().join("environment")).unwrap();
    let token = environment
        .lines()
        .find_map(|line| line.strip_prefix("PADDOCK_ENGINE_TOKEN="))
        .unwrap();
    assert!(
        token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit()),
        "{token}"
    );
    assert!(!arguments.contains(token));
    // Of the test's own environment it has what a program needs, and nothing of cargo's, which stands for secrets here.
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")));
    let names = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name);
    for name in names {
        assert!(!name.starts_with("CARGO"), "{name}");
        assert!(
            !name.starts_with("PADDOCK") || name == "PADDOCK_ENGINE_TOKEN",
            "{name}"
        );
    }
    assert!(environment.lines().any(|line| line.starts_with("PATH=")));
}

#[tokio::test]
async fn another_model_waits_until_the_old_process_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeEngine::start().await;
    let ready = fake.ready_line(4096);
    // Takes half a second to end: a second process must not start meanwhile.
    let body = format!(
        "test -e '{0}/running' && touch '{0}/overlap'\ntouch '{0}/running'\necho '{ready}'\ncat > /dev/null\nsleep 0.5\nrm '{0}/running'\n",
        folder.path().display()
    );
    let engine = supervisor(&program(folder.path(), &body));
    engine.ready(spec("/m/a")).await.unwrap();
    engine.ready(spec("/m/b")).await.unwrap();
    assert_eq!(engine.snapshot().model.unwrap().name, "/m/b");
    assert_eq!(pids(folder.path()).len(), 2);
    assert!(!folder.path().join("overlap").exists());
}

#[tokio::test]
async fn a_model_that_was_given_up_for_another_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let engine = supervisor(&program(folder.path(), "cat > /dev/null\n"));
    let first = tokio::spawn({
        let engine = engine.clone();
        async move { engine.ready(spec("/m/a")).await }
    });
    wait_for(&engine, |state| {
        matches!(state, EngineState::Loading { .. })
    })
    .await;
    let second = tokio::spawn({
        let engine = engine.clone();
        async move { engine.ready(spec("/m/b")).await }
    });
    assert_eq!(first.await.unwrap().unwrap_err(), EngineError::Superseded);
    engine.stop().await;
    assert_eq!(second.await.unwrap().unwrap_err(), EngineError::Superseded);
    assert_eq!(engine.snapshot().state, EngineState::Empty);
}

#[tokio::test]
async fn a_load_that_fails_says_why_and_the_next_need_tries_again() {
    let folder = tempfile::tempdir().unwrap();
    let failed =
        json!({"event": "failed", "code": "file_missing", "message": "tokenizer.json is missing."});
    let engine = supervisor(&program(
        folder.path(),
        &format!("echo '{failed}'\nexit 1\n"),
    ));
    for _ in 0..5 {
        let error = engine.ready(spec("/m/a")).await.unwrap_err();
        assert_eq!(
            (error.code().as_str(), error.to_string().as_str()),
            ("fileMissing", "tokenizer.json is missing.")
        );
    }
    assert_eq!(pids(folder.path()).len(), 5, "a told failure is no death");
    let EngineState::Failed { failure } = engine.snapshot().state else {
        panic!()
    };
    assert_eq!(failure.code, "fileMissing");
}

#[tokio::test]
async fn a_killed_engine_is_told_as_out_of_memory_and_starts_again_on_need() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeEngine::start().await;
    let engine = supervisor(&fake.program(folder.path()));
    engine.ready(spec("/m/a")).await.unwrap();
    kill(pids(folder.path())[0]);
    wait_for(&engine, |state| matches!(state, EngineState::Failed { .. })).await;
    let EngineState::Failed { failure } = engine.snapshot().state else {
        panic!()
    };
    assert_eq!(failure.code, "outOfMemory");
    assert!(
        failure.message.contains("signal 9") && failure.message.contains("memory"),
        "{}",
        failure.message
    );
    assert_eq!(pids(folder.path()).len(), 1, "not in a loop: only on need");
    engine.ready(spec("/m/a")).await.unwrap();
    assert_eq!(pids(folder.path()).len(), 2);
}

#[tokio::test]
async fn an_engine_that_keeps_dying_is_given_up_until_it_is_restarted_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let engine = supervisor(&program(folder.path(), "exit 3\n"));
    for _ in 0..3 {
        let error = engine.ready(spec("/m/a")).await.unwrap_err();
        assert!(error.to_string().contains("exit code 3"), "{error}");
    }
    for _ in 0..3 {
        let error = engine.ready(spec("/m/a")).await.unwrap_err();
        assert_eq!(error.code(), "engineKeepsDying");
        assert!(error.to_string().contains("3 times"), "{error}");
    }
    assert_eq!(pids(folder.path()).len(), 3);
    let fake = FakeEngine::start().await;
    fake.program(folder.path());
    engine.restart(spec("/m/a")).await.unwrap();
    assert_eq!(pids(folder.path()).len(), 4);
}

#[tokio::test]
async fn one_models_deaths_do_not_count_against_another() {
    let folder = tempfile::tempdir().unwrap();
    let engine = supervisor(&program(folder.path(), "exit 3\n"));
    for _ in 0..3 {
        engine.ready(spec("/m/a")).await.unwrap_err();
    }
    let error = engine.ready(spec("/m/a")).await.unwrap_err();
    assert_eq!(error.code(), "engineKeepsDying");
    let error = engine.ready(spec("/m/b")).await.unwrap_err();
    assert!(error.to_string().contains("exit code 3"), "{error}");
    assert_eq!(pids(folder.path()).len(), 4);
}

/// A script that does its steps when the test creates the files `0`, `1`, ...
fn step_by_step(folder: &Path, steps: &[String]) -> std::path::PathBuf {
    let mut body = String::new();
    for (number, lines) in steps.iter().enumerate() {
        body += &format!(
            "until test -e '{}/{number}'; do sleep 0.01; done\n{lines}\n",
            folder.display()
        );
    }
    program(folder, &(body + "cat > /dev/null\n"))
}

fn go(folder: &Path, number: usize) {
    std::fs::write(folder.join(number.to_string()), "").unwrap();
}

#[tokio::test]
async fn progress_after_the_load_is_believed_only_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeEngine::start().await;
    let ready = fake.ready_line(4096);
    let loading = |read: u32| json!({"event": "loading", "stage": "weights", "bytes_read": read, "bytes_total": 10});
    let restarting = json!({"event": "restarting", "message": "It panicked."});
    let engine = supervisor(&step_by_step(
        folder.path(),
        &[
            format!("echo '{ready}'"),
            // A sample that was taken before the end of the load, and the load after a panic.
            format!(
                "echo '{}'\necho '{restarting}'\necho '{}'",
                loading(9),
                loading(3)
            ),
            format!("echo '{ready}'"),
        ],
    ));
    go(folder.path(), 0);
    engine.ready(spec("/m/a")).await.unwrap();
    let revision = engine.snapshot().revision;
    go(folder.path(), 1);
    wait_for(&engine, |state| {
        matches!(state, EngineState::Loading { bytes_read: 3, .. })
    })
    .await;
    assert_eq!(
        engine.snapshot().revision,
        revision + 2,
        "restarting, and one line of progress"
    );
    // Who asks meanwhile waits, and gets the new one.
    let again = tokio::spawn({
        let engine = engine.clone();
        async move { engine.ready(spec("/m/a")).await }
    });
    go(folder.path(), 2);
    again.await.unwrap().unwrap();
    assert_eq!(pids(folder.path()).len(), 1);
}

#[tokio::test]
async fn an_engine_that_panics_again_and_again_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeEngine::start().await;
    let ready = fake.ready_line(4096);
    let restarting = json!({"event": "restarting", "message": "It panicked."});
    let again = format!("echo '{restarting}'\necho '{ready}'");
    let engine = supervisor(&step_by_step(
        folder.path(),
        &[
            format!("echo '{ready}'"),
            again.clone(),
            again.clone(),
            again,
        ],
    ));
    go(folder.path(), 0);
    engine.ready(spec("/m/a")).await.unwrap();
    for number in 1..=2 {
        let before = engine.snapshot().revision;
        go(folder.path(), number);
        let mut changes = engine.subscribe();
        let restarted = changes.wait_for(|snapshot| {
            snapshot.revision >= before + 2 && matches!(snapshot.state, EngineState::Ready { .. })
        });
        tokio::time::timeout(PATIENCE, restarted)
            .await
            .unwrap()
            .unwrap();
    }
    go(folder.path(), 3);
    wait_for(&engine, |state| matches!(state, EngineState::Failed { .. })).await;
    let error = engine.ready(spec("/m/a")).await.unwrap_err();
    assert_eq!(error.code(), "engineKeepsDying");
    assert!(error.to_string().contains("It panicked."), "{error}");
    gone(pids(folder.path())[0]).await;
}

#[tokio::test]
async fn an_engine_that_is_ready_where_nobody_listens_has_failed() {
    for address in ["127.0.0.1:1", "192.0.2.1:80", "nonsense"] {
        let folder = tempfile::tempdir().unwrap();
        let fake = FakeEngine::start().await;
        let mut ready = fake.ready_line(4096);
        ready["address"] = address.into();
        let body = format!("echo '{ready}'\ncat > /dev/null\n");
        let engine = supervisor(&program(folder.path(), &body));
        // The next need starts it anew, and nobody waits for ever.
        for count in 1..=2 {
            let error = tokio::time::timeout(PATIENCE, engine.ready(spec("/m/a")))
                .await
                .unwrap()
                .unwrap_err();
            assert_eq!(error.code(), "engineNotReached", "{error}");
            assert_eq!(pids(folder.path()).len(), count);
            assert!(matches!(
                engine.snapshot().state,
                EngineState::Failed { .. } | EngineState::Loading { .. }
            ));
        }
        for pid in pids(folder.path()) {
            gone(pid).await;
        }
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_sentence() {
    let engine = supervisor(Path::new("/nowhere/paddock-engine"));
    let error = engine.ready(spec("/m/a")).await.unwrap_err();
    assert_eq!(error.code(), "engineNotStarted");
    assert!(error.to_string().contains("/nowhere/paddock-engine"));
}

#[tokio::test]
async fn the_process_ends_with_its_handles_even_if_it_does_not_want_to() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeEngine::start().await;
    let ready = fake.ready_line(4096);
    let body = format!("trap '' TERM\necho '{ready}'\nwhile :; do sleep 0.2; done\n");
    let engine = supervisor(&program(folder.path(), &body));
    engine.ready(spec("/m/a")).await.unwrap();
    let pid = pids(folder.path())[0];
    drop(engine);
    gone(pid).await;
}

#[tokio::test]
async fn lines_that_are_not_of_the_protocol_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeEngine::start().await;
    let ready = fake.ready_line(4096);
    let body =
        format!("echo hello\necho '{{\"event\":\"new\"}}'\necho '{ready}'\ncat > /dev/null\n");
    let engine = supervisor(&program(folder.path(), &body));
    engine.ready(spec("/m/a")).await.unwrap();
}
