//! Whether a model really sees: three questions about pictures drawn here, asked once for each way of loading it.
//!
//! Outside: whether its files promise vision (the models crate), and whether one answer used its pictures (receipts).

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use image::Rgb;
use paddock_conversation::ModelId;
use paddock_decode::{RgbImage, encode_png};
use paddock_engines::{
    Engine as _, EngineEvent, EngineState, GenerateRequest, ImageData, LoadSpec, PromptMessage,
    PromptPart, PromptRole, Seat,
};
use paddock_models::{ResolvedModel, Sight, stamp};
use serde::{Deserialize, Serialize};

use crate::ChatError;
use crate::chat::Chat;
use crate::load_spec::load_spec;

const DOCUMENT: &str = "sight";
const VERSION: u32 = 1;
/// Nobody is kept waiting: the questions are asked when nothing else was for so long.
const IDLE: Duration = Duration::from_millis(1500);
const LOOK_UP: Duration = Duration::from_millis(20);
const MAX_TOKENS: u32 = 24;
const EDGE_PX: u32 = 336;

/// What was found out, by model and the way it is loaded.
type Verdicts = BTreeMap<String, Verdict>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Verdict {
    sight: Sight,
    /// What it said to each question.
    answers: Vec<String>,
}

/// A picture, a question about it, and the words that tell a right answer.
struct Probe {
    picture: RgbImage,
    question: &'static str,
    /// One of each group must be in the answer.
    right: &'static [&'static [&'static str]],
    /// None of these may be: an answer that lists everything is no answer.
    wrong: &'static [&'static str],
}

impl Probe {
    fn is_right(&self, answer: &str) -> bool {
        let words: Vec<String> = answer
            .split(|c: char| !c.is_alphanumeric())
            .map(str::to_lowercase)
            .collect();
        let said = |word: &&str| words.iter().any(|said| said == word);
        self.right.iter().all(|group| group.iter().any(said)) && !self.wrong.iter().any(said)
    }
}

/// A colour, a digit, a position. The demo model knows neither digits nor corners: it counts, and
/// tells left from right.
fn probes(demo: bool) -> Vec<Probe> {
    const RED: Rgb<u8> = Rgb([220, 40, 40]);
    const BLUE: Rgb<u8> = Rgb([40, 80, 220]);
    const INK: Rgb<u8> = Rgb([20, 20, 20]);
    let disc = |colour, x, y, radius| {
        let mut picture = paper();
        draw_disc(&mut picture, colour, (x, y), radius);
        picture
    };
    let colour = Probe {
        picture: disc(RED, 0.5, 0.5, 0.3),
        question: if demo {
            "What color is the circle?"
        } else {
            "What color is the circle? Answer with one word."
        },
        right: &[&["red"]],
        wrong: &["blue", "green", "yellow", "black", "white"],
    };
    if demo {
        let mut three = paper();
        for (colour, x) in [(RED, 0.2), (BLUE, 0.5), (INK, 0.8)] {
            draw_disc(&mut three, colour, (x, 0.5), 0.11);
        }
        let mut two = paper();
        draw_disc(&mut two, BLUE, (0.25, 0.5), 0.16);
        draw_disc(&mut two, RED, (0.75, 0.5), 0.16);
        return vec![
            colour,
            Probe {
                picture: three,
                question: "How many shapes are there?",
                right: &[&["3", "three"]],
                wrong: &["1", "2", "one", "two"],
            },
            Probe {
                picture: two,
                question: "What is on the left?",
                right: &[&["blue"]],
                wrong: &["red"],
            },
        ];
    }
    let mut seven = paper();
    draw_box(&mut seven, INK, (0.28, 0.18), (0.72, 0.28));
    for step in 0..60_u32 {
        let down = f64::from(step) / 60.0;
        draw_disc(
            &mut seven,
            INK,
            (0.67 - 0.22 * down, 0.23 + 0.57 * down),
            0.05,
        );
    }
    vec![
        colour,
        Probe {
            picture: seven,
            question: "Which digit is in the picture? Answer with the digit only.",
            right: &[&["7", "seven"]],
            wrong: &["0", "1", "2", "3", "4", "5", "6", "8", "9"],
        },
        Probe {
            picture: disc(BLUE, 0.2, 0.8, 0.14),
            question: "In which corner is the circle: top left, top right, bottom left or bottom right?",
            right: &[&["bottom", "lower"], &["left"]],
            wrong: &["top", "upper", "right"],
        },
    ]
}

