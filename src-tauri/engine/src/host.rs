//! The one owner of the loaded model: a queue of one, generations as streams of events, and the restart after
//! a panic.
//!
//! Outside: HTTP. Requests run one at a time, in the order in which they came: mistral.rs interleaves sequences of
//! different length by copying their caches in and out, which makes everybody slower on one computer.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Instant,
};

use mistralrs::{
    Constraint, CustomLogitsProcessor, ModelCategory, NormalRequest, Request, RequestMessage,
    Response, Tensor, core::TokenizationRequest,
};
use paddock_protocol::{
    chat::{ChatRequest, ErrorCode, FinishReason, ImageUse, Progress, Timings, Usage},
    engine::{EngineLine, Failed, Ready},
};
use tokio::sync::{Mutex, RwLock, mpsc};

use crate::{
    announce,
    arguments::Arguments,
    failure::LoadFailure,
    load::{self, Loaded, MODEL_ID},
    prompt::{self, Prompt, Refusal},
    sampling::{self, Wish},
    stop_strings::StopStrings,
};

/// So many tokens may wait for a slow reader before the engine waits for it.
const BACKLOG: usize = 4096;

/// What a generation tells, in this order: progress, text, and one end.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Progress(Progress),
    Text(String),
    Reasoning(String),
    Finished(Finished),
    Failed(Refusal),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    pub reason: FinishReason,
    pub usage: Usage,
    /// What the model got of every image, counted in the prompt that it was given.
    pub images: Vec<ImageUse>,
    pub timings: Timings,
}

pub struct Host {
    arguments: Arguments,
    address: String,
    model: RwLock<Arc<Loaded>>,
    /// Held by the running generation.
    turn: Mutex<()>,
    next_id: AtomicUsize,
}

/// Processors of raw logits, for tests that compare numbers.
pub type Processors = Vec<Arc<dyn CustomLogitsProcessor>>;

impl Host {
    /// # Errors
    /// Why the model did not load.
    pub async fn start(arguments: Arguments, address: String) -> Result<Arc<Self>, LoadFailure> {
        let model = Arc::new(load_announced(&arguments, &address).await?);
        Ok(Arc::new(Self {
            arguments,
            address,
            model: RwLock::new(model),
            turn: Mutex::new(()),
            next_id: AtomicUsize::new(1),
        }))
    }

    /// Whether a request is being worked on, also one whose client has gone: mistral.rs does not stop within a step.
    pub fn is_busy(&self) -> bool {
        self.turn.try_lock().is_err()
    }

    pub async fn model(&self) -> Arc<Loaded> {
        self.model.read().await.clone()
    }

    /// Checks a request and turns it into a prompt; decoding of images happens here, off the async threads.
    ///
    /// # Errors
    /// A typed refusal.
    pub async fn prepare(&self, request: &ChatRequest) -> Result<Prompt, Refusal> {
        sampling::check_ranges(request)?;
        let model = self.model().await;
        let request = request.clone();
        let assembled = tokio::task::spawn_blocking(move || {
            prompt::assemble(&request, &model.category, &model.special)
        });
        assembled.await.unwrap_or_else(|_| {
            Err(Refusal::new(
                ErrorCode::ImageUnreadable,
                "An image could not be read.",
            ))
        })
    }

    /// Starts a generation. It ends when it is done, or within one step after the receiver was dropped: one token, or the whole
    /// prompt, which mistral.rs reads in one.
    pub fn generate(
        self: &Arc<Self>,
        prompt: Prompt,
        request: &ChatRequest,
        processors: Processors,
    ) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(BACKLOG);
        let host = self.clone();
        let wish = Wish::of(request);
        tokio::spawn(async move { host.run(prompt, wish, processors, events).await });
        receiver
    }

    async fn run(
        &self,
        prompt: Prompt,
        wish: Wish,
        processors: Processors,
        events: mpsc::Sender<Event>,
    ) {
        let arrived = Instant::now();
        let turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                let _ = events.send(Event::Progress(Progress::Queued)).await;
                tokio::select! {
                    turn = self.turn.lock() => turn,
                    () = events.closed() => return,
                }
            }
        };
        if events.is_closed() {
            return;
        }
        let model = self.model().await;
        let end = Generation {
            model: &model,
            wish,
            events: &events,
            arrived,
        }
        .run(prompt, processors, &self.next_id)
        .await;
        match end {
            End::Finished(finished) => drop(events.send(Event::Finished(finished)).await),
            End::Refused(refusal) => drop(events.send(Event::Failed(refusal)).await),
            End::Cancelled => {}
            End::Crashed => {
                let sentence =
                    "The engine stopped in the middle of the answer and is starting again.";
                let _ = events
                    .send(Event::Failed(Refusal::new(
                        ErrorCode::EngineCrashed,
                        sentence,
                    )))
                    .await;
                drop(model);
                self.restart(sentence).await;
            }
        }
        drop(turn);
    }

    /// A panic inside mistral.rs leaves its caches poisoned for ever: only a fresh load helps. The turn is held, so
    /// waiting requests go on with the new model.
    async fn restart(&self, sentence: &str) {
        announce::line(&EngineLine::Restarting {
            message: sentence.into(),
        });
        match load_announced(&self.arguments, &self.address).await {
            Ok(model) => *self.model.write().await = Arc::new(model),
            Err(failure) => {
                announce::line(&EngineLine::Failed(Failed {
                    code: failure.code,
                    message: failure.message,
                }));
                std::process::exit(1);
            }
        }
    }
}

