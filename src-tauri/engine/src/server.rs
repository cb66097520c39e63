//! The OpenAI chat-completions protocol over HTTP on loopback, behind a bearer token.
//!
//! Outside: generation. Nothing is served to a page in a browser: a foreign `Host` or any `Origin` is refused.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{
        IntoResponse, Response, Sse,
        sse::{self, KeepAlive},
    },
    routing::{get, post},
};
use futures_util::stream;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use paddock_protocol::chat::{
    ChatChunk, ChatCompletion, ChatRequest, ChatRole, Choice, ChoiceMessage, ChunkChoice, Delta,
    Details, ErrorBody, ErrorCode,
};
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    arguments::Arguments,
    failure::LoadFailure,
    host::{Event, Finished, Host},
    prompt::Refusal,
};
use paddock_protocol::engine::LoadErrorCode;

/// Enough for several large pictures in base64; more is refused before it is read.
const MAX_BODY_BYTES: usize = 256 << 20;
/// The head of a request has to be there by then.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Binds, loads, announces, serves until the process ends.
///
/// # Errors
/// If the port cannot be had or the model does not load.
pub async fn run(arguments: Arguments, token: String) -> Result<(), LoadFailure> {
    let failed = |error: std::io::Error| {
        LoadFailure::new(
            LoadErrorCode::LoadFailed,
            format!("No port could be opened: {error}."),
        )
    };
    let listener = TcpListener::bind(("127.0.0.1", arguments.port))
        .await
        .map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?.to_string();
    let host = Host::start(arguments, address).await?;
    serve(listener, router(host, token)).await
}

/// As `axum::serve`, but a client that does not finish its request's head is let go: it must not hold a task for ever.
async fn serve(listener: TcpListener, router: Router) -> ! {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, or a client that has gone already; trying again at once would only spin.
                eprintln!("a connection was not accepted: {error}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // Clients go away in mid answer all the time.
            let _ = connection.await;
        });
    }
}

/// The whole service; the token is asked for on every path.
pub fn router(host: Arc<Host>, token: String) -> Router {
    let token: Arc<str> = token.into();
    Router::new()
        .route("/health", get(health))
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(chat))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let token = token.clone();
            async move { guard(&token, request, next).await }
        }))
        .with_state(host)
}

async fn guard(token: &str, request: Request, next: Next) -> Response {
    if let Err(refusal) = admit(token, request.headers()) {
        return refused(&refusal);
    }
    next.run(request).await
}

fn admit(token: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !matches!(name, "127.0.0.1" | "localhost") || headers.contains_key(header::ORIGIN) {
        return Err(Refusal::new(
            ErrorCode::Unauthorized,
            "This address serves the Paddock app only.",
        ));
    }
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let given = given.strip_prefix("Bearer ").unwrap_or_default();
    if !bool::from(given.as_bytes().ct_eq(token.as_bytes())) {
        return Err(Refusal::new(
            ErrorCode::Unauthorized,
            "The bearer token is missing or wrong.",
        ));
    }
    Ok(())
}

async fn health(State(host): State<Arc<Host>>) -> Response {
    let model = host.model().await;
    Json(json!({
        "status": "ok", "model": model.facts.name, "context_tokens": model.facts.context, "busy": host.is_busy(),
    }))
    .into_response()
}

async fn models(State(host): State<Arc<Host>>) -> Response {
    let model = host.model().await;
    let facts = &model.facts;
    Json(json!({"object": "list", "data": [{
        "id": facts.name, "object": "model", "created": 0, "owned_by": "local",
        "context_tokens": facts.context, "vision": model.vision(),
    }]}))
    .into_response()
}

async fn chat(State(host): State<Arc<Host>>, body: Bytes) -> Response {
    let request: ChatRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => {
            let sentence = format!("The request is not a chat completion: {error}.");
            return refused(&Refusal::new(ErrorCode::MalformedRequest, sentence));
        }
    };
    drop(body);
    let prompt = match host.prepare(&request).await {
        Ok(prompt) => prompt,
        Err(refusal) => return refused(&refusal),
    };
    let events = host.generate(prompt, &request, Vec::new());
    let head = Head::new(host.model().await.facts.name.clone());
    if request.stream {
        streamed(head, events)
    } else {
        whole(&head, events).await
    }
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.code.http_status())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        status,
        Json(ErrorBody {
            error: refusal.detail(),
        }),
    )
        .into_response()
}

