//! The OpenAI chat-completions protocol as a client.
//!
//! Outside: starting servers, and retries: a question is asked once, the user decides about a second time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use paddock_conversation::{FinishReason, Timings, Usage};
use serde::Deserialize;

use crate::engine::{
    Engine, EngineEvent, EventStream, Finish, GenerateRequest, ImageUse, Progress,
};
use crate::sse::SseDecoder;
use crate::{EngineError, wire};

/// Events are waited for so long. Comments that keep a connection alive are no events: they say that a server listens, not that
/// it works.
const MAX_SILENCE: Duration = Duration::from_secs(600);
/// What is added while a prompt is read, by tokens: a slow computer reads more than one a second.
const READING_A_TOKEN: Duration = Duration::from_secs(1);
/// How long one waits behind earlier questions, whose own streams are watched like this one.
const MAX_QUEUE: Duration = Duration::from_secs(2 * 3600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a refusal's body is read.
const MAX_REFUSAL_BYTES: usize = 64 << 10;
/// How much of an answer that does not stream is read.
const MAX_COMPLETION_BYTES: usize = 16 << 20;

/// Where a model is served.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Up to and including `/v1`.
    pub base_url: String,
    pub bearer: Option<String>,
    /// The model's name on that server.
    pub model: String,
    /// "this computer" or the host.
    pub place: String,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key must not reach a log.
        f.debug_struct("Endpoint")
            .field("base_url", &self.base_url)
            .field("bearer", &self.bearer.as_ref().map(|_| "..."))
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// A client for one model of one server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct OpenAiClient {
    http: reqwest::Client,
    endpoint: Endpoint,
    max_silence: Duration,
}

impl OpenAiClient {
    /// # Errors
    /// The TLS set-up of this computer is unusable.
    pub fn new(endpoint: Endpoint) -> Result<Self, EngineError> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true)
            .user_agent(concat!("paddock/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&endpoint.base_url) {
            // A proxy must never see what is meant for this computer.
            // Connecting costs nothing here, and a kept connection may belong to a process that has ended.
            http = http.no_proxy().pool_max_idle_per_host(0);
        }
        let http = http.build().map_err(|e| EngineError::Unreachable {
            place: endpoint.place.clone(),
            detail: e.to_string(),
        })?;
        Ok(Self {
            http,
            endpoint,
            max_silence: MAX_SILENCE,
        })
    }

    /// With another time after which an engine that says nothing is given up; 600 seconds otherwise.
    #[must_use]
    pub fn with_max_silence(mut self, max_silence: Duration) -> Self {
        self.max_silence = max_silence;
        self
    }

    /// Whether it is working on an answer, by its own word at `GET /health`. One that does not answer in `patience` is; one that
    /// cannot be asked, or does not say, is not.
    pub(crate) async fn is_busy(&self, patience: Duration) -> bool {
        let root = self.endpoint.base_url.trim_end_matches("/v1");
        let mut call = self.http.get(format!("{root}/health"));
        if let Some(bearer) = &self.endpoint.bearer {
            call = call.bearer_auth(bearer);
        }
        let asked = async { call.send().await?.json::<Health>().await };
        match tokio::time::timeout(patience, asked).await {
            Ok(Ok(health)) => health.busy,
            Ok(Err(_)) => false,
            Err(_) => true,
        }
    }

    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

fn is_loopback(base_url: &str) -> bool {
    reqwest::Url::parse(base_url).ok().and_then(|url| {
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(
            host == "localhost"
                || host
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|ip| ip.is_loopback()),
        )
    }) == Some(true)
}

impl Engine for OpenAiClient {
    fn generate(&self, request: GenerateRequest) -> EventStream {
        let answer = Answer {
            client: self.clone(),
            deadline: tokio::time::Instant::now() + self.max_silence,
            stage: Stage::Ask(request),
            began: Instant::now(),
            first_token: None,
            ready: VecDeque::new(),
            end: End::default(),
        };
        stream::unfold(answer, |mut answer| async move {
            let event = answer.next().await?;
            Some((event, answer))
        })
        .boxed()
    }
}

