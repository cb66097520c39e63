//! How fast a model is on this computer: loading, the first word, reading, writing, looking.
//!
//! Outside: arguments and printing (the command line), and judging whether that is fast enough.
//!
//! All times are taken here, as a user waits for them; loading is not part of the others. The engine keeps nothing of an
//! earlier prompt, and every round asks with other words and another picture, so that none is answered from a cache.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use paddock_conversation::ImageSize;
use paddock_decode::{RgbImage, Tiling, encode_png};
use paddock_engines::{
    Engine as _, EngineError, EngineEvent, EngineHandle, EngineState, Finish, GenerateRequest,
    ImageData, ImageUse, LoadSpec, LocalEngine, PromptMessage, PromptPart, PromptRole,
    start_supervisor,
};

use crate::{AskConfig, ChatError};

/// A model that loads faster than this is loaded anew for every round; a larger one only once.
const QUICK_LOAD: Duration = Duration::from_secs(10);
/// Tokens that are asked for where writing is timed. A model may end its answer earlier.
const ANSWER_TOKENS: u32 = 64;
/// Words of the prompt where reading is timed, where the context has room for them.
const LONG_PROMPT_WORDS: u32 = 400;
/// A word is rarely more tokens than this, also for the demo model's small vocabulary.
const TOKENS_A_WORD: u32 = 6;
const SMALL_PX: u32 = 224;
/// Edge of the larger picture where the family's rules are not known.
const LARGE_PX: u32 = 672;

#[derive(Debug, Clone, PartialEq)]
pub struct BenchReport {
    /// As the engine names it.
    pub device: String,
    pub context_tokens: u32,
    /// Resident memory of the engine process after the load.
    pub resident_bytes: u64,
    /// From starting the engine until it was ready; one for each load.
    pub load_ms: Vec<f64>,
    /// From a short question to the first word of its answer.
    pub first_token_ms: Vec<f64>,
    /// Tokens of the long prompt, by rounds.
    pub prompt_tokens: Vec<u32>,
    /// Tokens of the long prompt by the time until the answer began.
    pub prompt_tokens_per_second: Vec<f64>,
    /// Tokens after the first, by the time they took. Empty if the model never said more than one.
    pub answer_tokens_per_second: Vec<f64>,
    /// Empty if the model does not see.
    pub pictures: Vec<PictureBench>,
}

/// One picture with a short question.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureBench {
    /// As it was given to the engine.
    pub size: ImageSize,
    /// What the engine says it made of it.
    pub used: ImageUse,
    /// From the question to the first word of its answer; the picture is encoded and read in that time.
    pub first_token_ms: Vec<f64>,
}

/// Loads the model, asks it `rounds` times (at least once) in each way, and ends the engine. `on_step` is told what is
/// being measured.
///
/// # Errors
/// The model cannot be loaded, or the engine fails or refuses a question.
pub async fn bench(
    config: AskConfig,
    rounds: u32,
    mut on_step: impl FnMut(&str) + Send,
) -> Result<BenchReport, ChatError> {
    let rounds = rounds.max(1);
    let known = config.clone();
    let (spec, tiling) = tokio::task::spawn_blocking(move || known.load_spec())
        .await
        .map_err(|e| ChatError::TaskEnded {
            detail: e.to_string(),
        })??;
    let supervisor = start_supervisor(config.supervisor_config());
    let outcome = measure(&supervisor, spec, tiling.as_ref(), rounds, &mut on_step).await;
    supervisor.stop().await;
    outcome
}

