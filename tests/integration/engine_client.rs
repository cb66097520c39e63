//! The protocol client against a real HTTP server: cuts, errors, ends, and the dialects of other servers.

#![allow(clippy::unwrap_used)] // helpers of tests, too

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use paddock_conversation::{FinishReason, Usage};
use paddock_engines::{
    Endpoint, Engine as _, EngineError, EngineEvent, EventStream, GenerateRequest, OpenAiClient,
    Progress, PromptMessage, PromptPart, PromptRole,
};
use paddock_tests::fake_engine::{Exchange, FakeEngine};
use serde_json::json;

fn question(text: &str) -> GenerateRequest {
    GenerateRequest {
        messages: vec![PromptMessage {
            role: PromptRole::User,
            parts: vec![PromptPart::Text(text.into())],
        }],
        temperature: 0.0,
        max_tokens: Some(7),
    }
}

fn client(fake: &FakeEngine, bearer: Option<&str>) -> OpenAiClient {
    OpenAiClient::new(Endpoint {
        base_url: fake.base_url(),
        bearer: bearer.map(str::to_owned),
        model: "m".into(),
        place: "the server".into(),
    })
    .unwrap()
}

async fn ask(
    fake: &mut FakeEngine,
) -> (
    Exchange,
    tokio::task::JoinHandle<Vec<Result<EngineEvent, EngineError>>>,
) {
    let events: EventStream = client(fake, None).generate(question("Hi"));
    let all = tokio::spawn(events.collect());
    (fake.next().await, all)
}

fn text(events: &[Result<EngineEvent, EngineError>]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Ok(EngineEvent::TextDelta(text)) => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn the_request_carries_the_question_and_the_key() {
    let mut fake = FakeEngine::start().await;
    let client = client(&fake, Some("s3cret"));
    assert!(
        !format!("{client:?}").contains("s3cret"),
        "the key must not be printed"
    );
    let events = tokio::spawn(client.generate(question("Hi")).collect::<Vec<_>>());
    let mut exchange = fake.next().await;
    assert_eq!(exchange.path, "/v1/chat/completions");
    assert_eq!(exchange.header("authorization"), Some("Bearer s3cret"));
    assert_eq!(
        exchange.body,
        json!({
            "model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": true,
            "stream_options": {"include_usage": true}, "temperature": 0.0, "max_tokens": 7
        })
    );
    exchange.begin().await;
    exchange
        .event(
            &json!({"paddock": {"progress": {"stage": "encoding_images", "done": 1, "total": 5}}}),
        )
        .await;
    exchange.text("A").await;
    exchange
        .finish(
            "length",
            (11, 1),
            &json!({"images": [], "timings": {"first_token_ms": 1.5, "total_ms": 2.5}}),
        )
        .await;
    let events = events.await.unwrap();
    assert_eq!(
        events[0],
        Ok(EngineEvent::Progress(Progress::EncodingImages {
            done: 1,
            total: 5
        }))
    );
    assert_eq!(events[1], Ok(EngineEvent::TextDelta("A".into())));
    let Ok(EngineEvent::Finished(finish)) = &events[2] else {
        panic!("{events:?}")
    };
    assert_eq!(finish.reason, FinishReason::Length);
    assert_eq!(
        finish.usage,
        Some(Usage {
            prompt_tokens: 11,
            completion_tokens: 1
        })
    );
    assert_eq!(finish.timings.total_ms, 2.5);
    assert_eq!(events.len(), 3);
}

#[tokio::test]
async fn characters_cut_by_the_network_arrive_whole() {
    let mut fake = FakeEngine::start().await;
    let (mut exchange, events) = ask(&mut fake).await;
    exchange.begin().await;
    let event = json!({"choices": [{"index": 0, "delta": {"content": "naïve 🟥 图"}}]});
    for byte in format!("data: {event}\r\n\r\n").as_bytes() {
        exchange.raw(&[*byte]).await;
    }
    exchange.finish("stop", (1, 1), &json!({})).await;
    assert_eq!(text(&events.await.unwrap()), "naïve 🟥 图");
}

#[tokio::test]
async fn a_server_without_usage_or_timings_still_answers() {
    let mut fake = FakeEngine::start().await;
    let (mut exchange, events) = ask(&mut fake).await;
    exchange.begin().await;
    exchange
        .event(
            &json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Yes"}}]}),
        )
        .await;
    exchange
        .event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        .await;
    drop(exchange);
    let events = events.await.unwrap();
    let Some(Ok(EngineEvent::Finished(finish))) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (finish.reason, finish.usage, &finish.images),
        (FinishReason::Stop, None, &None)
    );
    assert!(
        finish.timings.total_ms >= finish.timings.first_token_ms && finish.timings.total_ms > 0.0
    );
}

