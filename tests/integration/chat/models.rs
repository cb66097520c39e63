//! Models: the list, switching, each one's own choices, and two of them on one question.

#[path = "../../../src-tauri/crates/checkpoint/tests/support/mod.rs"]
mod checkpoints;

use super::*;

#[tokio::test]
async fn models_are_added_chosen_and_forgotten() {
    let s = scene().await;
    let demo = s.chat.list_models().await.unwrap();
    assert!(
        demo.len() == 1 && demo[0].demo && demo[0].ready && demo[0].vision,
        "{demo:?}"
    );
    let own = s.folder.path().join("my model");
    std::fs::create_dir(&own).unwrap();
    let error = s.chat.add_local_model(own.clone()).await.unwrap_err();
    assert!(error.is_bad_input(), "{error}");
    for entry in std::fs::read_dir(resources().join("demo-model"))
        .unwrap()
        .flatten()
    {
        std::fs::copy(entry.path(), own.join(entry.file_name())).unwrap();
    }
    let added = s.chat.add_local_model(own.clone()).await.unwrap();
    assert_eq!((added.name.as_str(), added.demo), ("my model", false));
    let same = s
        .chat
        .add_local_model(own.join("../my model"))
        .await
        .unwrap();
    assert_eq!(same.id, added.id);
    s.chat
        .add_local_model(resources().join("demo-model"))
        .await
        .unwrap();
    assert_eq!(s.chat.list_models().await.unwrap().len(), 2);

    let snapshot = s.chat.load_model(added.id.clone()).await.unwrap();
    assert_eq!(snapshot.model.unwrap().name, "my model");
    until("it is loaded", || {
        matches!(s.chat.engine_snapshot().state, EngineState::Ready { .. })
    })
    .await;
    let arguments = std::fs::read_to_string(s.folder.path().join("arguments")).unwrap();
    assert!(
        arguments.contains("/my model\n") && arguments.contains("--context\n8192\n"),
        "{arguments}"
    );
    assert_eq!(s.chat.settings().await.chosen, added.id);

    // Its files vanish: it stays in the list with the reason, and a question is refused before it is kept.
    std::fs::remove_file(own.join("config.json")).unwrap();
    let listed = s.chat.list_models().await.unwrap();
    assert!(
        !listed[1].ready && listed[1].problem.is_some(),
        "{listed:?}"
    );
    let refused = send(&s.chat, request("Hi")).0.await.unwrap().unwrap_err();
    assert!(refused.is_bad_input(), "{refused}");
    s.chat.forget_model(added.id.clone()).await.unwrap();
    assert_eq!(s.chat.settings().await.chosen, ModelId::demo());
    assert_eq!(s.chat.list_models().await.unwrap().len(), 1);
    assert_eq!(
        s.chat
            .forget_model(ModelId::demo())
            .await
            .unwrap_err()
            .failure()
            .code,
        "noModel"
    );
}

