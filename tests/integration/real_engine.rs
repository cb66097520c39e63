//! The main flows with the real engine and the demo model: what a picture shows, several pictures, stopping, dying.
//!
//! Outside: whether the numbers are those of the reference implementation (the engine's own tests).

#![allow(clippy::unwrap_used)] // helpers of tests, too

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use paddock_chat::{
    AskConfig, AskRequest, AttachOutcome, Chat, ChatConfig, GenerationEvent, Phase, PictureEdit,
    PictureForm, Region, SendRequest, ask, bench,
};
use paddock_conversation::{
    Attachment, FinishReason, GenerationId, Message, MessageStatus, ModelId, ModelLabel,
};
use paddock_devices::DevicePreference;
use paddock_engines::EngineState;
use paddock_models::LoadChoice;
use paddock_settings::SettingsChange;
use paddock_tests::fake_engine::{is_alive, kill};

fn engine() -> PathBuf {
    match std::env::var_os("PADDOCK_ENGINE") {
        Some(path) => path.into(),
        None => panic!(
            "PADDOCK_ENGINE is not set: these tests need the real engine. ./test sets it; by hand: build \
             src-tauri/engine (see its README) and set PADDOCK_ENGINE to the paddock-engine program."
        ),
    }
}

fn resources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/resources")
}

async fn open(folder: &Path) -> Chat {
    Chat::open(ChatConfig {
        decoder_program: env!("CARGO_BIN_EXE_decode-worker").into(),
        data_folder: folder.join("data"),
        engine_program: engine(),
        demo_model: resources().join("demo-model"),
        samples_folder: resources().join("samples"),
        model_places: paddock_models::ModelPlaces::default(),
        engine_builds: paddock_devices::EngineBuilds::default(),
    })
    .await
    .unwrap()
}

fn request(text: &str) -> SendRequest {
    SendRequest {
        generation: GenerationId::random(),
        conversation: None,
        parent: None,
        text: text.into(),
        images: vec![],
        model: None,
    }
}

async fn sample(chat: &Chat, name: &str) -> Attachment {
    attached(chat.attach_sample(name.into()).await)
}

fn attached(outcome: AttachOutcome) -> Attachment {
    match outcome {
        AttachOutcome::Attached { attachment } => attachment,
        AttachOutcome::Refused { failure, .. } => panic!("{failure}"),
    }
}

fn finished(message: &Message) -> FinishReason {
    match message.status {
        MessageStatus::Finished { reason } => reason,
        other => panic!("{other:?}"),
    }
}

/// The engine processes whose parent is this test.
fn engine_pids() -> Vec<i32> {
    let own = std::process::id().to_string();
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit(')')
            .next()
            .and_then(|rest| rest.split_whitespace().nth(1).map(str::to_owned));
        // Not the decoders, which are children too.
        let engine = stat.contains("(paddock-engine)");
        if engine && parent.as_deref() == Some(own.as_str()) && is_alive(pid) {
            pids.push(pid);
        }
    }
    pids
}

