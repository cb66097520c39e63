//! Plans for the window against the real engine: what was predicted beside what was measured, and what is learned of it.

#![allow(clippy::unwrap_used)] // helpers of tests, too

use std::path::{Path, PathBuf};
use std::time::Duration;

use paddock_chat::{
    AttachOutcome, CatalogueStatus, Chat, ChatConfig, FitQuestion, FitRecord, FitTarget,
    SendRequest,
};
use paddock_conversation::{GenerationId, ModelId};
use paddock_devices::EngineBuilds;
use paddock_engines::EngineState;
use paddock_models::fit::{Fit, Verdict};
use paddock_models::{ModelPlaces, ModelSource};

fn resources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/resources")
}

async fn open(folder: &Path, places: ModelPlaces) -> Chat {
    let engine = std::env::var_os("PADDOCK_ENGINE")
        .expect("PADDOCK_ENGINE is set by ./test: these tests need the real engine");
    Chat::open(ChatConfig {
        decoder_program: env!("CARGO_BIN_EXE_decode-worker").into(),
        data_folder: folder.join("data"),
        engine_program: engine.into(),
        engine_builds: EngineBuilds::default(),
        demo_model: resources().join("demo-model"),
        samples_folder: resources().join("samples"),
        model_places: places,
    })
    .await
    .unwrap()
}

fn question(target: FitTarget) -> FitQuestion {
    FitQuestion {
        target,
        context: None,
        quant: None,
        images: None,
        hardware: None,
    }
}

async fn fit_of(chat: &Chat, id: ModelId) -> Fit {
    chat.fit(question(FitTarget::Model { id })).await.unwrap()
}

async fn loaded(chat: &Chat) {
    let mut changes = chat.engine_changes();
    chat.preload(|_| {});
    let ready = changes.wait_for(|now| matches!(now.state, EngineState::Ready { .. }));
    tokio::time::timeout(Duration::from_secs(60), ready)
        .await
        .unwrap()
        .unwrap();
}