/// A copy of the demo model's folder, which is another model to the list.
async fn copy_of_demo(s: &Scene, name: &str) -> ModelId {
    let folder = s.folder.path().join(name);
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(resources().join("demo-model"))
        .unwrap()
        .flatten()
    {
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    s.chat.add_local_model(folder).await.unwrap().id
}

#[tokio::test]
async fn another_model_answers_beside_the_chosen_one_while_both_fit() {
    let mut s = scene().await;
    let other = copy_of_demo(&s, "other").await;
    let first = turn(&mut s, request("Name a fruit"), "Apple").await;

    let chat = s.chat.clone();
    let (message, model) = (first.assistant.id, other.clone());
    let again = tokio::spawn(async move {
        chat.regenerate(
            message,
            GenerationId::random(),
            Some(model),
            Arc::new(|_: GenerationEvent| {}),
        )
        .await
    });
    answer(s.fake.next().await, "Pear").await;
    let again = again.await.unwrap().unwrap();
    assert_eq!(again.assistant.parent, first.assistant.parent);
    let names = [&first, &again].map(|turn| turn.assistant.model.as_ref().unwrap().name.clone());
    assert_eq!(names, ["Paddock demo", "other"]);
    // The chosen model is still the chosen one, and still loaded.
    assert_eq!(s.chat.settings().await.chosen, ModelId::demo());
    let engines = pids(s.folder.path());
    assert!(
        engines.len() == 2 && engines.iter().all(|pid| is_alive(*pid)),
        "{engines:?}"
    );
    turn(&mut s, after(&again, "And a vegetable"), "Leek").await;
    assert_eq!(pids(s.folder.path()).len(), 2);

    // Chosen now, it is not loaded twice for long: the one beside is ended.
    s.chat.load_model(other).await.unwrap();
    until("only one engine is left", || {
        pids(s.folder.path())
            .iter()
            .filter(|pid| is_alive(**pid))
            .count()
            == 1
            && matches!(s.chat.engine_snapshot().state, EngineState::Ready { .. })
    })
    .await;
    s.chat.shutdown().await;
    assert!(pids(s.folder.path()).iter().all(|pid| !is_alive(*pid)));
}

#[tokio::test]
async fn a_model_that_does_not_fit_beside_the_other_gets_its_memory_first() {
    let mut s = scene().await;
    let folder = s.folder.path().join("scout");
    checkpoints::write_checkpoint(&folder, &checkpoints::catalogue_config("llama-4-scout"), 2);
    let scout = s.chat.add_local_model(folder).await.unwrap().id;
    turn(&mut s, request("Name a fruit"), "Apple").await;
    let demo = pids(s.folder.path())[0];
    let (sent, _) = send(
        &s.chat,
        SendRequest {
            model: Some(scout),
            ..request("Name a fruit")
        },
    );
    let exchange = s.fake.next().await;
    assert!(!is_alive(demo), "both are in memory");
    answer(exchange, "Pear").await;
    let outcome = sent.await.unwrap().unwrap();
    assert_eq!(outcome.assistant.model.unwrap().name, "scout");
    // And back again.
    turn(&mut s, request("Name a vegetable"), "Leek").await;
    let engines = pids(s.folder.path());
    assert!(engines.len() == 3 && is_alive(engines[2]), "{engines:?}");
}

#[tokio::test]
async fn an_answer_of_another_conversation_is_not_ended_by_a_change_of_model() {
    let mut s = scene().await;
    let other = copy_of_demo(&s, "other").await;
    let (sent, events) = send(&s.chat, request("Tell me a story"));
    let mut exchange = s.fake.next().await;
    exchange.begin().await;
    exchange.text("Once upon").await;
    until("words are shown", || deltas(&events) == "Once upon").await;

    let refused = s.chat.load_model(other.clone()).await.unwrap_err();
    let failure = refused.failure();
    assert_eq!(failure.code, "engineBusy", "{failure}");
    assert!(failure.message.contains("Paddock demo"), "{failure}");
    assert_eq!(
        s.chat.settings().await.chosen,
        ModelId::demo(),
        "nothing is changed"
    );
    // Other settings for the chosen model take effect when nobody is answering; a question until then says so.
    let short = SettingsChange::LoadChoice {
        model: ModelId::demo(),
        value: LoadChoice {
            context_tokens: Some(1024),
            ..LoadChoice::default()
        },
    };
    s.chat.change_settings(None, vec![short]).await.unwrap();
    let second = send(&s.chat, request("Hello?")).0.await.unwrap().unwrap();
    assert_eq!(second.assistant.failure.unwrap().code, "engineBusy");

    exchange.text(" a time").await;
    exchange.finish("stop", (10, 2), &json!({})).await;
    let first = sent.await.unwrap().unwrap();
    assert_eq!(first.assistant.text(), "Once upon a time");
    assert_eq!(finished(&first.assistant), FinishReason::Stop);
    assert_eq!(pids(s.folder.path()).len(), 1);
    s.chat.load_model(other).await.unwrap();
    until("it is loaded", || {
        matches!(s.chat.engine_snapshot().state, EngineState::Ready { .. })
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_ended_by_a_restart_that_the_user_wants() {
    let mut s = scene().await;
    let (sent, events) = send(&s.chat, request("Tell me a story"));
    let mut exchange = s.fake.next().await;
    exchange.begin().await;
    exchange.text("Once upon").await;
    until("words are shown", || deltas(&events) == "Once upon").await;
    s.chat.restart_engine().await.unwrap();
    drop(exchange);
    let outcome = sent.await.unwrap().unwrap();
    assert_eq!(outcome.assistant.text(), "Once upon");
    assert_eq!(outcome.assistant.failure.unwrap().code, "engineStopped");
    turn(&mut s, request("Name a fruit"), "Apple").await;
}

#[tokio::test]
async fn a_question_that_comes_after_another_says_that_it_waits() {
    let mut s = scene().await;
    let (sent, events) = send(&s.chat, request("Hello?"));
    let mut exchange = s.fake.next().await;
    exchange.begin().await;
    exchange
        .event(&json!({"paddock": {"progress": {"stage": "queued"}}}))
        .await;
    until("it is shown", || {
        events.lock().unwrap().iter().any(|event| {
            matches!(
                event,
                GenerationEvent::Phase {
                    phase: Phase::Queued
                }
            )
        })
    })
    .await;
    exchange.text("Hello.").await;
    exchange.finish("stop", (10, 2), &json!({})).await;
    sent.await.unwrap().unwrap();
}

#[tokio::test]
async fn every_model_is_loaded_with_its_own_choices() {
    let s = scene().await;
    let other = copy_of_demo(&s, "other").await;
    let short = SettingsChange::LoadChoice {
        model: ModelId::demo(),
        value: LoadChoice {
            context_tokens: Some(1024),
            ..LoadChoice::default()
        },
    };
    s.chat.change_settings(None, vec![short]).await.unwrap();
    let arguments =
        || std::fs::read_to_string(s.folder.path().join("arguments")).unwrap_or_default();
    for (model, path, context) in [
        (other.clone(), "/other\n", "--context\n8192\n"),
        (ModelId::demo(), "/demo-model\n", "--context\n1024\n"),
    ] {
        s.chat.load_model(model).await.unwrap();
        until("it is loaded its own way", || {
            arguments().contains(path) && arguments().contains(context)
        })
        .await;
    }
}