#[tokio::test]
async fn a_server_that_does_not_stream_still_answers() {
    let mut fake = FakeEngine::start().await;
    let (exchange, events) = ask(&mut fake).await;
    let body = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Whole."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}});
    exchange.reply(200, &body.to_string()).await;
    let events = events.await.unwrap();
    assert_eq!(text(&events), "Whole.");
    assert!(matches!(&events[1], Ok(EngineEvent::Finished(finish)) if finish.usage.is_some()));
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_told_after_what_came() {
    let mut fake = FakeEngine::start().await;
    let (mut exchange, events) = ask(&mut fake).await;
    exchange.begin().await;
    exchange.text("Half an ans").await;
    drop(exchange);
    let events = events.await.unwrap();
    assert_eq!(text(&events), "Half an ans");
    assert!(
        matches!(events.last(), Some(Err(EngineError::Died { .. }))),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_stream_that_ends_without_a_reason_was_cut_off() {
    let mut fake = FakeEngine::start().await;
    let (mut exchange, events) = ask(&mut fake).await;
    exchange.begin().await;
    exchange.text("Half an ans").await;
    exchange.raw(b"data: [DONE]\n\n").await;
    drop(exchange);
    let events = events.await.unwrap();
    assert_eq!(text(&events), "Half an ans");
    assert_eq!(events.last(), Some(&Err(EngineError::CutOff)));

    // The same of one that does not stream.
    let (exchange, events) = ask(&mut fake).await;
    let body = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": "Half"}, "finish_reason": null}],
        "id": "x", "object": "chat.completion", "created": 1, "model": "m"});
    exchange.reply(200, &body.to_string()).await;
    let events = events.await.unwrap();
    assert_eq!(text(&events), "Half");
    assert_eq!(events.last(), Some(&Err(EngineError::CutOff)));
}

#[tokio::test]
async fn comments_do_not_hide_that_an_engine_hangs_and_progress_shows_that_it_works() {
    let mut fake = FakeEngine::start().await;
    let silence = Duration::from_millis(400);
    let impatient = client(&fake, None).with_max_silence(silence);
    let hangs = tokio::spawn(impatient.generate(question("Hi")).collect::<Vec<_>>());
    let mut exchange = fake.next().await;
    exchange.begin().await;
    let progress =
        json!({"paddock": {"progress": {"stage": "encoding_images", "done": 4, "total": 4}}});
    // Together longer than the silence that is borne, each time less.
    let begun = Instant::now();
    while begun.elapsed() < 2 * silence {
        exchange.event(&progress).await;
        tokio::time::sleep(silence / 20).await;
    }
    assert!(!hangs.is_finished(), "it works");
    let last = Instant::now();
    while !hangs.is_finished() {
        assert!(
            last.elapsed() < Duration::from_secs(20),
            "it waits for ever"
        );
        exchange.raw(b": keep-alive\n\n").await;
        tokio::time::sleep(silence / 20).await;
    }
    let events = hangs.await.unwrap();
    assert!(
        matches!(events.last(), Some(Err(EngineError::Silent { .. }))),
        "{events:?}"
    );
}

#[tokio::test]
async fn refusals_and_errors_in_the_stream_keep_their_code() {
    let mut fake = FakeEngine::start().await;
    let (exchange, events) = ask(&mut fake).await;
    exchange.reply(400, r#"{"error":{"message":"The prompt is too long.","type":"x","code":"context_exceeded"}}"#).await;
    let events = events.await.unwrap();
    let [Err(error)] = events.as_slice() else {
        panic!("{events:?}")
    };
    let failure = error.failure();
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("contextExceeded", "The prompt is too long.")
    );

    let (mut exchange, events) = ask(&mut fake).await;
    exchange.begin().await;
    exchange.text("So f").await;
    exchange
        .event(
            &json!({"error": {"message": "the forward pass failed", "code": "generation_failed"}}),
        )
        .await;
    let events = events.await.unwrap();
    assert_eq!(text(&events), "So f");
    assert!(
        matches!(events.last(), Some(Err(error)) if error.code() == "generationFailed"),
        "{events:?}"
    );

    let (mut exchange, events) = ask(&mut fake).await;
    exchange.begin().await;
    exchange.raw(b"data: <html>\n\n").await;
    assert!(matches!(
        events.await.unwrap().as_slice(),
        [Err(EngineError::Protocol { .. })]
    ));
}

#[tokio::test]
async fn nobody_listening_is_a_sentence() {
    let fake = FakeEngine::start().await;
    let client = client(&fake, None);
    drop(fake);
    tokio::task::yield_now().await;
    let events: Vec<_> = client.generate(question("Hi")).collect().await;
    let [Err(error)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(error.code(), "serverUnreachable");
    assert!(
        error
            .to_string()
            .starts_with("the server cannot be reached"),
        "{error}"
    );
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let mut fake = FakeEngine::start().await;
    let mut events = client(&fake, None).generate(question("Hi"));
    let reader = tokio::spawn(async move {
        let first = events.next().await;
        drop(events);
        first
    });
    let mut exchange = fake.next().await;
    exchange.begin().await;
    exchange.text("A").await;
    assert_eq!(
        reader.await.unwrap(),
        Some(Ok(EngineEvent::TextDelta("A".into())))
    );
    exchange.closed().await;
}
