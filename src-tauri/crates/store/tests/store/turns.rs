//! Turns, search, drafts, documents.

use super::*;

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
        from_composer: true,
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
        from_composer: true,
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
fn an_edit_keeps_what_stands_in_the_composer() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (conversation, ..) = begin(&store, None, None, vec![text("Old")], 1);
    store
        .save_draft(Some(conversation), "half a thought", &[])
        .unwrap();
    store.save_draft(None, "another", &[]).unwrap();
    let edited = NewQuestion {
        id: MessageId::random(),
        parent: None,
        parts: vec![text("New")],
        from_composer: false,
    };
    let reply = NewAnswer {
        id: MessageId::random(),
        parent: edited.id,
        model: None,
    };
    store
        .begin_turn(conversation, None, Some(&edited), &reply, 2)
        .unwrap();
    let draft = |of| store.load_draft(of).unwrap().text;
    assert_eq!(draft(Some(conversation)), "half a thought");
    begin(&store, Some(conversation), None, vec![text("Sent")], 3);
    assert_eq!(draft(Some(conversation)), "");
    assert_eq!(draft(None), "another", "it stands in another composer");
}

#[test]
fn a_document_of_a_newer_paddock_is_kept_when_an_older_one_replaces_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let newer = serde_json::json!({"theme": "dark", "field of tomorrow": [1, 2]});
    store.put_document("settings", 5, &newer).unwrap();
    assert_eq!(
        store.document("settings").unwrap(),
        Some((5, newer.clone()))
    );
    assert_eq!(store.replaced_document("settings").unwrap(), None);
    let older = serde_json::json!({"theme": "light"});
    store.put_document("settings", 1, &older).unwrap();
    store.put_document("settings", 1, &older).unwrap();
    assert_eq!(store.document("settings").unwrap(), Some((1, older)));
    let (version, kept) = store.replaced_document("settings").unwrap().unwrap();
    assert_eq!(version, 5);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&kept).unwrap(),
        newer
    );
    // One that is no JSON any more is set aside, not met at each start.
    drop(store);
    let database = rusqlite::Connection::open(folder.path().join("paddock.db")).unwrap();
    database
        .execute("UPDATE document SET json = '{\"theme\": \"lig'", [])
        .unwrap();
    drop(database);
    let store = open(folder.path());
    assert_eq!(store.document("settings").unwrap(), None);
    drop(store);
    let database = rusqlite::Connection::open(folder.path().join("paddock.db")).unwrap();
    let kept: String = database
        .query_row(
            "SELECT json FROM document_replaced WHERE version = 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(kept, "{\"theme\": \"lig");
}