/// The history once it has `count` loads.
async fn history(chat: &Chat, count: usize) -> Vec<FitRecord> {
    for _ in 0..400 {
        let history = chat.fit_history().await.unwrap();
        if history.len() >= count {
            return history;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("only {:?}", chat.fit_history().await.unwrap());
}

/// The newest record once it has measured more than `first` had.
async fn until_grown(chat: &Chat, first: &FitRecord) -> FitRecord {
    let look = async {
        loop {
            let newest = history(chat, 1).await.remove(0);
            if newest.measured_bytes > first.measured_bytes {
                return newest;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look)
        .await
        .unwrap_or_else(|_| panic!("no more was measured than {first:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_load_is_measured_kept_and_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path(), ModelPlaces::default()).await;
    let before = fit_of(&chat, ModelId::demo()).await;
    assert_eq!(before.verdict, Verdict::Fits, "{}", before.reason);
    chat.watch_memory();
    loaded(&chat).await;
    let first = history(&chat, 1).await.remove(0);
    assert_eq!(
        (first.model.as_str(), first.quant.as_str()),
        ("Paddock demo", "none")
    );
    assert_eq!(first.device, "cpu");
    assert_eq!(first.predicted_bytes, before.total_bytes);
    assert!(
        (10_000_000..2_000_000_000).contains(&first.measured_bytes),
        "{first:?}"
    );
    println!(
        "predicted {} to {} MB, measured {} MB",
        first.predicted_bytes.low / 1_000_000,
        first.predicted_bytes.high / 1_000_000,
        first.measured_bytes / 1_000_000
    );

    // A long question about pictures makes the peak grow, and the record with it.
    let AttachOutcome::Attached { attachment } = chat.attach_sample("red-circle".into()).await
    else {
        panic!()
    };
    chat.send(
        SendRequest {
            generation: GenerationId::random(),
            conversation: None,
            parent: None,
            text: "Tell me what you see. ".repeat(200),
            images: vec![attachment.id; 4],
            model: None,
        },
        std::sync::Arc::new(|_| {}),
    )
    .await
    .unwrap();
    let grown = until_grown(&chat, &first).await;
    assert_eq!(grown.at_ms, first.at_ms);

    // What was off corrects the reserve, by as much or up to the bound.
    let after = fit_of(&chat, ModelId::demo()).await;
    assert_eq!(after.weights_bytes, before.weights_bytes);
    println!(
        "reserve {} then {}",
        before.reserve_bytes, after.reserve_bytes
    );
    assert_ne!(after.reserve_bytes, before.reserve_bytes);

    chat.restart_engine().await.unwrap();
    let records = history(&chat, 2).await;
    assert_eq!(records[1].at_ms, first.at_ms, "newest first");
    assert_eq!(records[0].predicted_bytes, after.total_bytes);
    let learned = fit_of(&chat, ModelId::demo()).await.reserve_bytes;
    chat.shutdown().await;
    drop(chat);

    let chat = open(folder.path(), ModelPlaces::default()).await;
    assert_eq!(history(&chat, 2).await, records, "kept");
    let again = fit_of(&chat, ModelId::demo()).await;
    assert_eq!(again.reserve_bytes, learned, "learned for good");
    // Imagined hardware is not this computer.
    let imagined = chat
        .fit(FitQuestion {
            hardware: Some("16GiB".into()),
            ..question(FitTarget::Model {
                id: ModelId::demo(),
            })
        })
        .await
        .unwrap();
    assert_eq!(imagined.reserve_bytes, before.reserve_bytes);
    chat.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_and_questions_about_it_are_answered_offline() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path(), ModelPlaces::default()).await;
    let lines = chat.catalogue().await.unwrap();
    assert!(lines.len() >= 15, "{}", lines.len());
    for line in &lines {
        assert_eq!(line.fit.is_some(), line.status == CatalogueStatus::Released);
        assert_eq!(line.on_disk, None);
    }
    let scout = chat
        .fit(FitQuestion {
            context: Some(10_485_760),
            quant: Some("Q4K".into()),
            hardware: Some("H100".into()),
            ..question(FitTarget::Catalogue {
                id: "llama-4-scout".into(),
            })
        })
        .await
        .unwrap();
    assert_eq!(scout.verdict, Verdict::DoesNotFit);
    assert_eq!(scout.kv_bytes_per_token, 192 * 1024);
    for (question, code) in [
        (
            question(FitTarget::Catalogue {
                id: "llama-4-behemoth".into(),
            }),
            "notReleased",
        ),
        (
            question(FitTarget::Catalogue { id: "x".into() }),
            "notInCatalogue",
        ),
        (
            question(FitTarget::Model {
                id: ModelId::local("/gone"),
            }),
            // Only what is listed can be asked about, be it there or not.
            "noModel",
        ),
        (
            FitQuestion {
                hardware: Some("a toaster".into()),
                ..question(FitTarget::Model {
                    id: ModelId::demo(),
                })
            },
            "unknownHardware",
        ),
        (
            FitQuestion {
                quant: Some("q3".into()),
                ..question(FitTarget::Model {
                    id: ModelId::demo(),
                })
            },
            "unknownQuant",
        ),
    ] {
        let failure = chat.fit(question).await.unwrap_err().failure();
        assert_eq!(failure.code, code, "{failure:?}");
        assert!(failure.message.ends_with('.') && failure.next_step.ends_with('.'));
    }
    chat.shutdown().await;
}

/// A cached snapshot with the demo model's files; returns the snapshot.
#[cfg(unix)]
fn cache(hub: &Path) -> PathBuf {
    let snapshot = hub.join("models--org--Copy/snapshots/abc");
    std::fs::create_dir_all(&snapshot).unwrap();
    for entry in std::fs::read_dir(resources().join("demo-model")).unwrap() {
        let entry = entry.unwrap();
        let file = std::fs::canonicalize(entry.path()).unwrap();
        std::os::unix::fs::symlink(file, snapshot.join(entry.file_name())).unwrap();
    }
    snapshot
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_another_program_is_listed_loaded_in_place_and_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let hub = folder.path().join("hub");
    let snapshot = cache(&hub);
    let places = ModelPlaces {
        hugging_face: vec![hub],
        ..ModelPlaces::default()
    };
    let chat = open(folder.path(), places).await;
    let models = chat.list_models().await.unwrap();
    assert_eq!(models.len(), 2, "{models:?}");
    assert_eq!(models[0].source, ModelSource::Demo);
    let found = &models[1];
    assert_eq!(
        (found.name.as_str(), found.source),
        ("Copy", ModelSource::HuggingFace)
    );
    assert_eq!(found.id.local_path(), snapshot.to_str());
    let refused = chat.forget_model(found.id.clone()).await.unwrap_err();
    assert_eq!(refused.failure().code, "modelOfAnotherProgram");

    let mut changes = chat.engine_changes();
    chat.load_model(found.id.clone()).await.unwrap();
    let ready = changes.wait_for(|now| matches!(now.state, EngineState::Ready { .. }));
    let label = tokio::time::timeout(Duration::from_secs(60), ready)
        .await
        .unwrap()
        .unwrap()
        .model
        .clone();
    assert_eq!(label.unwrap().name, "Copy");

    // Added by hand it is listed once, as the user's.
    let added = chat.add_local_model(snapshot).await.unwrap();
    assert_eq!(added.source, ModelSource::Added);
    let models = chat.list_models().await.unwrap();
    assert_eq!(models.len(), 2, "{models:?}");
    assert_eq!(models[1].source, ModelSource::Added);
    chat.shutdown().await;
}
