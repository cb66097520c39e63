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
