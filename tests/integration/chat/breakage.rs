//! Engines that die or do not load, and an app that is killed.

use super::*;

#[tokio::test]
async fn an_engine_killed_in_mid_answer_leaves_the_text_and_the_next_question_works() {
    let mut s = scene().await;
    let (sent, events) = send(&s.chat, request("Tell me a story"));
    let mut exchange = s.fake.next().await;
    exchange.begin().await;
    exchange.text("Once upon").await;
    until("words are shown", || deltas(&events) == "Once upon").await;
    kill(pids(s.folder.path())[0]);
    drop(exchange);
    let outcome = sent.await.unwrap().unwrap();
    assert_eq!(finished(&outcome.assistant), FinishReason::Failed);
    assert_eq!(outcome.assistant.text(), "Once upon");
    let failure = outcome.assistant.failure.clone().unwrap();
    assert_eq!(failure.code, "outOfMemory");
    assert!(
        failure.message.contains("signal 9") && !failure.next_step.is_empty(),
        "{failure}"
    );

    let next = turn(&mut s, after(&outcome, "Go on"), " a time").await;
    assert_eq!(next.assistant.text(), " a time");
    assert_eq!(pids(s.folder.path()).len(), 2);
}

/// Names the data folder for the child of the test below.
const CHILD_FOLDER: &str = "PADDOCK_TEST_FOLDER";

/// The app that the test below kills: it asks and waits for ever.
#[tokio::test]
#[ignore = "run by what_was_written_when_the_app_was_killed_is_there_afterwards_marked_interrupted"]
async fn an_app_that_will_be_killed() {
    let folder = PathBuf::from(std::env::var_os(CHILD_FOLDER).unwrap());
    let chat = open(&folder, &folder.join("fake-engine")).await;
    let (_sent, events) = send(&chat, request("Tell me a story"));
    until("words are shown", || deltas(&events).contains("upon")).await;
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn what_was_written_when_the_app_was_killed_is_there_afterwards_marked_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut fake = FakeEngine::start().await;
    let engine = fake.program(folder.path());
    let mut app = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "breakage::an_app_that_will_be_killed",
            "--ignored",
        ])
        .env(CHILD_FOLDER, folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut exchange = fake.next().await;
    exchange.begin().await;
    exchange.text("Once upon").await;
    let data = folder.path().join("data");
    until("the words are written down", || {
        paddock_tests::database::has_text(&data, "Once upon")
    })
    .await;
    app.kill().unwrap();
    app.wait().unwrap();
    exchange.closed().await;
    let orphan = pids(folder.path())[0];
    until("the engine has ended by itself", || !is_alive(orphan)).await;

    let chat = open(folder.path(), &engine).await;
    let all = chat.list_conversations(None).await.unwrap();
    let view = chat.open_conversation(all[0].id).await.unwrap();
    assert_eq!(view.messages[1].text(), "Once upon");
    assert_eq!(finished(&view.messages[1]), FinishReason::Interrupted);
    assert_eq!(
        chat.list_conversations(Some("upon".into()))
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_load_that_fails_is_kept_with_the_question() {
    let folder = tempfile::tempdir().unwrap();
    let failed =
        json!({"event": "failed", "code": "file_missing", "message": "tokenizer.json is missing."});
    let chat = open(
        folder.path(),
        &program(folder.path(), &format!("echo '{failed}'\nexit 1\n")),
    )
    .await;
    let (sent, _) = send(&chat, request("Hello?"));
    let outcome = sent.await.unwrap().unwrap();
    assert_eq!(finished(&outcome.assistant), FinishReason::Failed);
    let failure = outcome.assistant.failure.unwrap();
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("fileMissing", "tokenizer.json is missing.")
    );
    assert_eq!(outcome.user.unwrap().text(), "Hello?");
}

#[tokio::test]
async fn stopping_while_the_model_loads_is_immediate() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path(), &program(folder.path(), "cat > /dev/null\n")).await;
    let asked = request("Hello?");
    let generation = asked.generation;
    let (sent, events) = send(&chat, asked);
    until("the load has begun and is told", || {
        let told = events.lock().unwrap().iter().any(|event| {
            matches!(
                event,
                GenerationEvent::Phase {
                    phase: Phase::LoadingModel
                }
            )
        });
        told && !pids(folder.path()).is_empty()
    })
    .await;
    chat.cancel(generation);
    let outcome = sent.await.unwrap().unwrap();
    assert_eq!(finished(&outcome.assistant), FinishReason::Cancelled);
}