fn paper() -> RgbImage {
    RgbImage::from_pixel(EDGE_PX, EDGE_PX, Rgb([255, 255, 255]))
}

/// Centre and radius in shares of the edge.
fn draw_disc(picture: &mut RgbImage, colour: Rgb<u8>, centre: (f64, f64), radius: f64) {
    let edge = f64::from(EDGE_PX);
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let (dx, dy) = (
            (f64::from(x) + 0.5) / edge - centre.0,
            (f64::from(y) + 0.5) / edge - centre.1,
        );
        if dx.hypot(dy) <= radius {
            *pixel = colour;
        }
    }
}

fn draw_box(picture: &mut RgbImage, colour: Rgb<u8>, from: (f64, f64), to: (f64, f64)) {
    let at = |share: f64| (share * f64::from(EDGE_PX)) as u32;
    for y in at(from.1)..at(to.1) {
        for x in at(from.0)..at(to.0) {
            picture.put_pixel(x, y, colour);
        }
    }
}

/// The way of loading that a verdict is true of: files, quantisation, device.
fn key(spec: &LoadSpec) -> String {
    let files = stamp(&spec.path).map_or_else(String::new, |stamp| stamp.to_string());
    format!("{}|{}|{}|{files}", spec.model.id, spec.quant, spec.device)
}

