//! The store on a real disk: turns, drafts, search, pictures, crashes, upgrades, and its speed with many chats.

#![allow(clippy::unwrap_used)] // helpers of tests, too

use std::path::Path;
use std::time::{Duration, Instant};

use paddock_conversation::{
    Attachment, ConversationId, Failure, FinishReason, ImageId, ImageReceipt, ImageRef, ImageSize,
    Message, MessageId, MessageStatus, ModelId, ModelLabel, Part, Timings, Usage,
};
use paddock_store::{Answer, Blobs, NewAnswer, NewQuestion, Rendition, Store, StoreError};

fn open(folder: &Path) -> Store {
    Store::open(folder).unwrap()
}

fn text(text: &str) -> Part {
    Part::Text { text: text.into() }
}

fn picture(store: &Store, seed: u32) -> Part {
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

fn label() -> ModelLabel {
    ModelLabel {
        id: ModelId::demo(),
        name: "Demo".into(),
        quant: "none".into(),
        place: "this computer".into(),
    }
}

/// Begins a turn; returns the ids of conversation, question and answer.
fn begin(
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

fn end(reason: FinishReason) -> Answer {
    Answer {
        reason,
        failure: None,
        model: None,
        usage: None,
        timings: None,
        receipts: vec![],
    }
}

#[test]
fn a_turn_comes_back_as_it_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let parts = vec![picture(&store, 1), picture(&store, 2), text("Which?")];
    let (conversation, question, answer) = begin(&store, None, None, parts.clone(), 10);
    store.append_text(answer, "The ", "hm").unwrap();
    store.append_text(answer, "second", " well").unwrap();
    let Part::Image { image } = &parts[1] else {
        panic!()
    };
    let receipt = ImageReceipt {
        id: image.id.clone(),
        seen: ImageSize::new(56, 56),
        rows: 1,
        columns: 1,
        planned_tokens: Some(4),
        tokens: 4,
        matches: true,
    };
    let done = Answer {
        usage: Some(Usage {
            prompt_tokens: 20,
            completion_tokens: 3,
        }),
        timings: Some(Timings {
            first_token_ms: 1.5,
            total_ms: 9.25,
        }),
        receipts: vec![receipt.clone()],
        ..end(FinishReason::Stop)
    };
    store.finish_answer(answer, ".", "", &done, 20).unwrap();
    drop(store);

    let store = open(folder.path());
    let messages = store.messages(conversation).unwrap();
    assert_eq!(
        (
            messages[0].id,
            &messages[0].parts,
            messages[0].created_at_ms
        ),
        (question, &parts, 10)
    );
    assert_eq!(messages[0].status, MessageStatus::Complete);
    let expected = Message {
        id: answer,
        conversation_id: conversation,
        parent: Some(question),
        role: paddock_conversation::Role::Assistant,
        parts: vec![text("The second.")],
        reasoning: Some("hm well".into()),
        created_at_ms: 10,
        status: MessageStatus::Finished {
            reason: FinishReason::Stop,
        },
        failure: None,
        model: Some(label()),
        usage: done.usage,
        timings: done.timings,
        receipts: vec![receipt],
    };
    assert_eq!(messages[1], expected);
    let (summary, leaf) = store.conversation(conversation).unwrap();
    assert_eq!(
        (
            summary.images,
            summary.updated_at_ms,
            summary.created_at_ms,
            leaf
        ),
        (2, 20, 10, Some(answer))
    );
}

#[test]
fn nothing_is_added_to_an_answer_that_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (_, _, answer) = begin(&store, None, None, vec![text("Hi")], 1);
    let failure = Failure::new("x", "It broke.", "Ask again.");
    let broken = Answer {
        failure: Some(failure.clone()),
        ..end(FinishReason::Failed)
    };
    store.finish_answer(answer, "Half", "", &broken, 2).unwrap();
    store.append_text(answer, " more", "").unwrap();
    let message = store.message(answer).unwrap();
    assert_eq!(
        (message.text().as_str(), message.failure),
        ("Half", Some(failure))
    );
    assert!(matches!(
        store.finish_answer(MessageId::random(), "", "", &broken, 3),
        Err(StoreError::NoMessage(_))
    ));
}

