//! Questions and answers as a user would see them.

use super::*;

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

    assert_eq!(
        outcome.conversation.as_ref().unwrap().title,
        "What is a horse?"
    );
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
        .open_conversation(outcome.assistant.conversation_id)
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
async fn answering_again_and_editing_make_branches_and_lose_nothing() {
    let mut s = scene().await;
    let first = turn(&mut s, request("Name a fruit"), "Apple").await;
    let sink = || Arc::new(|_: GenerationEvent| {});

    let chat = s.chat.clone();
    let (message, generation) = (first.assistant.id, GenerationId::random());
    let again =
        tokio::spawn(async move { chat.regenerate(message, generation, None, sink()).await });
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
    let here = Some(first.assistant.conversation_id);
    s.chat
        .save_draft(here, "half a question".into(), vec![])
        .await
        .unwrap();
    let edit = tokio::spawn(async move {
        chat.edit(message, request("Name a vegetable"), sink())
            .await
    });
    answer(s.fake.next().await, "Leek").await;
    let edit = edit.await.unwrap().unwrap();
    assert_eq!(
        s.chat.load_draft(here).await.unwrap().text,
        "half a question",
        "what stands in the composer was not what was sent"
    );
    assert_eq!(
        edit.assistant.conversation_id,
        first.assistant.conversation_id
    );
    assert_eq!(edit.conversation.as_ref().unwrap().title, "Name a fruit");

    let view = s
        .chat
        .open_conversation(first.assistant.conversation_id)
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

    let short = SettingsChange::LoadChoice {
        model: ModelId::demo(),
        value: LoadChoice {
            context_tokens: Some(256),
            ..LoadChoice::default()
        },
    };
    s.chat.change_settings(None, vec![short]).await.unwrap();
    // Of text nobody but the engine knows the length: it is told, and no reason to refuse.
    let long = "words and words ".repeat(400);
    let plan = s.chat.plan_prompt(long, vec![], None, None).await.unwrap();
    assert_eq!(plan.refusal, None);
    assert!(plan.prompt_tokens_estimate > plan.context_tokens);
    assert_eq!(plan.context_tokens, 256);
    // Pictures are counted to the token.
    let mut images = Vec::new();
    for shade in 0..16 {
        let picture = png((640, 640), shade * 16);
        images.push(attach(&s.chat, "large.png", picture).await.id);
    }
    let plan = s
        .chat
        .plan_prompt(String::new(), images.clone(), None, None)
        .await
        .unwrap();
    assert_eq!(plan.refusal.unwrap().code, "contextTooSmall");
    let large = SendRequest {
        images,
        ..request("What are these?")
    };
    assert_eq!(
        code(send(&s.chat, large).0.await.unwrap()),
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
    let outcome = sent.await.unwrap().unwrap();
    assert_eq!(outcome.conversation, None);
    assert_eq!(outcome.assistant.text(), "Once upon");
    s.chat.restore_conversation(all[0].id).await.unwrap();
    let view = s.chat.open_conversation(all[0].id).await.unwrap();
    assert_eq!(view.messages[1].text(), "Once upon");
    assert_eq!(finished(&view.messages[1]), FinishReason::Cancelled);
}