async fn gone(pid: i32) {
    let until = Instant::now() + Duration::from_secs(20);
    while is_alive(pid) {
        assert!(
            Instant::now() < until,
            "the engine process {pid} is still there"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_seen_answered_word_by_word_and_its_receipt_matches() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path()).await;
    let circle = sample(&chat, "red-circle").await;
    let plan = chat
        .plan_prompt(
            "What is in this image?".into(),
            vec![circle.id.clone()],
            None,
            None,
        )
        .await
        .unwrap();
    assert_eq!(plan.refusal, None);
    let deltas = Arc::new(Mutex::new(Vec::new()));
    let sink = deltas.clone();
    let asked = SendRequest {
        images: vec![circle.id.clone()],
        ..request("What is in this image?")
    };
    let first = chat
        .send(
            asked,
            Arc::new(move |event| {
                if let GenerationEvent::Delta { text } = event {
                    sink.lock().unwrap().push(text);
                }
            }),
        )
        .await
        .unwrap();
    let text = first.assistant.text().to_lowercase();
    assert!(
        text.contains("red") && text.contains("circle"),
        "{text} ({:?})",
        first.assistant.failure
    );
    assert_eq!(finished(&first.assistant), FinishReason::Stop);
    assert_eq!(deltas.lock().unwrap().concat(), first.assistant.text());
    let receipt = &first.assistant.receipts[0];
    assert!(receipt.matches, "{receipt:?}");
    assert_eq!(
        (receipt.tokens, receipt.rows),
        (plan.images[0].tokens, plan.images[0].grid.rows)
    );
    assert_eq!(receipt.seen, plan.images[0].seen);
    assert!(first.assistant.usage.unwrap().prompt_tokens > receipt.tokens);
    let EngineState::Ready { context_tokens, .. } = chat.engine_snapshot().state else {
        panic!()
    };
    assert!(context_tokens >= 4096, "{context_tokens}");

    // A second picture in the same conversation, then the first question once more.
    let star = sample(&chat, "square-and-star").await;
    let asked = SendRequest {
        conversation: Some(first.assistant.conversation_id),
        parent: Some(first.assistant.id),
        images: vec![star.id],
        ..request("What is in this image?")
    };
    let second = chat.send(asked, Arc::new(|_| {})).await.unwrap();
    assert_eq!(second.assistant.receipts.len(), 2);
    assert!(
        second
            .assistant
            .receipts
            .iter()
            .all(|receipt| receipt.matches),
        "{:?}",
        second.assistant.receipts
    );
    let again = chat
        .regenerate(
            first.assistant.id,
            GenerationId::random(),
            None,
            Arc::new(|_| {}),
        )
        .await
        .unwrap();
    assert_eq!(
        again.assistant.text(),
        first.assistant.text(),
        "greedy, the same picture: the same words"
    );

    // A text question to the loaded model is fast; this is an unoptimised build on a busy computer, so the bound is wide.
    let text = chat
        .send(request("Hello!"), Arc::new(|_| {}))
        .await
        .unwrap();
    let timings = text.assistant.timings.unwrap();
    println!(
        "first token of a text question: {:.0} ms",
        timings.first_token_ms
    );
    assert!(timings.first_token_ms < 2500.0, "{timings:?}");
    let pids = engine_pids();
    assert_eq!(pids.len(), 1);
    chat.shutdown().await;
    assert!(!is_alive(pids[0]), "shutdown waits for the engine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_picture_is_a_picture_of_that_part() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path()).await;
    let whole = sample(&chat, "square-and-star").await;
    let edit = |quarter_turns, region| PictureEdit {
        quarter_turns,
        region,
    };
    let part = |left, width| {
        Some(Region {
            left,
            top: 0.0,
            width,
            height: 1.0,
        })
    };
    let mut said = Vec::new();
    for region in [part(0.0, 0.5), part(0.5, 0.5)] {
        let attachment = attached(chat.edit_picture(whole.id.clone(), edit(0, region)).await);
        assert_eq!(attachment.name, format!("Part of {}", whole.name));
        assert_eq!(attachment.upright.height_px, whole.upright.height_px);
        assert_eq!(attachment.upright.width_px, whole.upright.width_px / 2);
        let asked = SendRequest {
            images: vec![attachment.id],
            ..request("What is in this image?")
        };
        let outcome = chat.send(asked, Arc::new(|_| {})).await.unwrap();
        said.push(outcome.assistant.text());
    }
    assert!(
        said[0].contains("square") && !said[0].contains("star"),
        "{said:?}"
    );
    assert!(
        said[1].contains("star") && !said[1].contains("square"),
        "{said:?}"
    );

    // A quarter turn and three more are the picture again, pixel by pixel.
    let turned = attached(chat.edit_picture(whole.id.clone(), edit(1, None)).await);
    assert_eq!(turned.upright.width_px, whole.upright.height_px);
    let back = attached(chat.edit_picture(turned.id, edit(3, None)).await);
    let pixels = async |id| {
        let picture = chat.picture(id, PictureForm::Full).await.unwrap();
        image::load_from_memory(&picture.bytes).unwrap().to_rgb8()
    };
    assert!(pixels(back.id).await == pixels(whole.id.clone()).await);
    let outside = chat.edit_picture(whole.id, edit(0, part(2.0, 0.5))).await;
    assert!(
        matches!(outside, AttachOutcome::Refused { .. }),
        "{outside:?}"
    );
    chat.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_in_mid_answer_is_replaced_for_the_next_question() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path()).await;
    let circle = sample(&chat, "red-circle").await;
    let asked = SendRequest {
        images: vec![circle.id.clone()],
        ..request("What is in this image?")
    };
    let killed = Arc::new(Mutex::new(None));
    let note = killed.clone();
    let sink = Arc::new(move |event| {
        if let GenerationEvent::Delta { .. } = event {
            let mut note = note.lock().unwrap();
            if note.is_none() {
                let pid = engine_pids()[0];
                kill(pid);
                *note = Some(pid);
            }
        }
    });
    let broken = chat.send(asked, sink).await.unwrap();
    let pid = killed.lock().unwrap().expect("no word came");
    gone(pid).await;
    // The model is so small that the whole answer may be on its way before the signal arrives.
    if finished(&broken.assistant) == FinishReason::Failed {
        assert!(!broken.assistant.text().is_empty());
        assert_eq!(
            broken.assistant.failure.as_ref().unwrap().code,
            "outOfMemory"
        );
    }
    let asked = SendRequest {
        images: vec![circle.id],
        ..request("What is in this image?")
    };
    let next = chat.send(asked, Arc::new(|_| {})).await.unwrap();
    assert!(
        next.assistant.text().to_lowercase().contains("circle"),
        "{:?}",
        next.assistant
    );
    chat.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_frees_the_engine_for_the_next_question_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path()).await;
    let asked = request("Tell me something.");
    let generation = asked.generation;
    let stopper = chat.clone();
    let sink = Arc::new(move |event| {
        if let GenerationEvent::Delta { .. } = event {
            stopper.cancel(generation);
        }
    });
    let stopped = chat.send(asked, sink).await.unwrap();
    assert!(matches!(
        finished(&stopped.assistant),
        FinishReason::Cancelled | FinishReason::Stop
    ));
    let began = Instant::now();
    let next = chat
        .send(request("Hello!"), Arc::new(|_| {}))
        .await
        .unwrap();
    assert_eq!(
        finished(&next.assistant),
        FinishReason::Stop,
        "{:?}",
        next.assistant.failure
    );
    assert!(began.elapsed() < Duration::from_secs(10));
    chat.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_while_the_prompt_is_read_does_not_keep_the_next_question_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path()).await;
    let asked = request(&"Tell me something about red circles. ".repeat(150));
    let generation = asked.generation;
    let stopper = chat.clone();
    let sink = Arc::new(move |event| {
        if let GenerationEvent::Phase {
            phase: Phase::ReadingPrompt { .. },
        } = event
        {
            stopper.cancel(generation);
        }
    });
    let stopped = chat.send(asked, sink).await.unwrap();
    assert_eq!(finished(&stopped.assistant), FinishReason::Cancelled);
    let shown = Arc::new(Mutex::new(Vec::new()));
    let sink = shown.clone();
    let next = chat
        .send(
            request("Hello!"),
            Arc::new(move |event| {
                if let GenerationEvent::Phase { phase } = event {
                    sink.lock().unwrap().push(phase);
                }
            }),
        )
        .await
        .unwrap();
    assert_eq!(
        finished(&next.assistant),
        FinishReason::Stop,
        "{:?}",
        next.assistant.failure
    );
    // While the engine was not free, that was said.
    assert_eq!(shown.lock().unwrap().first(), Some(&Phase::Queued));
    chat.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_does_not_fit_is_refused_by_whoever_notices() {
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path()).await;
    let short = SettingsChange::LoadChoice {
        model: ModelId::demo(),
        value: LoadChoice {
            context_tokens: Some(512),
            ..LoadChoice::default()
        },
    };
    chat.change_settings(None, vec![short]).await.unwrap();
    // Too short to be refused by the estimate, too long for this tokenizer.
    let long = "zq9 ".repeat(700);
    let outcome = chat.send(request(&long), Arc::new(|_| {})).await.unwrap();
    let failure = outcome.assistant.failure.expect("it fitted");
    assert_eq!(failure.code, "contextExceeded", "{failure}");
    let next = chat
        .send(request("Hello!"), Arc::new(|_| {}))
        .await
        .unwrap();
    assert_eq!(next.assistant.failure, None);
    chat.shutdown().await;
}