/// One answer on its way. Dropping it closes the connection, which cancels the request at the server.
struct Answer {
    client: OpenAiClient,
    stage: Stage,
    /// An event has to come by then.
    deadline: tokio::time::Instant,
    began: Instant,
    first_token: Option<Duration>,
    ready: VecDeque<EngineEvent>,
    end: End,
}

/// The reply of `GET /health`, as far as it is needed.
#[derive(Deserialize)]
struct Health {
    #[serde(default)]
    busy: bool,
}

enum Stage {
    Ask(GenerateRequest),
    Read {
        response: Box<reqwest::Response>,
        decoder: SseDecoder,
    },
    Fail(EngineError),
    Over,
}

/// What the last chunks said; their order differs between servers.
#[derive(Default)]
struct End {
    reason: Option<FinishReason>,
    usage: Option<Usage>,
    timings: Option<Timings>,
    images: Option<Vec<ImageUse>>,
}

impl Answer {
    async fn next(&mut self) -> Option<Result<EngineEvent, EngineError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            let step = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Ask(request) => self.ask(request).await,
                Stage::Read { response, decoder } => self.read(response, decoder).await,
                Stage::Fail(error) => return Some(Err(error)),
                Stage::Over => return None,
            };
            match step {
                Ok(stage) => self.stage = stage,
                // What was read before the error is still told, then the error.
                Err(error) => self.stage = Stage::Fail(error),
            }
        }
    }

    async fn ask(&mut self, request: GenerateRequest) -> Result<Stage, EngineError> {
        let model = self.client.endpoint.model.clone();
        // Megabytes of base64: not on a thread that other tasks wait for.
        let body = tokio::task::spawn_blocking(move || wire::request_body(&model, &request))
            .await
            .map_err(|e| EngineError::Protocol {
                detail: e.to_string(),
            })??;
        let endpoint = &self.client.endpoint;
        let url = format!(
            "{}/chat/completions",
            endpoint.base_url.trim_end_matches('/')
        );
        let mut call = self
            .client
            .http
            .post(url)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .header(reqwest::header::ACCEPT, "text/event-stream")
            .body(body);
        if let Some(bearer) = &endpoint.bearer {
            call = call.bearer_auth(bearer);
        }
        self.hear_within(self.client.max_silence);
        let mut response =
            self.in_time(call.send())
                .await?
                .map_err(|e| EngineError::Unreachable {
                    place: self.client.endpoint.place.clone(),
                    detail: root_cause(&e),
                })?;
        let status = response.status();
        if !status.is_success() {
            let body = self
                .body_text(&mut response, MAX_REFUSAL_BYTES)
                .await
                .unwrap_or_default();
            return Err(wire::refusal(status.as_u16(), &body));
        }
        let streams = response
            .headers()
            .get(reqwest::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_none_or(|mime| !mime.starts_with("application/json"));
        if streams {
            return Ok(Stage::Read {
                response: Box::new(response),
                decoder: SseDecoder::default(),
            });
        }
        let body = self.body_text(&mut response, MAX_COMPLETION_BYTES).await?;
        let chunk = wire::completion(&body)?;
        self.take(chunk);
        self.finish()?;
        Ok(Stage::Over)
    }

    async fn read(
        &mut self,
        mut response: Box<reqwest::Response>,
        mut decoder: SseDecoder,
    ) -> Result<Stage, EngineError> {
        match self.in_time(response.chunk()).await? {
            Ok(Some(bytes)) => {
                let events = decoder.push(&bytes).map_err(|_| EngineError::Protocol {
                    detail: "an event is longer than 8 MiB".into(),
                })?;
                for data in events {
                    if self.event(&data)? {
                        return Ok(Stage::Over);
                    }
                }
                Ok(Stage::Read { response, decoder })
            }
            Ok(None) => {
                if let Some(data) = decoder.finish()
                    && self.event(&data)?
                {
                    return Ok(Stage::Over);
                }
                self.broke_off(None)
            }
            Err(error) => self.broke_off(Some(root_cause(&error))),
        }
    }

    /// The connection ended without `[DONE]`. A finish reason that came before counts all the same.
    fn broke_off(&mut self, detail: Option<String>) -> Result<Stage, EngineError> {
        if self.end.reason.is_none() {
            return Err(EngineError::Died { detail });
        }
        self.finish()?;
        Ok(Stage::Over)
    }

    fn hear_within(&mut self, patience: Duration) {
        self.deadline = tokio::time::Instant::now() + patience;
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, EngineError> {
        tokio::time::timeout_at(self.deadline, work)
            .await
            .map_err(|_| EngineError::Silent {
                place: self.client.endpoint.place.clone(),
                seconds: self.client.max_silence.as_secs(),
            })
    }

    async fn body_text(
        &self,
        response: &mut reqwest::Response,
        max_bytes: usize,
    ) -> Result<String, EngineError> {
        let mut body = Vec::new();
        while let Ok(Some(bytes)) = self.in_time(response.chunk()).await? {
            body.extend_from_slice(&bytes);
            if body.len() > max_bytes {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// How long the next event may take after this one.
    fn patience_after(&self, chunk: &wire::Chunk) -> Duration {
        let silence = self.client.max_silence;
        match chunk.progress {
            Some(Progress::Queued) => silence.max(MAX_QUEUE),
            Some(Progress::EncodingImages { done, total }) => {
                silence.saturating_mul(1 + total.saturating_sub(done))
            }
            Some(Progress::ReadingPrompt { tokens }) => {
                silence.saturating_add(READING_A_TOKEN.saturating_mul(tokens))
            }
            None => silence,
        }
    }

    /// Takes one event; true if it was the last.
    fn event(&mut self, data: &str) -> Result<bool, EngineError> {
        if data.trim() == "[DONE]" {
            self.finish()?;
            return Ok(true);
        }
        let chunk = wire::chunk(data)?;
        self.hear_within(self.patience_after(&chunk));
        self.take(chunk);
        Ok(false)
    }

    fn take(&mut self, chunk: wire::Chunk) {
        self.ready.extend(chunk.progress.map(EngineEvent::Progress));
        if !chunk.reasoning.is_empty() {
            self.first_token.get_or_insert_with(|| self.began.elapsed());
            self.ready
                .push_back(EngineEvent::ReasoningDelta(chunk.reasoning));
        }
        if !chunk.text.is_empty() {
            self.first_token.get_or_insert_with(|| self.began.elapsed());
            self.ready.push_back(EngineEvent::TextDelta(chunk.text));
        }
        self.end.reason = chunk.finish.or(self.end.reason);
        self.end.usage = chunk.usage.or(self.end.usage);
        self.end.timings = chunk.timings.or(self.end.timings);
        self.end.images = chunk.images.or(self.end.images.take());
    }

    fn finish(&mut self) -> Result<(), EngineError> {
        let end = std::mem::take(&mut self.end);
        // A `[DONE]` alone does not say that the answer is whole.
        let reason = end.reason.ok_or(EngineError::CutOff)?;
        let total = self.began.elapsed();
        let seen_here = Timings {
            first_token_ms: self.first_token.unwrap_or(total).as_secs_f64() * 1e3,
            total_ms: total.as_secs_f64() * 1e3,
        };
        self.ready.push_back(EngineEvent::Finished(Finish {
            reason,
            usage: end.usage,
            timings: end.timings.unwrap_or(seen_here),
            images: end.images,
        }));
        Ok(())
    }
}

/// The innermost reason; reqwest's outer sentences repeat the address, which holds nothing for a user.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
