//! The use cases on a real store and a real process, the engine driven by hand: what a user would see of each turn.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod breakage;
mod kept;
mod models;
mod pictures;
mod turns;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paddock_chat::{
    AskConfig, AskRequest, AttachOutcome, Chat, ChatConfig, GenerationEvent, Phase, PictureForm,
    SendRequest, TurnOutcome, ask,
};
use paddock_conversation::{
    Attachment, ConversationId, FinishReason, GenerationId, ImageSize, Message, MessageId,
    MessageStatus, ModelId, ModelLabel, Part,
};
use paddock_devices::DevicePreference;
use paddock_engines::EngineState;
use paddock_models::LoadChoice;
use paddock_settings::{Settings, SettingsChange};
use paddock_tests::fake_engine::{Exchange, FakeEngine, is_alive, kill, pids, program};
use serde_json::{Value, json};

type Events = Arc<Mutex<Vec<GenerationEvent>>>;
type Sent = tokio::task::JoinHandle<Result<TurnOutcome, paddock_chat::ChatError>>;

fn resources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/resources")
}

async fn open(folder: &Path, engine_program: &Path) -> Chat {
    Chat::open(ChatConfig {
        decoder_program: env!("CARGO_BIN_EXE_decode-worker").into(),
        data_folder: folder.join("data"),
        engine_program: engine_program.to_owned(),
        demo_model: resources().join("demo-model"),
        samples_folder: resources().join("samples"),
        model_places: paddock_models::ModelPlaces::default(),
        engine_builds: paddock_devices::EngineBuilds::default(),
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
        model: None,
    }
}

fn after(turn: &TurnOutcome, text: &str) -> SendRequest {
    SendRequest {
        conversation: Some(turn.assistant.conversation_id),
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
