//! The use cases on a real store and a real process, the engine driven by hand: what a user would see of each turn.

#![allow(clippy::unwrap_used)] // helpers of tests, too

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paddock_chat::{
    AskConfig, AskRequest, AttachOutcome, Chat, ChatConfig, GenerationEvent, Phase, PictureForm,
    SendRequest, Settings, TurnOutcome, ask,
};
use paddock_conversation::{
    Attachment, ConversationId, FinishReason, GenerationId, ImageSize, Message, MessageId,
    MessageStatus, ModelId, ModelLabel, Part,
};
use paddock_devices::DevicePreference;
use paddock_inference::EngineState;
use paddock_tests::fake_engine::{Exchange, FakeEngine, is_alive, kill, pids, program};
use serde_json::{Value, json};

type Events = Arc<Mutex<Vec<GenerationEvent>>>;
type Sent = tokio::task::JoinHandle<Result<TurnOutcome, paddock_chat::ChatError>>;

fn resources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/resources")
}

async fn open(folder: &Path, engine_program: &Path) -> Chat {
    Chat::open(ChatConfig {
        data_folder: folder.join("data"),
        engine_program: engine_program.to_owned(),
        demo_model: resources().join("demo-model"),
        samples_folder: resources().join("samples"),
    })
    .await
    .unwrap()
}

struct Scene {
    folder: tempfile::TempDir,
    fake: FakeEngine,
    chat: Chat,
}

async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeEngine::start().await;
    let chat = open(folder.path(), &fake.program(folder.path())).await;
    Scene { folder, fake, chat }
}

fn request(text: &str) -> SendRequest {
    SendRequest {
        generation: GenerationId::random(),
        conversation: None,
        parent: None,
        text: text.into(),
        images: vec![],
    }
}

fn after(turn: &TurnOutcome, text: &str) -> SendRequest {
    SendRequest {
        conversation: Some(turn.conversation.id),
        parent: Some(turn.assistant.id),
        ..request(text)
    }
}

fn send(chat: &Chat, request: SendRequest) -> (Sent, Events) {
    let events = Events::default();
    let (chat, sink) = (chat.clone(), events.clone());
    let sent = tokio::spawn(async move {
        chat.send(
            request,
            Arc::new(move |event| sink.lock().unwrap().push(event)),
        )
        .await
    });
    (sent, events)
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came true: {what}");
}