/// What every object of one reply begins with.
#[derive(Clone)]
struct Head {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    fn new(model: String) -> Self {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            id: format!("chatcmpl-{:x}", since.as_nanos()),
            created: since.as_secs(),
            model,
        }
    }

    fn chunk(&self) -> ChatChunk {
        ChatChunk {
            id: self.id.clone(),
            object: "chat.completion.chunk".into(),
            created: self.created,
            model: self.model.clone(),
            choices: Vec::new(),
            usage: None,
            paddock: None,
            error: None,
        }
    }

    fn delta(&self, delta: Delta) -> ChatChunk {
        ChatChunk {
            choices: vec![ChunkChoice {
                index: 0,
                delta,
                finish_reason: None,
            }],
            ..self.chunk()
        }
    }

    fn of(&self, event: Event) -> ChatChunk {
        match event {
            Event::Progress(progress) => ChatChunk {
                paddock: Some(Details {
                    progress: Some(progress),
                    ..Details::default()
                }),
                ..self.chunk()
            },
            Event::Text(text) => self.delta(Delta {
                content: Some(text),
                ..Delta::default()
            }),
            Event::Reasoning(text) => self.delta(Delta {
                reasoning_content: Some(text),
                ..Delta::default()
            }),
            Event::Failed(refusal) => ChatChunk {
                error: Some(refusal.detail()),
                ..self.chunk()
            },
            Event::Finished(finished) => ChatChunk {
                choices: vec![ChunkChoice {
                    index: 0,
                    delta: Delta::default(),
                    finish_reason: Some(finished.reason),
                }],
                usage: Some(finished.usage),
                paddock: Some(details(finished)),
                ..self.chunk()
            },
        }
    }
}

fn details(finished: Finished) -> Details {
    Details {
        images: finished.images,
        progress: None,
        timings: Some(finished.timings),
    }
}

/// Dropping the body (the client went away) drops the receiver, which ends the generation. `[DONE]` stands only after an end
/// that says how it ended: without it the client knows that the answer was cut off.
fn streamed(head: Head, events: mpsc::Receiver<Event>) -> Response {
    let state = Some((head, events, false));
    let chunks = stream::unfold(state, |state| async move {
        let (head, mut events, mut ended) = state?;
        let (data, next) = match events.recv().await {
            Some(event) => {
                ended |= matches!(event, Event::Finished(_) | Event::Failed(_));
                let data = serde_json::to_string(&head.of(event)).unwrap_or_default();
                (data, Some((head, events, ended)))
            }
            None if ended => ("[DONE]".to_owned(), None),
            None => return None,
        };
        Some((Ok::<_, Infallible>(sse::Event::default().data(data)), next))
    });
    Sse::new(chunks)
        .keep_alive(KeepAlive::default())
        .into_response()
}

async fn whole(head: &Head, mut events: mpsc::Receiver<Event>) -> Response {
    let (mut text, mut reasoning) = (String::new(), String::new());
    while let Some(event) = events.recv().await {
        match event {
            Event::Progress(_) => {}
            Event::Text(more) => text.push_str(&more),
            Event::Reasoning(more) => reasoning.push_str(&more),
            Event::Failed(refusal) => return refused(&refusal),
            Event::Finished(finished) => {
                return Json(ChatCompletion {
                    id: head.id.clone(),
                    object: "chat.completion".into(),
                    created: head.created,
                    model: head.model.clone(),
                    choices: vec![Choice {
                        index: 0,
                        message: ChoiceMessage {
                            role: ChatRole::Assistant,
                            content: Some(text),
                            reasoning_content: (!reasoning.is_empty()).then_some(reasoning),
                        },
                        finish_reason: Some(finished.reason),
                    }],
                    usage: Some(finished.usage),
                    paddock: Some(details(finished)),
                })
                .into_response();
            }
        }
    }
    refused(&Refusal::new(
        ErrorCode::EngineCrashed,
        "The engine stopped in the middle of the answer.",
    ))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TOKEN: &str = "a-token-of-this-start";

    fn headers(host: Option<&str>, token: Option<&str>, origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut put = |name, value: Option<String>| {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_str(&value).unwrap());
            }
        };
        put(header::HOST, host.map(str::to_owned));
        put(
            header::AUTHORIZATION,
            token.map(|token| format!("Bearer {token}")),
        );
        put(header::ORIGIN, origin.map(str::to_owned));
        headers
    }

    fn is_admitted(host: Option<&str>, token: Option<&str>, origin: Option<&str>) -> bool {
        admit(TOKEN, &headers(host, token, origin)).is_ok()
    }

    #[test]
    fn the_app_is_admitted() {
        assert!(is_admitted(Some("127.0.0.1:4321"), Some(TOKEN), None));
        assert!(is_admitted(Some("localhost"), Some(TOKEN), None));
    }

    #[test]
    fn a_wrong_token_is_refused() {
        for token in [
            None,
            Some(""),
            Some("a-token-of-this-star"),
            Some("a-token-of-this-start!"),
            Some("A-TOKEN-OF-THIS-START"),
        ] {
            assert!(
                !is_admitted(Some("127.0.0.1:4321"), token, None),
                "{token:?}"
            );
        }
    }

    /// Not even the right token helps a page, which sends its `Origin`, or a name that was made to point at loopback.
    #[test]
    fn a_page_in_a_browser_is_refused() {
        for origin in [
            "https://evil.example",
            "http://127.0.0.1:4321",
            "http://localhost",
            "null",
        ] {
            assert!(
                !is_admitted(Some("127.0.0.1:4321"), Some(TOKEN), Some(origin)),
                "{origin}"
            );
        }
        for host in [
            None,
            Some(""),
            Some("evil.example:4321"),
            Some("127.0.0.1.evil.example"),
            Some("localhost.evil.example:80"),
        ] {
            assert!(!is_admitted(host, Some(TOKEN), None), "{host:?}");
        }
    }
}