async fn measure(
    supervisor: &EngineHandle,
    spec: LoadSpec,
    tiling: Option<&Tiling>,
    rounds: u32,
    on_step: &mut (dyn FnMut(&str) + Send),
) -> Result<BenchReport, ChatError> {
    on_step("loading");
    let mut load_ms = Vec::new();
    let engine = loop {
        let began = Instant::now();
        let engine = supervisor.restart(spec.clone()).await?;
        load_ms.push(milliseconds(began.elapsed()));
        if load_ms.len() >= rounds as usize || began.elapsed() > QUICK_LOAD {
            break engine;
        }
    };
    let (device, resident_bytes) = match supervisor.snapshot().state {
        EngineState::Ready {
            device,
            resident_bytes,
            ..
        } => (device, resident_bytes),
        _ => (spec.device, 0),
    };
    let mut report = BenchReport {
        device,
        context_tokens: engine.context_tokens(),
        resident_bytes,
        load_ms,
        first_token_ms: Vec::new(),
        prompt_tokens: Vec::new(),
        prompt_tokens_per_second: Vec::new(),
        answer_tokens_per_second: Vec::new(),
        pictures: Vec::new(),
    };
    // Untimed: what is set up only once.
    ask(&engine, vec![text("Hi")], 1).await?;
    on_step("answering");
    for round in 0..rounds {
        let question = format!("Hello number {}. What can you do?", round + 1);
        let answer = ask(&engine, vec![text(question)], ANSWER_TOKENS).await?;
        report.first_token_ms.push(milliseconds(answer.first));
        let tokens = answer
            .finish
            .usage
            .map_or(0, |usage| usage.completion_tokens);
        let writing = answer.total.saturating_sub(answer.first).as_secs_f64();
        if tokens > 1 && writing > 0.0 {
            let speed = f64::from(tokens - 1) / writing;
            report.answer_tokens_per_second.push(speed);
        }
    }
    on_step("reading");
    let words = LONG_PROMPT_WORDS.min(engine.context_tokens() / 2 / TOKENS_A_WORD);
    for round in 0..rounds {
        let answer = ask(&engine, vec![text(long_prompt(round, words))], 1).await?;
        if let Some(usage) = answer.finish.usage {
            let speed = f64::from(usage.prompt_tokens) / answer.first.as_secs_f64();
            report.prompt_tokens.push(usage.prompt_tokens);
            report.prompt_tokens_per_second.push(speed);
        }
    }
    if engine.vision() {
        on_step("looking");
        for size in picture_sizes(tiling) {
            report.pictures.push(look(&engine, size, rounds).await?);
        }
    }
    Ok(report)
}

async fn look(
    engine: &LocalEngine,
    size: ImageSize,
    rounds: u32,
) -> Result<PictureBench, ChatError> {
    let mut first_token_ms = Vec::new();
    let mut used = None;
    for round in 0..rounds {
        let parts = vec![picture(size, round)?, text("What is in this image?")];
        let answer = ask(engine, parts, 1).await?;
        first_token_ms.push(milliseconds(answer.first));
        used = answer
            .finish
            .images
            .filter(|images| images.len() == 1)
            .and_then(|images| images.first().copied());
        if used.is_none() {
            break;
        }
    }
    let Some(used) = used else {
        // A time without the picture would be no time for the picture.
        let detail = "it did not use the picture".into();
        return Err(EngineError::Protocol { detail }.into());
    };
    Ok(PictureBench {
        size,
        used,
        first_token_ms,
    })
}

/// One tile, and the smallest square that is cut into four, where the family cuts at all.
fn picture_sizes(tiling: Option<&Tiling>) -> [ImageSize; 2] {
    let square = |edge| ImageSize::new(edge, edge);
    let tiles = |edge| {
        let grid = tiling.map(|tiling| tiling.plan(square(edge)).grid);
        grid.map_or(0, |grid| grid.rows * grid.columns)
    };
    let single = (1..=SMALL_PX / 56).rev().map(|step| step * 56);
    let four = (1..=48).map(|step| step * 28);
    [
        square(
            single
                .into_iter()
                .find(|e| tiles(*e) == 1)
                .unwrap_or(SMALL_PX),
        ),
        square(
            four.into_iter()
                .find(|e| tiles(*e) == 4)
                .unwrap_or(LARGE_PX),
        ),
    ]
}