#[test]
fn a_turn_is_kept_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (first, _, answer) = begin(&store, None, None, vec![text("One")], 1);
    let (second, question, _) = begin(&store, None, None, vec![text("Two")], 1);
    // The parent is of another conversation.
    let stray = NewQuestion {
        id: MessageId::random(),
        parent: Some(answer),
        parts: vec![text("Lost")],
    };
    let reply = NewAnswer {
        id: MessageId::random(),
        parent: stray.id,
        model: None,
    };
    assert!(matches!(
        store.begin_turn(second, None, Some(&stray), &reply, 2),
        Err(StoreError::WrongConversation(id)) if id == answer
    ));
    // The picture was never taken in.
    let image = ImageRef {
        id: ImageId::from_digest([7; 32]),
        name: "x".into(),
        size: ImageSize::new(1, 1),
        alt: None,
    };
    let unknown = NewQuestion {
        id: MessageId::random(),
        parent: None,
        parts: vec![Part::Image { image }],
    };
    let reply = NewAnswer {
        id: MessageId::random(),
        parent: unknown.id,
        model: None,
    };
    let fresh = ConversationId::random();
    assert!(
        store
            .begin_turn(fresh, Some("New"), Some(&unknown), &reply, 2)
            .is_err()
    );
    assert!(matches!(
        store.conversation(fresh),
        Err(StoreError::NoConversation(_))
    ));
    assert_eq!(
        (
            store.messages(first).unwrap().len(),
            store.messages(second).unwrap().len()
        ),
        (2, 2)
    );
    // Another answer to an old question needs no new question.
    let again = NewAnswer {
        id: MessageId::random(),
        parent: question,
        model: None,
    };
    store.begin_turn(second, None, None, &again, 3).unwrap();
    assert_eq!(store.conversation(second).unwrap().1, Some(again.id));
    assert!(matches!(
        store.select_leaf(first, again.id),
        Err(StoreError::WrongConversation(_))
    ));
}

#[test]
fn an_answer_cut_off_by_the_end_of_the_process_is_interrupted_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (conversation, _, answer) = begin(&store, None, None, vec![text("Hi")], 1);
    store.append_text(answer, "Once upon a zebra", "").unwrap();
    drop(store);
    let store = open(folder.path());
    let message = store.message(answer).unwrap();
    assert_eq!(
        message.status,
        MessageStatus::Finished {
            reason: FinishReason::Interrupted
        }
    );
    assert_eq!(message.text(), "Once upon a zebra");
    assert_eq!(
        store.list_conversations(Some("zebra")).unwrap()[0].id,
        conversation
    );
}

#[test]
fn search_finds_any_part_of_titles_and_texts_in_any_script() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (a, _, answer) = begin(
        &store,
        None,
        None,
        vec![text("Was kostet ein Brötchen?")],
        1,
    );
    store
        .finish_answer(
            answer,
            "Ungefähr 50 % mehr, \"sagt\" man. 这是一只猫",
            "",
            &end(FinishReason::Stop),
            2,
        )
        .unwrap();
    let (b, _, answer) = begin(&store, None, None, vec![text("Unrelated")], 3);
    store
        .finish_answer(answer, "", "", &end(FinishReason::Stop), 4)
        .unwrap();
    store.rename_conversation(b, "Holiday in Ystad").unwrap();
    let find = |query: &str| -> Vec<ConversationId> {
        store
            .list_conversations(Some(query))
            .unwrap()
            .iter()
            .map(|summary| summary.id)
            .collect()
    };
    for query in [
        "brötchen",
        "BROTCHEN",
        "ötch",
        "50 %",
        "\"sagt\"",
        "一只猫",
        "只猫",
        "kostet mehr",
        "ei",
    ] {
        assert_eq!(find(query), [a], "{query}");
    }
    assert_eq!(find("ystad hol"), [b]);
    assert_eq!(
        find("A title"),
        [a],
        "the old title is forgotten with the rename"
    );
    for query in ["zebra", "kostet ystad", "100 %", "NOT", "*", "a OR b"] {
        assert_eq!(find(query), [], "{query}");
    }
    assert_eq!(find("  "), [b, a], "newest first");
    store.delete_conversation(a, 5).unwrap();
    assert_eq!(find("kostet"), []);
}