impl Chat {
    /// Asks every model that says it sees, once it is loaded and nothing else is going on; `changed` hears what came out.
    pub fn watch_sight(&self, changed: impl Fn(ModelId, Sight) + Send + 'static) {
        // The watch does not keep the data folder open.
        let chat = self.downgrade();
        let mut changes = self.engine_changes();
        tokio::spawn(async move {
            loop {
                let ready = matches!(changes.borrow_and_update().state, EngineState::Ready { .. });
                if ready && let Some(chat) = chat.upgrade() {
                    match chat.examine().await {
                        Ok(Some((id, sight))) => changed(id, sight),
                        Ok(None) => {}
                        Err(error) => {
                            tracing::warn!(%error, "the model's sight could not be tested");
                        }
                    }
                }
                if changes.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// What is known of a model as it would be loaded now. Blocks.
    pub(crate) fn sight_of(&self, spec: &LoadSpec) -> Option<Sight> {
        Some(self.verdicts().ok()?.get(&key(spec))?.sight)
    }

    fn verdicts(&self) -> Result<Verdicts, ChatError> {
        let document = self.store().document(DOCUMENT)?;
        // A document of another version is forgotten: the questions are cheap.
        Ok(document
            .filter(|(version, _)| *version == VERSION)
            .and_then(|(_, json)| serde_json::from_value(json).ok())
            .unwrap_or_default())
    }

    /// Tests the model that is loaded, unless it was tested before or takes no pictures.
    async fn examine(&self) -> Result<Option<(ModelId, Sight)>, ChatError> {
        let settings = self.settings().await;
        let model = self.resolve(settings.chosen.clone()).await?;
        let spec = load_spec(&model, &settings.load_choice(&model.id));
        if !model.vision || self.engine_snapshot().model.as_ref() != Some(&spec.model) {
            return Ok(None);
        }
        let known = spec.clone();
        if self
            .blocking(move |chat| Ok(chat.sight_of(&known)))
            .await?
            .is_some()
        {
            return Ok(None);
        }
        let probes = probes(model.id.is_demo());
        let answers = loop {
            self.until_idle().await;
            if !self.is_loaded(&model, &spec).await {
                return Ok(None);
            }
            tokio::select! {
                biased;
                () = self.until_busy() => {}
                answers = self.ask_all(&spec, &probes) => if let Some(answers) = answers? {
                    break answers;
                },
            }
        };
        let right = probes
            .iter()
            .zip(&answers)
            .filter(|(probe, answer)| probe.is_right(answer))
            .count();
        let sight = match right {
            0 => Sight::Blind,
            all if all == probes.len() => Sight::Sees,
            _ => Sight::Unsure,
        };
        tracing::info!(?sight, ?answers, "the model's sight was tested");
        let id = spec.model.id.clone();
        self.blocking(move |chat| {
            let mut verdicts = chat.verdicts()?;
            verdicts.insert(key(&spec), Verdict { sight, answers });
            let json = serde_json::to_value(verdicts).unwrap_or_default();
            Ok(chat.store().put_document(DOCUMENT, VERSION, &json)?)
        })
        .await?;
        Ok(Some((id, sight)))
    }

    /// Whether the engine has this model and would get it again: it is not loaded for a test.
    async fn is_loaded(&self, model: &ResolvedModel, spec: &LoadSpec) -> bool {
        let snapshot = self.engine_snapshot();
        matches!(snapshot.state, EngineState::Ready { .. })
            && snapshot.model.as_ref() == Some(&spec.model)
            && load_spec(model, &self.settings().await.load_choice(&model.id)) == *spec
    }

    /// None if somebody was faster in asking.
    async fn ask_all(
        &self,
        spec: &LoadSpec,
        probes: &[Probe],
    ) -> Result<Option<Vec<String>>, ChatError> {
        let engines = self.engines();
        let Some(engine) = engines.lease_in_background(Seat::Chosen, spec).await? else {
            return Ok(None);
        };
        let mut answers = Vec::with_capacity(probes.len());
        for probe in probes {
            let png = encode_png(&probe.picture).map_err(|e| ChatError::Refused(e.failure()))?;
            let picture = ImageData {
                mime: "image/png",
                bytes: png.into(),
            };
            let mut events = engine.generate(GenerateRequest {
                messages: vec![PromptMessage {
                    role: PromptRole::User,
                    parts: vec![
                        PromptPart::Image(picture),
                        PromptPart::Text(probe.question.to_owned()),
                    ],
                }],
                temperature: 0.0,
                max_tokens: Some(MAX_TOKENS),
            });
            let mut answer = String::new();
            while let Some(event) = events.next().await {
                match event? {
                    EngineEvent::TextDelta(text) => answer.push_str(&text),
                    EngineEvent::Finished(_) => break,
                    EngineEvent::ReasoningDelta(_) | EngineEvent::Progress(_) => {}
                }
            }
            answers.push(answer);
        }
        Ok(Some(answers))
    }

    async fn until_idle(&self) {
        loop {
            tokio::time::sleep(IDLE).await;
            if self.active().is_empty() {
                return;
            }
        }
    }

    async fn until_busy(&self) {
        while self.active().is_empty() {
            tokio::time::sleep(LOOK_UP).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_answers_are_told_from_wrong_ones_and_from_lists() {
        let [colour, digit, position] = &probes(false)[..] else {
            panic!("three probes")
        };
        for (probe, answer, right) in [
            (colour, "Red.", true),
            (colour, "The circle is red!", true),
            (colour, "It is not red but blue.", false),
            (colour, "I cannot see pictures.", false),
            (digit, "7", true),
            (digit, "Seven", true),
            (digit, "17", false),
            (digit, "0 1 2 3 4 5 6 7 8 9", false),
            (position, "Bottom left", true),
            (position, "The circle is in the bottom-left corner.", true),
            (
                position,
                "top left, top right, bottom left or bottom right",
                false,
            ),
            (position, "", false),
        ] {
            assert_eq!(probe.is_right(answer), right, "{answer}");
        }
    }
}
