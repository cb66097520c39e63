//! The test of a model's sight: the demo model passes it, one that guesses does not, and nobody waits for it.

#![allow(clippy::unwrap_used)] // helpers of tests, too

use std::path::{Path, PathBuf};
use std::time::Duration;

use paddock_chat::{Chat, ChatConfig};
use paddock_conversation::ModelId;
use paddock_engines::EngineState;
use paddock_models::{LoadChoice, Quant, Sight};
use paddock_settings::SettingsChange;
use paddock_tests::fake_engine::FakeEngine;
use serde_json::json;
use tokio::sync::mpsc;

fn resources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/resources")
}

async fn open(folder: &Path, engine_program: PathBuf) -> Chat {
    Chat::open(ChatConfig {
        decoder_program: env!("CARGO_BIN_EXE_decode-worker").into(),
        data_folder: folder.join("data"),
        engine_program,
        demo_model: resources().join("demo-model"),
        samples_folder: resources().join("samples"),
        model_places: paddock_models::ModelPlaces::default(),
        engine_builds: paddock_devices::EngineBuilds::default(),
    })
    .await
    .unwrap()
}

fn watch(chat: &Chat) -> mpsc::UnboundedReceiver<(ModelId, Sight)> {
    let (sender, results) = mpsc::unbounded_channel();
    chat.watch_sight(move |id, sight| {
        let _ = sender.send((id, sight));
    });
    results
}

async fn listed(chat: &Chat) -> Option<Sight> {
    chat.list_models().await.unwrap()[0].sight
}

/// Loads the chosen model as the settings say, and waits for it.
async fn loaded(chat: &Chat, quant: &str) {
    let mut changes = chat.engine_changes();
    chat.preload(|_| {});
    let ready = changes.wait_for(|now| {
        let wanted = now.model.as_ref().is_some_and(|model| model.quant == quant);
        wanted && matches!(now.state, EngineState::Ready { .. })
    });
    tokio::time::timeout(Duration::from_secs(60), ready)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn the_demo_model_sees_and_is_asked_only_once() {
    let engine: PathBuf = std::env::var_os("PADDOCK_ENGINE")
        .expect("PADDOCK_ENGINE is set by ./test: these tests need the real engine")
        .into();
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path(), engine.clone()).await;
    assert_eq!(listed(&chat).await, None, "not tested yet");
    let mut results = watch(&chat);
    chat.preload(|_| {});
    let result = tokio::time::timeout(Duration::from_secs(60), results.recv()).await;
    assert_eq!(result.unwrap(), Some((ModelId::demo(), Sight::Sees)));
    assert_eq!(listed(&chat).await, Some(Sight::Sees));
    chat.shutdown().await;
    drop(chat);

    let chat = open(folder.path(), engine).await;
    assert_eq!(listed(&chat).await, Some(Sight::Sees), "kept");
    let mut results = watch(&chat);
    loaded(&chat, "none").await;
    // Loaded otherwise it is another model to be asked; loads are looked at one after the other.
    let quantised = SettingsChange::LoadChoice {
        model: ModelId::demo(),
        value: LoadChoice {
            quant: Quant::Q8_0,
            ..LoadChoice::default()
        },
    };
    chat.change_settings(None, vec![quantised]).await.unwrap();
    loaded(&chat, "q8_0").await;
    let next = tokio::time::timeout(Duration::from_secs(60), results.recv()).await;
    assert!(matches!(next, Ok(Some(_))), "{next:?}");
    let again = results.try_recv();
    assert!(again.is_err(), "the first was asked again: {again:?}");
    chat.shutdown().await;
}

#[tokio::test]
async fn one_that_says_the_same_to_every_picture_is_blind_or_unsure() {
    for (says, sight) in [
        ("I cannot see pictures.", Sight::Blind),
        ("It is red.", Sight::Unsure),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut fake = FakeEngine::start().await;
        let chat = open(folder.path(), fake.program(folder.path())).await;
        let mut results = watch(&chat);
        chat.preload(|_| {});
        for _ in 0..3 {
            let mut exchange = fake.next().await;
            let parts = exchange.body["messages"][0]["content"].as_array().unwrap();
            assert_eq!(parts[0]["type"], "image_url");
            assert_eq!(parts[1]["type"], "text");
            exchange.begin().await;
            exchange.text(says).await;
            exchange.finish("stop", (10, 2), &json!({})).await;
        }
        let result = tokio::time::timeout(Duration::from_secs(20), results.recv()).await;
        assert_eq!(result.unwrap(), Some((ModelId::demo(), sight)), "{says}");
        assert_eq!(listed(&chat).await, Some(sight));
        chat.shutdown().await;
    }
}