fn deltas(events: &Events) -> String {
    let events = events.lock().unwrap();
    events
        .iter()
        .filter_map(|event| match event {
            GenerationEvent::Delta { text } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

fn finished(message: &Message) -> FinishReason {
    match message.status {
        MessageStatus::Finished { reason } => reason,
        other => panic!("{other:?}"),
    }
}

async fn answer(mut exchange: Exchange, text: &str) {
    exchange.begin().await;
    exchange.text(text).await;
    exchange.finish("stop", (10, 2), &json!({})).await;
}

async fn turn(scene: &mut Scene, request: SendRequest, text: &str) -> TurnOutcome {
    let (sent, _) = send(&scene.chat, request);
    answer(scene.fake.next().await, text).await;
    sent.await.unwrap().unwrap()
}

/// A picture of one colour; every shade is another picture.
fn png(size: (u32, u32), shade: u8) -> Vec<u8> {
    let picture = image::RgbImage::from_pixel(size.0, size.1, image::Rgb([shade, 40, 80]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

async fn attach(chat: &Chat, name: &str, bytes: Vec<u8>) -> Attachment {
    match chat.attach(name.into(), bytes).await {
        AttachOutcome::Attached { attachment } => attachment,
        AttachOutcome::Refused { failure, .. } => panic!("{failure}"),
    }
}

#[tokio::test]
async fn a_question_is_answered_shown_and_kept() {
    let mut s = scene().await;
    let (sent, events) = send(&s.chat, request("  What is a horse?  "));
    let mut exchange = s.fake.next().await;
    assert_eq!(
        exchange.body["messages"],
        json!([{"role": "user", "content": "What is a horse?"}])
    );
    assert!(
        exchange
            .header("authorization")
            .is_some_and(|value| value.len() == "Bearer ".len() + 64)
    );
    exchange.begin().await;
    exchange
        .event(&json!({"paddock": {"progress": {"stage": "reading_prompt", "tokens": 10}}}))
        .await;
    exchange.text("An ").await;
    until("the first words are shown", || deltas(&events) == "An ").await;
    exchange.text("animal.").await;
    exchange
        .finish(
            "stop",
            (10, 3),
            &json!({"timings": {"first_token_ms": 1.0, "total_ms": 2.0}}),
        )
        .await;
    let outcome = sent.await.unwrap().unwrap();

    assert_eq!(outcome.conversation.title, "What is a horse?");
    assert_eq!(outcome.assistant.text(), "An animal.");
    assert_eq!(finished(&outcome.assistant), FinishReason::Stop);
    assert_eq!(outcome.assistant.usage.unwrap().completion_tokens, 3);
    assert_eq!(outcome.assistant.timings.unwrap().total_ms, 2.0);
    assert_eq!(
        outcome.assistant.model.as_ref().unwrap().place,
        "this computer"
    );
    {
        let events = events.lock().unwrap();
        let GenerationEvent::Started {
            user, assistant, ..
        } = &events[0]
        else {
            panic!("{events:?}")
        };
        assert_eq!(user.as_ref().unwrap().text(), "What is a horse?");
        assert_eq!(assistant.status, MessageStatus::Generating);
        let phases: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                // Told only if it takes a moment.
                GenerationEvent::Phase {
                    phase: Phase::LoadingModel,
                } => None,
                GenerationEvent::Phase { phase } => Some(*phase),
                _ => None,
            })
            .collect();
        assert_eq!(
            phases,
            [Phase::ReadingPrompt { tokens: 10 }, Phase::Generating]
        );
    }
    assert_eq!(deltas(&events), "An animal.");
    let view = s
        .chat
        .open_conversation(outcome.conversation.id)
        .await
        .unwrap();
    assert_eq!(
        view.messages,
        [outcome.user.clone().unwrap(), outcome.assistant.clone()]
    );
    assert_eq!(view.active_leaf, Some(outcome.assistant.id));
    assert_eq!(
        s.chat
            .list_conversations(Some("ANIM".into()))
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn every_picture_of_every_turn_reaches_the_engine_in_order_and_leaves_a_receipt() {
    let mut s = scene().await;
    let one = attach(&s.chat, "one.png", png((56, 56), 1)).await;
    let two = attach(&s.chat, "two.png", png((112, 56), 2)).await;
    let plan = s
        .chat
        .plan_prompt(
            "Which?".into(),
            vec![one.id.clone(), two.id.clone()],
            None,
            None,
        )
        .await
        .unwrap();
    assert_eq!(plan.refusal, None);
    assert_eq!(plan.images.len(), 2);
    assert!(
        plan.images[0].exact && plan.images[1].grid.columns == 2,
        "{plan:?}"
    );
    let planned: Vec<_> = plan.images.iter().map(|image| image.tokens).collect();
    assert!(plan.prompt_tokens_estimate > planned.iter().sum());

    let asked = SendRequest {
        images: vec![one.id.clone(), two.id.clone()],
        ..request("Which is wider?")
    };
    let (sent, _) = send(&s.chat, asked);
    let mut exchange = s.fake.next().await;
    let parts = exchange.body["messages"][0]["content"]
        .as_array()
        .unwrap()
        .clone();
    let sizes: Vec<_> = parts.iter().take(2).map(size_of_part).collect();
    assert_eq!(sizes, [(56, 56), (112, 56)]);
    assert_eq!(parts[2]["text"], "Which is wider?");
    exchange.begin().await;
    exchange.text("The second.").await;
    let used = |tokens: u32, width: u32, columns: u32| json!({"width_px": width, "height_px": 56, "rows": 1, "columns": columns, "tokens": tokens});
    let images = json!({"images": [used(planned[0], 56, 1), used(planned[1] + 1, 112, 2)]});
    exchange.finish("stop", (50, 2), &images).await;
    let first = sent.await.unwrap().unwrap();
    let receipts = &first.assistant.receipts;
    assert_eq!(
        (receipts[0].matches, receipts[1].matches),
        (true, false),
        "{receipts:?}"
    );
    assert_eq!(receipts[1].planned_tokens, Some(planned[1]));
    assert_eq!(receipts[1].seen, ImageSize::new(112, 56));
    assert_eq!(first.conversation.images, 2);

    // The second question brings a third picture; the model sees all three, the old ones first.
    let three = attach(&s.chat, "three.png", png((56, 112), 3)).await;
    let (sent, _) = send(
        &s.chat,
        SendRequest {
            images: vec![three.id],
            ..after(&first, "And this?")
        },
    );
    let exchange = s.fake.next().await;
    let messages = exchange.body["messages"].as_array().unwrap().clone();
    assert_eq!(messages.len(), 3);
    assert_eq!(size_of_part(&messages[0]["content"][1]), (112, 56));
    assert_eq!(size_of_part(&messages[2]["content"][0]), (56, 112));
    answer(exchange, "It is tall.").await;
    let second = sent.await.unwrap().unwrap();
    assert_eq!(second.assistant.receipts.len(), 3);
    assert!(
        second
            .assistant
            .receipts
            .iter()
            .all(|receipt| !receipt.matches),
        "the engine used none of them"
    );
}

fn size_of_part(part: &Value) -> (u32, u32) {
    use base64::Engine as _;
    let url = part["image_url"]["url"].as_str().unwrap();
    let data = url.strip_prefix("data:image/png;base64,").unwrap();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(data)
        .unwrap();
    let picture = image::load_from_memory(&bytes).unwrap();
    (picture.width(), picture.height())
}

#[tokio::test]
async fn stopping_keeps_the_partial_answer_and_frees_the_engine() {
    let mut s = scene().await;
    let asked = request("Tell me a story");
    let generation = asked.generation;
    let (sent, events) = send(&s.chat, asked);
    let mut exchange = s.fake.next().await;
    exchange.begin().await;
    exchange.text("Once upon").await;
    until("words are shown", || deltas(&events) == "Once upon").await;
    s.chat.cancel(generation);
    exchange.closed().await;
    let outcome = sent.await.unwrap().unwrap();
    assert_eq!(finished(&outcome.assistant), FinishReason::Cancelled);
    assert_eq!(
        (
            outcome.assistant.text().as_str(),
            &outcome.assistant.failure
        ),
        ("Once upon", &None)
    );
    // The next question works and builds on what was kept.
    let (sent, _) = send(&s.chat, after(&outcome, "Go on"));
    let exchange = s.fake.next().await;
    assert_eq!(
        exchange.body["messages"][1],
        json!({"role": "assistant", "content": "Once upon"})
    );
    answer(exchange, " a time").await;
    assert_eq!(
        finished(&sent.await.unwrap().unwrap().assistant),
        FinishReason::Stop
    );
}

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
        .args(["--exact", "an_app_that_will_be_killed", "--ignored"])
        .env(CHILD_FOLDER, folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut exchange = fake.next().await;
    exchange.begin().await;
    exchange.text("Once upon").await;
    // A little longer than the time between two writes.
    tokio::time::sleep(Duration::from_millis(700)).await;
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

#[tokio::test]
async fn answering_again_and_editing_make_branches_and_lose_nothing() {
    let mut s = scene().await;
    let first = turn(&mut s, request("Name a fruit"), "Apple").await;
    let sink = || Arc::new(|_: GenerationEvent| {});

    let chat = s.chat.clone();
    let (message, generation) = (first.assistant.id, GenerationId::random());
    let again = tokio::spawn(async move { chat.regenerate(message, generation, sink()).await });
    let exchange = s.fake.next().await;
    assert_eq!(
        exchange.body["messages"],
        json!([{"role": "user", "content": "Name a fruit"}])
    );
    answer(exchange, "Pear").await;
    let again = again.await.unwrap().unwrap();
    assert!(again.user.is_none() && again.assistant.parent == first.assistant.parent);

    let chat = s.chat.clone();
    let message = first.user.as_ref().unwrap().id;
    let edit = tokio::spawn(async move {
        chat.edit(message, request("Name a vegetable"), sink())
            .await
    });
    answer(s.fake.next().await, "Leek").await;
    let edit = edit.await.unwrap().unwrap();
    assert_eq!(edit.conversation.id, first.conversation.id);
    assert_eq!(edit.conversation.title, "Name a fruit");

    let view = s
        .chat
        .open_conversation(first.conversation.id)
        .await
        .unwrap();
    let texts: Vec<_> = view.messages.iter().map(Message::text).collect();
    assert_eq!(
        texts,
        ["Name a fruit", "Apple", "Pear", "Name a vegetable", "Leek"]
    );
    assert_eq!(view.active_leaf, Some(edit.assistant.id));
    // Choosing the first question again shows its newest answer.
    let view = s
        .chat
        .select_branch(view.summary.id, message)
        .await
        .unwrap();
    assert_eq!(view.active_leaf, Some(again.assistant.id));
    // An answer is no question.
    let error = s
        .chat
        .edit(first.assistant.id, request("x"), sink())
        .await
        .unwrap_err();
    assert_eq!(error.failure().code, "wrongRole");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_before_anything_is_written() {
    let s = scene().await;
    let code =
        |result: Result<TurnOutcome, paddock_chat::ChatError>| result.unwrap_err().failure().code;
    assert_eq!(
        code(send(&s.chat, request("  \n ")).0.await.unwrap()),
        "nothingToSend"
    );

    s.chat
        .update_settings(Settings {
            context_tokens: Some(256),
            ..Settings::default()
        })
        .await
        .unwrap();
    let long = "words and words ".repeat(400);
    let plan = s
        .chat
        .plan_prompt(long.clone(), vec![], None, None)
        .await
        .unwrap();
    assert_eq!(plan.refusal.unwrap().code, "contextTooSmall");
    assert_eq!(plan.context_tokens, 256);
    assert_eq!(
        code(send(&s.chat, request(&long)).0.await.unwrap()),
        "contextTooSmall"
    );

    let strange = SendRequest {
        conversation: Some(ConversationId::random()),
        ..request("Hi")
    };
    assert_eq!(
        code(send(&s.chat, strange).0.await.unwrap()),
        "noConversation"
    );
    let orphan = SendRequest {
        parent: Some(MessageId::random()),
        ..request("Hi")
    };
    assert!(send(&s.chat, orphan).0.await.unwrap().is_err());
    assert_eq!(s.chat.list_conversations(None).await.unwrap(), []);
    assert!(
        s.fake.is_idle() && pids(s.folder.path()).is_empty(),
        "no engine was started for it"
    );
}

#[tokio::test]
async fn one_answer_at_a_time_in_a_conversation() {
    let mut s = scene().await;
    let first = turn(&mut s, request("One"), "1").await;
    let (sent, _) = send(&s.chat, after(&first, "Two"));
    let exchange = s.fake.next().await;
    let error = send(&s.chat, after(&first, "Three"))
        .0
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.failure().code, "busy");
    answer(exchange, "2").await;
    sent.await.unwrap().unwrap();
}

#[tokio::test]
async fn pictures_are_kept_once_shown_in_every_form_and_survive_a_restart() {
    let mut s = scene().await;
    let bytes = png((300, 200), 9);
    let picture = attach(&s.chat, "photo.png", bytes.clone()).await;
    let same = attach(&s.chat, "copy.png", bytes).await;
    assert_eq!((&picture.id, same.name.as_str()), (&same.id, "copy.png"));
    assert_eq!(
        (picture.format.as_str(), picture.stored, picture.upright),
        ("PNG", ImageSize::new(300, 200), ImageSize::new(300, 200))
    );

    let sizes = |bytes: &[u8]| {
        image::load_from_memory(bytes)
            .map(|picture| (picture.width(), picture.height()))
            .unwrap()
    };
    let full = s
        .chat
        .picture(picture.id.clone(), PictureForm::Full)
        .await
        .unwrap();
    assert_eq!((full.mime, sizes(&full.bytes)), ("image/png", (300, 200)));
    let thumb = s
        .chat
        .picture(picture.id.clone(), PictureForm::Thumb)
        .await
        .unwrap();
    assert_eq!(
        (thumb.mime, sizes(&thumb.bytes)),
        ("image/jpeg", (300, 200))
    );
    // The upright copy and the thumbnail are made again if they are lost.
    let place = s.folder.path().join("data/pictures");
    let place = place
        .join(&picture.id.as_str()[..2])
        .join(&picture.id.as_str()[2..]);
    for derived in ["upright.png", "thumb.jpg"] {
        std::fs::remove_file(place.join(derived)).unwrap();
    }
    for (form, before) in [(PictureForm::Full, &full), (PictureForm::Thumb, &thumb)] {
        let again = s.chat.picture(picture.id.clone(), form).await.unwrap();
        assert_eq!(again.bytes, before.bytes);
    }
    let plan = s
        .chat
        .plan_prompt(String::new(), vec![picture.id.clone()], None, None)
        .await
        .unwrap();
    let seen = s
        .chat
        .picture(picture.id.clone(), PictureForm::Seen)
        .await
        .unwrap();
    let canvas = plan.images[0].canvas;
    assert_eq!(sizes(&seen.bytes), (canvas.width_px, canvas.height_px));

    let asked = SendRequest {
        images: vec![picture.id.clone()],
        ..request("What is it?")
    };
    let outcome = turn(&mut s, asked, "A picture.").await;
    s.chat
        .save_draft(
            Some(outcome.conversation.id),
            "half a thou".into(),
            vec![picture.id.clone()],
        )
        .await
        .unwrap();
    s.chat
        .save_draft(None, "a new idea".into(), vec![])
        .await
        .unwrap();
    s.chat.shutdown().await;
    drop(s.chat);

    let chat = open(s.folder.path(), &s.fake.program(s.folder.path())).await;
    let view = chat
        .open_conversation(outcome.conversation.id)
        .await
        .unwrap();
    let Part::Image { image } = &view.messages[0].parts[0] else {
        panic!("{view:?}")
    };
    assert_eq!(
        (&image.id, image.size),
        (&picture.id, ImageSize::new(300, 200))
    );
    assert_eq!(
        chat.picture(picture.id.clone(), PictureForm::Full)
            .await
            .unwrap()
            .bytes,
        full.bytes
    );
    assert_eq!(
        (view.draft.text.as_str(), view.draft.images[0].id.clone()),
        ("half a thou", picture.id)
    );
    assert_eq!(chat.load_draft(None).await.unwrap().text, "a new idea");
}

#[tokio::test]
async fn files_that_are_no_pictures_are_refused_with_a_sentence_and_nothing_is_kept() {
    let s = scene().await;
    let mut cut = png((400, 400), 1);
    for (byte, noise) in (0u32..).zip(cut.iter_mut().skip(60)) {
        *noise ^= (byte % 7) as u8;
    }
    let whole = png((64, 64), 1);
    let cases = [
        ("empty.png", Vec::new()),
        ("text.png", b"Dear diary, this is not a picture.".to_vec()),
        ("cut.png", whole[..whole.len() / 2].to_vec()),
        ("noise.png", cut),
    ];
    for (name, bytes) in cases {
        match s.chat.attach(name.into(), bytes).await {
            AttachOutcome::Refused {
                name: refused,
                failure,
            } => {
                assert_eq!(refused, name);
                assert!(
                    failure.code.starts_with("image") && failure.message.ends_with('.'),
                    "{failure:?}"
                );
                assert!(
                    !failure.code.contains('_') && !failure.next_step.is_empty(),
                    "{failure:?}"
                );
            }
            AttachOutcome::Attached { .. } => panic!("{name} was taken"),
        }
    }
    for (path, code) in [
        (s.folder.path().join("nothing here.png"), "fileNotFound"),
        (s.folder.path().to_owned(), "folder"),
    ] {
        let AttachOutcome::Refused { failure, .. } = s.chat.attach_file(path).await else {
            panic!()
        };
        assert_eq!(failure.code, code);
    }
    for name in ["../demo-model/config", "nothing", ""] {
        let AttachOutcome::Refused { failure, .. } = s.chat.attach_sample(name.into()).await else {
            panic!()
        };
        assert_eq!(failure.code, "noSample");
    }
    for name in ["red-circle", "square-and-star", "shapes"] {
        assert!(
            matches!(
                s.chat.attach_sample(name.into()).await,
                AttachOutcome::Attached { .. }
            ),
            "{name}"
        );
    }
}

#[tokio::test]
async fn deleting_hides_and_undo_brings_back() {
    let mut s = scene().await;
    let id = turn(&mut s, request("Keep me"), "Yes")
        .await
        .conversation
        .id;
    s.chat.delete_conversation(id).await.unwrap();
    assert_eq!(s.chat.list_conversations(None).await.unwrap(), []);
    assert_eq!(
        s.chat
            .open_conversation(id)
            .await
            .unwrap_err()
            .failure()
            .code,
        "noConversation"
    );
    assert_eq!(
        s.chat.restore_conversation(id).await.unwrap().title,
        "Keep me"
    );
    assert_eq!(
        s.chat
            .rename_conversation(id, "  Kept \n well ".into())
            .await
            .unwrap()
            .title,
        "Kept well"
    );
    assert_eq!(
        s.chat
            .list_conversations(Some("kept WELL".into()))
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        s.chat
            .list_conversations(Some("keep me".into()))
            .await
            .unwrap()
            .len(),
        1,
        "the question is still found"
    );
    assert_eq!(
        s.chat
            .list_conversations(Some("kept badly".into()))
            .await
            .unwrap()
            .len(),
        0
    );
    assert!(s.chat.rename_conversation(id, " ".into()).await.is_err());
}

#[tokio::test]
async fn settings_are_checked_and_survive_a_restart() {
    let s = scene().await;
    let wanted = Settings {
        temperature: 0.7,
        system_prompt: "Be brief.".into(),
        ..Settings::default()
    };
    assert_eq!(
        s.chat.update_settings(wanted.clone()).await.unwrap(),
        wanted
    );
    let error = s
        .chat
        .update_settings(Settings {
            temperature: 9.0,
            ..wanted.clone()
        })
        .await
        .unwrap_err();
    assert_eq!(error.failure().code, "settingOutOfRange");
    drop(s.chat);
    let program = s.fake.program(s.folder.path());
    let mut s = Scene {
        chat: open(s.folder.path(), &program).await,
        ..s
    };
    assert_eq!(s.chat.settings().await, wanted);
    let (sent, _) = send(&s.chat, request("Hi"));
    let exchange = s.fake.next().await;
    assert_eq!(
        exchange.body["messages"][0],
        json!({"role": "system", "content": "Be brief."})
    );
    answer(exchange, "Hello").await;
    sent.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_conversation_deleted_in_mid_answer_stops_the_answer() {
    let mut s = scene().await;
    let (sent, events) = send(&s.chat, request("Tell me a story"));
    let mut exchange = s.fake.next().await;
    exchange.begin().await;
    exchange.text("Once upon").await;
    until("words are shown", || deltas(&events) == "Once upon").await;
    let all = s.chat.list_conversations(None).await.unwrap();
    // The conversation is new, and already it takes no second question.
    let second = SendRequest {
        conversation: Some(all[0].id),
        ..request("And?")
    };
    let refused = send(&s.chat, second).0.await.unwrap().unwrap_err();
    assert_eq!(refused.failure().code, "busy");
    s.chat.delete_conversation(all[0].id).await.unwrap();
    exchange.closed().await;
    let _ = sent.await.unwrap();
    s.chat.restore_conversation(all[0].id).await.unwrap();
    let view = s.chat.open_conversation(all[0].id).await.unwrap();
    assert_eq!(view.messages[1].text(), "Once upon");
    assert_eq!(finished(&view.messages[1]), FinishReason::Cancelled);
}

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
    assert_eq!(s.chat.settings().await.model_id, added.id);

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
    assert_eq!(s.chat.settings().await.model_id, ModelId::demo());
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

#[tokio::test]
async fn an_engine_that_answers_without_having_seen_the_picture_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let mut fake = FakeEngine::start().await;
    let config = AskConfig {
        engine_program: fake.program(folder.path()),
        model: resources().join("demo-model"),
        model_label: ModelLabel {
            id: ModelId::demo(),
            name: "Demo".into(),
            quant: "none".into(),
            place: "this computer".into(),
        },
        device: DevicePreference::Auto,
        quant: "none".into(),
        context_tokens: None,
        threads: None,
    };
    let question = |images| AskRequest {
        question: "What is it?".into(),
        images,
        system_prompt: String::new(),
        temperature: 0.0,
        max_tokens: None,
    };
    let asked = question(vec![("a.png".to_owned(), png((56, 56), 1))]);
    let asked = tokio::spawn(ask(config.clone(), asked, |_| {}));
    let mut exchange = fake.next().await;
    exchange.begin().await;
    exchange.text("A cat, certainly.").await;
    exchange.finish("stop", (10, 2), &json!({})).await;
    let outcome = asked.await.unwrap().unwrap();
    assert_eq!(outcome.text, "A cat, certainly.");
    assert_eq!(outcome.finish_reason, FinishReason::Failed);
    assert_eq!(outcome.failure.unwrap().code, "imageNotUsed");

    let bad = question(vec![("b.png".to_owned(), b"no picture".to_vec())]);
    let error = ask(config.clone(), bad, |_| {}).await.unwrap_err();
    assert!(
        error.is_bad_input() && error.to_string().starts_with("b.png: "),
        "{error}"
    );
    assert_eq!(
        pids(folder.path()).len(),
        1,
        "no engine was started for a bad picture"
    );
}

#[tokio::test]
async fn the_data_folder_has_one_owner() {
    let s = scene().await;
    let second = Chat::open(ChatConfig {
        data_folder: s.folder.path().join("data"),
        engine_program: "x".into(),
        demo_model: "x".into(),
        samples_folder: "x".into(),
    })
    .await;
    assert_eq!(second.unwrap_err().failure().code, "inUse");
}
