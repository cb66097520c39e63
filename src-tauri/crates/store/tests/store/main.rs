//! The store on a real disk: turns, search, pictures, upgrades, speed; damage, crashes, full and read-only disks.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod damage;
mod disk;
mod kept;
mod kill;
mod schemas;
mod speed;
mod turns;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use paddock_conversation::{
    Attachment, ConversationId, Failure, FinishReason, ImageId, ImageReceipt, ImageRef, ImageSize,
    Message, MessageId, MessageStatus, ModelId, ModelLabel, Part, Timings, Usage,
};
use paddock_store::{Answer, Blobs, NewAnswer, NewQuestion, Rendition, Store, StoreError};

/// What the clock shows: 2026-11-28, 15:01:30.
pub const NOW_MS: u64 = 1_795_878_090_000;
pub const DAY_MS: u64 = 24 * 3600 * 1000;

/// A folder in memory where there is one: for tests that open hundreds of stores and in which no disk has a part.
pub fn quick_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

pub fn open(folder: &Path) -> Store {
    Store::open(folder, NOW_MS).unwrap()
}

pub fn text(text: &str) -> Part {
    Part::Text { text: text.into() }
}

pub fn picture(store: &Store, seed: u32) -> Part {
    let bytes = seed.to_le_bytes();
    let id = Blobs::id_of(&bytes);
    store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
    let size = ImageSize::new(30, 20);
    let attachment = Attachment {
        alt: None,
        pages: None,
        id: id.clone(),
        name: format!("{seed}.png"),
        format: "PNG".into(),
        stored: size.turned(),
        upright: size,
        bytes: 4,
        notes: vec!["Turned.".into()],
    };
    store.put_attachment(&attachment, 1).unwrap();
    assert_eq!(store.attachment(&id).unwrap(), attachment);
    Part::Image {
        image: ImageRef {
            id,
            name: attachment.name,
            size,
            alt: Some("alt".into()),
        },
    }
}

pub fn label() -> ModelLabel {
    ModelLabel {
        id: ModelId::demo(),
        name: "Demo".into(),
        quant: "none".into(),
        place: "this computer".into(),
    }
}

/// Begins a turn; returns the ids of conversation, question and answer.
pub fn begin(
    store: &Store,
    conversation: Option<ConversationId>,
    parent: Option<MessageId>,
    parts: Vec<Part>,
    now_ms: u64,
) -> (ConversationId, MessageId, MessageId) {
    let id = conversation.unwrap_or_else(ConversationId::random);
    let question = NewQuestion {
        id: MessageId::random(),
        parent,
        parts,
        from_composer: true,
    };
    let answer = NewAnswer {
        id: MessageId::random(),
        parent: question.id,
        model: Some(label()),
    };
    let title = conversation.is_none().then_some("A title");
    store
        .begin_turn(id, title, Some(&question), &answer, now_ms)
        .unwrap();
    (id, question.id, answer.id)
}

pub fn end(reason: FinishReason) -> Answer {
    Answer {
        reason,
        failure: None,
        model: None,
        usage: None,
        timings: None,
        receipts: vec![],
    }
}