#[test]
fn deleted_conversations_come_back_until_they_are_removed_with_their_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (shared, lonely, drafted) = (picture(&store, 1), picture(&store, 2), picture(&store, 3));
    let id = |part: &Part| match part {
        Part::Image { image } => image.id.clone(),
        Part::Text { .. } => panic!(),
    };
    let (gone, ..) = begin(&store, None, None, vec![shared.clone(), lonely.clone()], 10);
    let (stays, ..) = begin(&store, None, None, vec![shared.clone()], 10);
    store.save_draft(Some(stays), "", &[id(&drafted)]).unwrap();
    store.delete_conversation(gone, 100).unwrap();
    assert!(matches!(
        store.conversation(gone),
        Err(StoreError::NoConversation(_))
    ));
    store.purge_deleted(100).unwrap();
    assert_eq!(store.restore_conversation(gone).unwrap().images, 2);
    store.delete_conversation(gone, 100).unwrap();
    store.purge_deleted(101).unwrap();
    assert!(matches!(
        store.restore_conversation(gone),
        Err(StoreError::NoConversation(_))
    ));
    let blobs = store.blobs();
    assert!(blobs.contains(&id(&shared), Rendition::Original));
    assert!(blobs.contains(&id(&drafted), Rendition::Original));
    assert!(matches!(
        blobs.read(&id(&lonely), Rendition::Original),
        Err(StoreError::NoImage(_))
    ));
}

#[test]
fn drafts_documents_and_models_survive() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let part = picture(&store, 5);
    let Part::Image { image } = part else {
        panic!()
    };
    let (conversation, ..) = begin(&store, None, None, vec![text("Hi")], 1);
    store
        .save_draft(
            None,
            "new",
            &[image.id.clone(), ImageId::from_digest([9; 32])],
        )
        .unwrap();
    store.save_draft(Some(conversation), "old", &[]).unwrap();
    store.save_draft(Some(conversation), "older", &[]).unwrap();
    store
        .put_document("settings", 1, &serde_json::json!({"a": 1}))
        .unwrap();
    store
        .put_document("settings", 2, &serde_json::json!({"a": 2}))
        .unwrap();
    store.add_local_model("/m/ä #1", 1).unwrap();
    store.add_local_model("/m/b", 2).unwrap();
    store.add_local_model("/m/b", 3).unwrap();
    store.forget_local_model("/m/c").unwrap();
    drop(store);
    let store = open(folder.path());
    let draft = store.load_draft(None).unwrap();
    assert_eq!(
        (draft.text.as_str(), draft.images.len()),
        ("new", 1),
        "a picture that is gone is left out"
    );
    assert_eq!(store.load_draft(Some(conversation)).unwrap().text, "older");
    assert_eq!(
        store.document("settings").unwrap(),
        Some((2, serde_json::json!({"a": 2})))
    );
    assert_eq!(store.document("nothing").unwrap(), None);
    assert_eq!(store.local_models().unwrap(), ["/m/ä #1", "/m/b"]);
    // What is sent is no draft any more.
    begin(&store, Some(conversation), None, vec![text("older")], 2);
    assert_eq!(store.load_draft(Some(conversation)).unwrap().text, "");
    begin(&store, None, None, vec![text("new")], 2);
    assert_eq!(store.load_draft(None).unwrap().text, "");
}

#[test]
fn a_picture_is_stored_once_and_a_changed_one_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = b"pixels".repeat(100);
    let id = Blobs::id_of(&bytes);
    assert_eq!(id.as_str().len(), 64);
    store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
    store.blobs().put(&id, Rendition::Original, &bytes).unwrap();
    store.blobs().put(&id, Rendition::Thumb, b"small").unwrap();
    store
        .blobs()
        .put(&id, Rendition::Thumb, b"smaller")
        .unwrap();
    assert_eq!(store.blobs().read(&id, Rendition::Original).unwrap(), bytes);
    assert_eq!(
        store.blobs().read(&id, Rendition::Thumb).unwrap(),
        b"smaller"
    );
    let place = folder
        .path()
        .join("pictures")
        .join(&id.as_str()[..2])
        .join(&id.as_str()[2..]);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 2);
    assert_eq!(
        std::fs::read_dir(folder.path().join("pictures/tmp"))
            .unwrap()
            .count(),
        0
    );
    std::fs::write(place.join("original"), b"other").unwrap();
    assert!(matches!(
        store.blobs().read(&id, Rendition::Original),
        Err(StoreError::ImageChanged(_))
    ));
}