fn config(model: PathBuf) -> AskConfig {
    let label = ModelLabel {
        id: ModelId::demo(),
        name: "Demo".into(),
        quant: "none".into(),
        place: "this computer".into(),
    };
    AskConfig {
        decoder_program: env!("CARGO_BIN_EXE_decode-worker").into(),
        engine_program: engine(),
        engine_builds: paddock_devices::EngineBuilds::default(),
        model,
        model_label: label,
        device: DevicePreference::Auto,
        quant: "none".into(),
        context_tokens: None,
        threads: None,
    }
}

fn question(text: &str, images: &[&str]) -> AskRequest {
    AskRequest {
        question: text.into(),
        images: images
            .iter()
            .map(|name| {
                let bytes = std::fs::read(resources().join("samples").join(name)).unwrap();
                ((*name).to_owned(), bytes)
            })
            .collect(),
        system_prompt: String::new(),
        temperature: 0.0,
        max_tokens: Some(64),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_lines_question_is_answered_without_a_store() {
    let mut streamed = String::new();
    let demo = resources().join("demo-model");
    let outcome = ask(
        config(demo),
        question("What is in this image?", &["square-and-star.png"]),
        |text| {
            streamed.push_str(text);
            std::ops::ControlFlow::Continue(())
        },
    )
    .await
    .unwrap();
    let text = outcome.text.to_lowercase();
    assert!(text.contains("blue") && text.contains("star"), "{text}");
    assert_eq!((streamed, outcome.failure), (outcome.text, None));
    assert_eq!(outcome.images.len(), 1);
    assert!(outcome.images[0].tokens > 0 && outcome.load_ms > 0.0 && outcome.usage.is_some());
    assert!(
        engine_pids().is_empty(),
        "the engine ends with the question"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_benchmark_times_loading_reading_writing_and_looking() {
    let mut steps = Vec::new();
    let demo = resources().join("demo-model");
    let report = bench(config(demo), 2, |step| steps.push(step.to_owned()))
        .await
        .unwrap();
    assert_eq!(steps, ["loading", "answering", "reading", "looking"]);
    for times in [
        &report.load_ms,
        &report.first_token_ms,
        &report.prompt_tokens_per_second,
    ] {
        assert_eq!(times.len(), 2, "{report:?}");
        assert!(times.iter().all(|value| *value > 0.0), "{report:?}");
    }
    // An answer whose words all came in one piece says nothing about the speed of writing.
    assert!(report.answer_tokens_per_second.len() <= 2, "{report:?}");
    assert!(
        report
            .answer_tokens_per_second
            .iter()
            .all(|value| *value > 0.0),
        "{report:?}"
    );
    assert!(report.prompt_tokens[0] > 400, "{report:?}");
    let cut: Vec<_> = report
        .pictures
        .iter()
        .map(|picture| (picture.used.rows, picture.used.columns))
        .collect();
    assert_eq!(cut, [(1, 1), (2, 2)]);
    assert!(report.pictures[1].used.tokens > report.pictures[0].used.tokens);
    assert!(
        engine_pids().is_empty(),
        "the engine ends with the benchmark"
    );
    let error = bench(config("nothing-here".into()), 1, |_| {})
        .await
        .unwrap_err();
    assert!(error.is_bad_input(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_cannot_be_loaded_are_a_sentence_each() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str, spoil: &dyn Fn(&Path)| {
        let target = folder.path().join(name);
        std::fs::create_dir(&target).unwrap();
        for entry in std::fs::read_dir(resources().join("demo-model"))
            .unwrap()
            .flatten()
        {
            std::fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
        }
        spoil(&target);
        target
    };
    let cut = |path: &Path| {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(path.join("model.safetensors"))
            .unwrap();
        file.set_len(1 << 20).unwrap();
    };
    let cases = [
        copy("no-tokenizer", &|path| {
            std::fs::remove_file(path.join("tokenizer.json")).unwrap()
        }),
        copy("broken-json", &|path| {
            std::fs::write(path.join("config.json"), "{ not json").unwrap()
        }),
        copy("truncated", &cut),
        folder.path().join("nothing-here"),
    ];
    for model in cases {
        let name = model.file_name().unwrap().to_string_lossy().into_owned();
        let error = ask(config(model), question("Hi", &[]), |_| {
            std::ops::ControlFlow::Continue(())
        })
        .await
        .unwrap_err();
        let failure = error.failure();
        assert!(error.is_bad_input(), "{name}: {failure:?}");
        assert!(
            failure.message.ends_with('.') && !failure.next_step.is_empty(),
            "{name}: {failure:?}"
        );
        assert!(
            !failure.message.contains("panicked") && failure.message.len() < 300,
            "{name}: {failure:?}"
        );
        println!("{name}: {failure}");
    }
}
