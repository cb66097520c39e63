//! One question without a window, without a store: the command line's use case.
//!
//! Outside: arguments, printing, exit codes.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use paddock_conversation::{Failure, FinishReason, ImageSize, ModelLabel, Timings, Usage};
use paddock_decode::Tiling;
use paddock_devices::{DevicePreference, EngineBuilds};
use paddock_engines::{
    ByDevice, Engine as _, EngineError, EngineEvent, GenerateRequest, LoadSpec, PromptMessage,
    PromptPart, PromptRole, SupervisorConfig, start_supervisor,
};
use paddock_models::fit::FitModel;
use paddock_models::runnable;
use paddock_pictures::{DecoderConfig, Decoders, for_one_question};

use crate::ChatError;
use crate::load_spec::{cpu_dtype, device_argument};
use crate::pictures::image_data;

/// Which model answers, and how it is loaded.
#[derive(Debug, Clone)]
pub struct AskConfig {
    pub engine_program: PathBuf,
    /// The program that decodes pictures, see [`crate::ChatConfig::decoder_program`].
    pub decoder_program: PathBuf,
    /// Engines built for GPUs.
    pub engine_builds: EngineBuilds,
    /// Folder or GGUF file.
    pub model: PathBuf,
    pub model_label: ModelLabel,
    pub device: DevicePreference,
    pub quant: String,
    pub context_tokens: Option<u32>,
    pub threads: Option<u32>,
}

impl AskConfig {
    pub(crate) fn supervisor_config(&self) -> SupervisorConfig {
        let placement = ByDevice::new(&self.engine_program, &self.engine_builds);
        SupervisorConfig {
            placement: Some(Arc::new(placement)),
            program: self.engine_program.clone(),
        }
    }

    /// What is to be loaded, and how the model cuts pictures. Blocks for the headers.
    ///
    /// # Errors
    /// The model cannot be read or cannot run here: no engine is to be started for it.
    pub(crate) fn load_spec(&self) -> Result<(LoadSpec, Option<Tiling>), ChatError> {
        let checkpoint = runnable(&self.model).map_err(ChatError::Refused)?;
        let fit = FitModel::from(&checkpoint);
        let spec = LoadSpec {
            cpu_dtype: cpu_dtype(&fit),
            model: self.model_label.clone(),
            path: self.model.clone(),
            device: device_argument(&self.device),
            dtype: "auto".into(),
            quant: self.quant.clone(),
            context_tokens: self.context_tokens,
            threads: self.threads,
        };
        Ok((spec, fit.tiling))
    }
}

#[derive(Debug, Clone)]
pub struct AskRequest {
    pub question: String,
    /// Names and contents of the picture files, in the order in which the model gets them.
    pub images: Vec<(String, Vec<u8>)>,
    pub system_prompt: String,
    pub temperature: f32,
    pub max_tokens: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AskOutcome {
    pub text: String,
    pub finish_reason: FinishReason,
    pub usage: Option<Usage>,
    /// From starting the engine until it was ready.
    pub load_ms: f64,
    pub timings: Timings,
    /// What the model saw of each picture.
    pub images: Vec<AskImage>,
    /// Set if the answer broke off; `text` is what came until then.
    pub failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskImage {
    pub seen: ImageSize,
    pub tokens: u32,
}

/// Loads the model, asks, hands every piece of text to `on_text`, which may end it all, and ends the engine.
///
/// # Errors
/// A picture cannot be taken, the model cannot be loaded, or the engine refuses the question: no text came.
pub async fn ask(
    config: AskConfig,
    request: AskRequest,
    mut on_text: impl FnMut(&str) -> ControlFlow<()> + Send,
) -> Result<AskOutcome, ChatError> {
    if request.question.trim().is_empty() && request.images.is_empty() {
        return Err(ChatError::NothingToSend);
    }
    // Bad pictures are told before minutes are spent on loading a model.
    let decoders = Decoders::new(DecoderConfig::new(config.decoder_program.clone()));
    let mut parts = Vec::with_capacity(request.images.len());
    for (name, bytes) in request.images {
        let picture = for_one_question(&decoders, &bytes).await.map_err(|error| {
            let failure = error.failure();
            if !error.is_bad_input() {
                return ChatError::from(error);
            }
            ChatError::Refused(Failure {
                message: format!("{name}: {}", failure.message),
                ..failure
            })
        })?;
        parts.push(PromptPart::Image(image_data(picture)));
    }
    drop(decoders);
    let image_count = parts.len();

    let mut messages = Vec::new();
    if !request.system_prompt.trim().is_empty() {
        let system = PromptPart::Text(request.system_prompt.trim().to_owned());
        messages.push(PromptMessage {
            role: PromptRole::System,
            parts: vec![system],
        });
    }
    let mut question = parts;
    if !request.question.trim().is_empty() {
        question.push(PromptPart::Text(request.question.trim().to_owned()));
    }
    messages.push(PromptMessage {
        role: PromptRole::User,
        parts: question,
    });

    let (spec, _) = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || config.load_spec())
            .await
            .map_err(|e| ChatError::TaskEnded {
                detail: e.to_string(),
            })??
    };
    let supervisor = start_supervisor(config.supervisor_config());
    let began = Instant::now();
    let engine = supervisor.ready(spec).await?;
    let load_ms = began.elapsed().as_secs_f64() * 1e3;
    if image_count > 0 && !engine.vision() {
        return Err(ChatError::ModelCannotSee {
            model: config.model_label.name,
        });
    }

    let asked = Instant::now();
    let mut events = engine.generate(GenerateRequest {
        messages,
        temperature: request.temperature,
        max_tokens: request.max_tokens,
    });
    let mut outcome = AskOutcome {
        text: String::new(),
        finish_reason: FinishReason::Failed,
        usage: None,
        load_ms,
        timings: Timings::default(),
        images: Vec::new(),
        failure: None,
    };
    let error = loop {
        match events.next().await {
            Some(Ok(EngineEvent::TextDelta(text))) => {
                let next = on_text(&text);
                outcome.text.push_str(&text);
                if next.is_break() {
                    outcome.finish_reason = FinishReason::Cancelled;
                    break None;
                }
            }
            Some(Ok(EngineEvent::ReasoningDelta(_) | EngineEvent::Progress(_))) => {}
            Some(Ok(EngineEvent::Finished(finish))) => {
                outcome.finish_reason = finish.reason;
                outcome.usage = finish.usage;
                outcome.timings = finish.timings;
                let uses = finish.images.unwrap_or_default();
                outcome.images = uses
                    .iter()
                    .map(|used| AskImage {
                        seen: used.seen,
                        tokens: used.tokens,
                    })
                    .collect();
                break None;
            }
            Some(Err(error)) => break Some(error),
            None => break Some(EngineError::CutOff),
        }
    };
    drop(events);
    supervisor.stop().await;
    match error {
        Some(error) if outcome.text.is_empty() => return Err(error.into()),
        Some(error) => {
            outcome.timings.total_ms = asked.elapsed().as_secs_f64() * 1e3;
            outcome.failure = Some(error.failure());
        }
        None if outcome.finish_reason == FinishReason::Cancelled => {}
        None if outcome.images.len() != image_count => {
            // Never a confident answer about a picture that the model did not get.
            outcome.finish_reason = FinishReason::Failed;
            outcome.failure = Some(Failure::new(
                "imageNotUsed",
                "The engine did not use every picture, so the answer cannot be trusted.",
                "Ask again, or choose another model.",
            ));
        }
        None => {}
    }
    Ok(outcome)
}