#[test]
fn one_process_owns_the_folder_and_a_newer_schema_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(matches!(Store::open(folder.path()), Err(StoreError::InUse)));
    drop(store);
    drop(open(folder.path()));
    let database = rusqlite::Connection::open(folder.path().join("paddock.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    assert!(matches!(
        Store::open(folder.path()),
        Err(StoreError::TooNew { found: 99, .. })
    ));
}

/// A database that schema 1 wrote, as a text that anybody can read. A released fixture is never edited.
#[test]
fn a_database_of_schema_1_opens_with_everything_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = rusqlite::Connection::open(folder.path().join("paddock.db")).unwrap();
    database
        .execute_batch(include_str!("fixtures/schema1.sql"))
        .unwrap();
    drop(database);
    let store = open(folder.path());
    let all = store.list_conversations(None).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].title.as_str(), all[0].images, all[0].updated_at_ms),
        ("What is this?", 1, 1_700_000_005_000)
    );
    let messages = store.messages(all[0].id).unwrap();
    assert_eq!(
        messages[0].images().next().unwrap().size,
        ImageSize::new(300, 400)
    );
    assert_eq!(messages[1].text(), "A red circle.");
    assert_eq!(messages[1].receipts[0].tokens, 20);
    assert_eq!(messages[1].usage.unwrap().prompt_tokens, 40);
    assert_eq!(
        messages[2].status,
        MessageStatus::Finished {
            reason: FinishReason::Interrupted
        }
    );
    assert_eq!(messages[2].failure, None);
    assert_eq!(
        store.load_draft(Some(all[0].id)).unwrap().images[0].name,
        "photo.jpg"
    );
    assert_eq!(
        store.document("settings").unwrap().unwrap().1["theme"],
        "dark"
    );
    assert_eq!(store.local_models().unwrap(), ["/models/small"]);
    assert_eq!(
        store.list_conversations(Some("red circle")).unwrap().len(),
        1
    );
}

#[test]
fn five_hundred_chats_with_five_pictures_each_are_listed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let pictures: Vec<_> = (0..50).map(|seed| picture(&store, seed)).collect();
    let mut last = None;
    for number in 0..500_usize {
        let mut parts: Vec<_> = (0..5)
            .map(|i| pictures[(number * 3 + i) % 50].clone())
            .collect();
        parts.push(text(&format!(
            "Question {number} about something long enough to be worth a search"
        )));
        let (conversation, _, answer) = begin(&store, None, None, parts, number as u64);
        store
            .finish_answer(
                answer,
                &"word ".repeat(60),
                "",
                &end(FinishReason::Stop),
                number as u64,
            )
            .unwrap();
        let (_, _, answer) = begin(
            &store,
            Some(conversation),
            Some(answer),
            vec![text("And?")],
            number as u64,
        );
        store
            .finish_answer(answer, "Yes.", "", &end(FinishReason::Stop), number as u64)
            .unwrap();
        last = Some(conversation);
    }
    drop(store);
    let opening = Instant::now();
    let store = open(folder.path());
    let all = store.list_conversations(None).unwrap();
    let listed = opening.elapsed();
    assert_eq!(all.len(), 500);
    assert!(all.iter().all(|summary| summary.images == 5));
    let switching = Instant::now();
    assert_eq!(store.messages(last.unwrap()).unwrap().len(), 4);
    let switched = switching.elapsed();
    let searching = Instant::now();
    assert_eq!(
        store
            .list_conversations(Some("question 499"))
            .unwrap()
            .len(),
        1
    );
    let searched = searching.elapsed();
    println!("opened and listed in {listed:?}, switched in {switched:?}, searched in {searched:?}");
    assert!(listed < Duration::from_millis(200), "{listed:?}");
    assert!(switched < Duration::from_millis(100), "{switched:?}");
    assert!(searched < Duration::from_millis(200), "{searched:?}");
    let size = std::fs::metadata(folder.path().join("paddock.db"))
        .unwrap()
        .len();
    assert!(
        size < 8 << 20,
        "the database holds references only, but has {size} bytes"
    );
}