async fn load_announced(arguments: &Arguments, address: &str) -> Result<Loaded, LoadFailure> {
    let model = load::load(arguments, |loading| {
        announce::line(&EngineLine::Loading(loading))
    })
    .await?;
    let facts = model.facts.clone();
    announce::line(&EngineLine::Ready(Ready {
        address: address.into(),
        model: facts.name,
        device: facts.device,
        dtype: facts.dtype,
        quant: facts.quant,
        context_tokens: facts.context,
        vision: model.vision(),
        resident_bytes: facts.resident_bytes,
        load_ms: facts.load_ms,
    }));
    Ok(model)
}

enum End {
    Finished(Finished),
    Refused(Refusal),
    Cancelled,
    Crashed,
}

/// What a generation was made of, noted where its tokens are sampled.
#[derive(Default)]
struct Made {
    /// The prompt as the model was given it, images expanded.
    prompt: OnceLock<Vec<u32>>,
    /// Tokens of the answer so far.
    tokens: AtomicU32,
}

/// One generation on its way.
struct Generation<'a> {
    model: &'a Loaded,
    wish: Wish,
    events: &'a mpsc::Sender<Event>,
    arrived: Instant,
}

impl Generation<'_> {
    async fn run(self, prompt: Prompt, mut processors: Processors, next_id: &AtomicUsize) -> End {
        let room = match self.room(&prompt).await {
            Ok(room) => room,
            Err(end) => return end,
        };
        // The last moment at which it costs nothing: from here on the whole prompt is read.
        if self.events.is_closed() {
            return End::Cancelled;
        }
        let images = u32::try_from(prompt.images.len()).unwrap_or(u32::MAX);
        let progress = match images {
            0 => Progress::ReadingPrompt {
                tokens: self.model.facts.context - room,
            },
            total => Progress::EncodingImages { done: 0, total },
        };
        let _ = self.events.send(Event::Progress(progress)).await;

        // The prompt as the model was given it, images expanded: taken where the first token is sampled.
        let made = Arc::new(Made::default());
        let note = made.clone();
        processors.push(Arc::new(move |logits: &Tensor, context: &[u32]| {
            note.prompt.get_or_init(|| context.to_vec());
            note.tokens.fetch_add(1, Ordering::Relaxed);
            Ok(logits.clone())
        }));
        let (responses, receiver) = mpsc::channel(BACKLOG);
        let request = Request::Normal(Box::new(NormalRequest {
            messages: match &self.model.category {
                ModelCategory::Multimodal { .. } => RequestMessage::MultimodalChat {
                    images: prompt.images,
                    audios: Vec::new(),
                    videos: Vec::new(),
                    messages: prompt.messages,
                    enable_thinking: None,
                    reasoning_effort: None,
                },
                _ => RequestMessage::Chat {
                    messages: prompt.messages,
                    enable_thinking: None,
                    reasoning_effort: None,
                },
            },
            sampling_params: self.wish.sampling(room),
            response: responses,
            return_logprobs: false,
            is_streaming: true,
            id: next_id.fetch_add(1, Ordering::Relaxed),
            constraint: Constraint::None,
            suffix: None,
            tools: None,
            tool_choice: None,
            logits_processors: Some(processors),
            return_raw_logits: false,
            web_search_options: None,
            model_id: None,
            truncate_sequence: false,
        }));
        let Ok(sender) = self.model.engine.get_sender(Some(MODEL_ID)) else {
            return End::Crashed;
        };
        if sender.send(request).await.is_err() {
            return End::Crashed;
        }
        self.follow(receiver, &made).await
    }

    /// Tokens that the context leaves for the answer. For text they are counted here; with images only mistral.rs
    /// knows, which checks after expanding them (patch 40).
    async fn room(&self, prompt: &Prompt) -> Result<u32, End> {
        let context = self.model.facts.context;
        if !prompt.images.is_empty() {
            return Ok(context);
        }
        let (response, mut counted) = mpsc::channel(1);
        let count = Request::Tokenize(TokenizationRequest {
            text: either::Either::Left(prompt.messages.clone()),
            tools: None,
            add_generation_prompt: true,
            add_special_tokens: true,
            enable_thinking: None,
            reasoning_effort: None,
            response,
        });
        let sender = self
            .model
            .engine
            .get_sender(Some(MODEL_ID))
            .map_err(|_| End::Crashed)?;
        sender.send(count).await.map_err(|_| End::Crashed)?;
        let tokens = match counted.recv().await {
            Some(Ok(tokens)) => u32::try_from(tokens.len()).unwrap_or(u32::MAX),
            Some(Err(error)) => {
                return Err(End::Refused(Refusal::new(
                    ErrorCode::MalformedRequest,
                    format!("The model's chat template does not take this conversation: {error}."),
                )));
            }
            None => return Err(End::Crashed),
        };
        match context.checked_sub(tokens) {
            Some(room) if room > 0 => Ok(room),
            _ => Err(End::Refused(too_long(&format!(
                "The prompt has {tokens} tokens, but the context holds {context}."
            )))),
        }
    }

    async fn follow(self, mut receiver: mpsc::Receiver<Response>, made: &Made) -> End {
        let mut stops = StopStrings::new(self.wish.stops.clone());
        let mut first_token = None;
        while let Some(response) = receiver.recv().await {
            // Asked only when something has come: dropping the receiver while the prompt is read would make
            // mistral.rs fail to answer, and frees it no sooner.
            if self.events.is_closed() {
                return End::Cancelled;
            }
            let chunk = match response {
                Response::Chunk(chunk) => chunk,
                Response::ModelError(message, _) => {
                    return End::Refused(Refusal::new(
                        ErrorCode::GenerationFailed,
                        format!("The model failed: {message}."),
                    ));
                }
                Response::ValidationError(error) => {
                    return End::Refused(validation(&error.to_string()));
                }
                Response::InternalError(error) => {
                    return End::Refused(Refusal::new(
                        ErrorCode::GenerationFailed,
                        format!("The engine failed: {error}."),
                    ));
                }
                _ => continue,
            };
            let Some(choice) = chunk.choices.into_iter().next() else {
                continue;
            };
            first_token.get_or_insert_with(|| self.arrived.elapsed());
            if let Some(reasoning) = choice
                .delta
                .reasoning_content
                .filter(|text| !text.is_empty())
            {
                let _ = self.events.send(Event::Reasoning(reasoning)).await;
            }
            let (text, stopped) = stops.push(choice.delta.content.as_deref().unwrap_or_default());
            if !text.is_empty() {
                let _ = self.events.send(Event::Text(text)).await;
            }
            let reason = match choice.finish_reason.as_deref() {
                _ if stopped => FinishReason::Stop,
                None => continue,
                Some("length") => FinishReason::Length,
                Some("canceled") => return End::Cancelled,
                Some(_) => FinishReason::Stop,
            };
            let rest = if stopped {
                String::new()
            } else {
                stops.finish()
            };
            if !rest.is_empty() {
                let _ = self.events.send(Event::Text(rest)).await;
            }
            let prompt = made.prompt.get().map(Vec::as_slice).unwrap_or_default();
            let prompt_tokens = u32::try_from(prompt.len()).unwrap_or(u32::MAX);
            // An answer that a stop string ended has no count yet; a piece of text may be several tokens, or none.
            let completion_tokens = chunk
                .usage
                .and_then(|usage| u32::try_from(usage.completion_tokens).ok())
                .unwrap_or_else(|| made.tokens.load(Ordering::Relaxed));
            let milliseconds = |duration: std::time::Duration| duration.as_secs_f64() * 1000.0;
            return End::Finished(Finished {
                reason,
                usage: Usage {
                    prompt_tokens,
                    completion_tokens,
                    total_tokens: prompt_tokens.saturating_add(completion_tokens),
                },
                images: self
                    .model
                    .image_tokens
                    .map(|tokens| crate::images::count(&tokens, prompt))
                    .unwrap_or_default(),
                timings: Timings {
                    first_token_ms: milliseconds(first_token.unwrap_or_default()),
                    total_ms: milliseconds(self.arrived.elapsed()),
                },
            });
        }
        End::Crashed
    }
}

fn too_long(sentence: &str) -> Refusal {
    Refusal::new(ErrorCode::ContextExceeded, sentence)
}

/// mistral.rs refuses in text only.
fn validation(message: &str) -> Refusal {
    if message.contains("does not fit the context")
        || message.contains("Prompt sequence length is greater")
    {
        return too_long(&format!("{}.", message.trim_end_matches('.')));
    }
    Refusal::new(
        ErrorCode::MalformedRequest,
        format!("The model does not take this conversation: {message}."),
    )
}