/// A picture with some shape in it, another for every round.
fn picture(size: ImageSize, round: u32) -> Result<PromptPart, ChatError> {
    let image = RgbImage::from_fn(size.width_px, size.height_px, |x, y| {
        let share = |at: u32, of: u32| (at * 255 / of.max(1)) as u8;
        let (across, down) = (share(x, size.width_px), share(y, size.height_px));
        if across.abs_diff(128) < 60 && down.abs_diff(128) < 60 {
            image::Rgb([220, 40, (round * 37 % 256) as u8])
        } else {
            image::Rgb([across, down, (round * 53 % 256) as u8])
        }
    });
    let png = encode_png(&image).map_err(|e| ChatError::Refused(e.failure()))?;
    Ok(PromptPart::Image(ImageData {
        mime: "image/png",
        bytes: png.into(),
    }))
}

fn long_prompt(round: u32, words: u32) -> String {
    const WORDS: [&str; 12] = [
        "the", "red", "circle", "is", "on", "the", "left", "of", "a", "blue", "square", "and",
    ];
    let mut prompt = format!("Text {}:", round + 1);
    for word in WORDS.iter().cycle().take(words as usize) {
        prompt.push(' ');
        prompt.push_str(word);
    }
    prompt
}

fn text(text: impl Into<String>) -> PromptPart {
    PromptPart::Text(text.into())
}

struct Answer {
    /// Until the first piece of text, or the end of an answer without any.
    first: Duration,
    /// Until the last piece of text.
    total: Duration,
    finish: Finish,
}

async fn ask(
    engine: &LocalEngine,
    parts: Vec<PromptPart>,
    max_tokens: u32,
) -> Result<Answer, ChatError> {
    let began = Instant::now();
    let mut events = engine.generate(GenerateRequest {
        messages: vec![PromptMessage {
            role: PromptRole::User,
            parts,
        }],
        temperature: 0.0,
        max_tokens: Some(max_tokens),
    });
    let mut spoken = None;
    loop {
        let event = events.next().await;
        let now = began.elapsed();
        match event {
            Some(Ok(EngineEvent::TextDelta(_) | EngineEvent::ReasoningDelta(_))) => {
                let (first, last) = spoken.get_or_insert((now, now));
                *last = now.max(*first);
            }
            Some(Ok(EngineEvent::Progress(_))) => {}
            Some(Ok(EngineEvent::Finished(finish))) => {
                let (first, total) = spoken.unwrap_or((now, now));
                return Ok(Answer {
                    first,
                    total,
                    finish,
                });
            }
            Some(Err(error)) => return Err(error.into()),
            None => return Err(EngineError::CutOff.into()),
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn llama4(tile_px: u32) -> Tiling {
        let config = serde_json::json!({
            "model_type": "llama4",
            "vision_config": {"image_size": tile_px, "patch_size": 14, "pixel_shuffle_ratio": 0.5},
        });
        let preprocessor =
            serde_json::json!({"size": {"height": tile_px, "width": tile_px}, "max_patches": 16});
        Tiling::from_files(&config, Some(&preprocessor), None).unwrap()
    }

    #[test]
    fn asks_about_one_tile_and_about_four() {
        for tile_px in [56, 336] {
            let tiling = llama4(tile_px);
            let tiles: Vec<u32> = picture_sizes(Some(&tiling))
                .map(|size| tiling.plan(size).grid)
                .map(|grid| grid.rows * grid.columns)
                .to_vec();
            assert_eq!(tiles, [1, 4], "tiles of {tile_px} pixels");
        }
        assert_eq!(
            picture_sizes(None),
            [ImageSize::new(224, 224), ImageSize::new(672, 672)]
        );
    }

    #[test]
    fn no_round_repeats_another() {
        let size = ImageSize::new(56, 56);
        assert_ne!(picture(size, 0).unwrap(), picture(size, 1).unwrap());
        assert_ne!(long_prompt(0, 10), long_prompt(1, 10));
    }
}
