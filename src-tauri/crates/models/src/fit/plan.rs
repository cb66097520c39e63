//! The verdict: the ledger against the memory, the largest context, and what would fit instead.
//!
//! Outside: the lines themselves.

use paddock_checkpoint::{Quant, USUAL_CONTEXT_TOKENS};
use paddock_conversation::byte_size;
use paddock_devices::DeviceKind;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::fit::hardware::Hardware;
use crate::fit::ledger::{Ledger, WeightLine, is_server, ledger};
use crate::fit::model::FitModel;
use crate::fit::weights::{ComputeType, compute_type};

/// Contexts below this hold no conversation about a picture.
const LEAST_CONTEXT_TOKENS: u64 = 2048;

/// What to plan.
#[derive(Debug, Clone, Default)]
pub struct FitRequest {
    /// None: as stored, or for imagined hardware the largest that fits.
    pub quant: Option<Quant>,
    /// None: 8,192 or what the model has.
    pub context_tokens: Option<u32>,
    /// Pictures in the prompt, of the most expensive size; none: one if the model sees.
    pub images: Option<u32>,
    /// None: what [`compute_type`] says.
    pub compute: Option<ComputeType>,
    /// Measured minus predicted bytes of earlier loads on this computer; corrects the reserve.
    pub learned_bytes: i64,
}

/// Low and high estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Span {
    // And no more of the cache than it needs.
    /// With a short prompt.
    #[specta(type = u32)]
    pub low: u64,
    // On a processor one that fills the context, on a GPU of 8,192 tokens.
    /// With a long prompt that is read in one piece.
    #[specta(type = u32)]
    pub high: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Even the high estimate.
    Fits,
    /// Only the low estimate.
    Tight,
    DoesNotFit,
}

/// What to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    Quant {
        quant: String,
    },
    Context {
        context: u32,
    },
    Model {
        id: String,
        name: String,
        quant: String,
    },
    Server,
}

/// Something that fits instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Alternative {
    #[serde(flatten)]
    pub change: Change,
    /// High estimate; 0 for a server.
    #[specta(type = u32)]
    pub total_bytes: u64,
    /// One sentence.
    pub text: String,
}

/// The whole answer, as `paddock fit --json` prints it: bytes and tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
pub struct Fit {
    pub model: String,
    #[specta(type = u32)]
    pub parameters: u64,
    pub quant: String,
    /// Tokens.
    pub context: u32,
    pub compute_type: ComputeType,
    pub weights: Vec<WeightLine>,
    #[specta(type = u32)]
    pub weights_bytes: u64,
    /// One more token of context costs this, as this engine allocates.
    #[specta(type = u32)]
    pub kv_bytes_per_token: u64,
    #[specta(type = u32)]
    pub kv_bytes: u64,
    /// As a server with a chunk- and window-aware cache would.
    #[specta(type = u32)]
    pub kv_bytes_window_aware: u64,
    #[specta(type = u32)]
    pub image_tokens: u64,
    #[specta(type = u32)]
    pub image_bytes: u64,
    /// High estimate.
    #[specta(type = u32)]
    pub activation_bytes: u64,
    #[specta(type = u32)]
    pub reserve_bytes: u64,
    pub total_bytes: Span,
    pub hardware: String,
    #[specta(type = u32)]
    pub available_bytes: u64,
    pub verdict: Verdict,
    /// One sentence.
    pub reason: String,
    /// Largest context that fits, in tokens; 0 if none does.
    pub max_context: u32,
    pub alternatives: Vec<Alternative>,
}

struct Plan<'a> {
    model: &'a FitModel,
    hardware: &'a Hardware,
    images: u64,
    compute: ComputeType,
    learned: i64,
}

impl Plan<'_> {
    fn ledger(&self, quant: Quant, context: u64) -> Ledger {
        let mut lines = ledger(
            self.model,
            self.hardware,
            quant,
            self.compute,
            context,
            self.images,
        );
        lines.reserve_bytes = lines.reserve_bytes.saturating_add_signed(self.learned);
        lines
    }

    fn total(&self, lines: &Ledger) -> Span {
        let fixed = lines.weights_bytes.saturating_add(lines.reserve_bytes);
        // The vision tower is done before the language model reads its features: the larger of both counts.
        let with = |kv: u64, activation: u64| {
            fixed
                .saturating_add(kv)
                .saturating_add(activation.max(lines.image_bytes))
        };
        Span {
            low: with(lines.kv_low_bytes, lines.activation_low_bytes),
            high: with(lines.kv_bytes, lines.activation_high_bytes),
        }
    }

    fn high(&self, quant: Quant, context: u64) -> u64 {
        self.total(&self.ledger(quant, context)).high
    }

    /// What it takes on the processor instead of a GPU, if that fits into the computer's memory. The engine puts a model on
    /// one device as a whole.
    fn on_the_processor(&self, quant: Quant, context: u64) -> Option<u64> {
        if self.hardware.kind() == DeviceKind::Cpu || is_server(self.hardware) {
            return None;
        }
        let hardware = &Hardware::of_memory(self.hardware.ram_free_bytes);
        let there = Plan {
            hardware,
            compute: compute_type(DeviceKind::Cpu, self.model),
            learned: 0,
            ..*self
        };
        let high = there.high(quant, context);
        (high <= hardware.total_bytes()).then_some(high)
    }

    /// Largest context whose high estimate fits; the estimate only grows with the context.
    fn max_context(&self, quant: Quant) -> u64 {
        let available = self.hardware.total_bytes();
        let (mut fits, mut not) = (0, u64::from(self.model.shape.max_context_tokens) + 1);
        while not - fits > 1 {
            let middle = fits + (not - fits) / 2;
            if self.high(quant, middle) <= available {
                fits = middle;
            } else {
                not = middle;
            }
        }
        fits
    }
}

/// Plans `model` on `hardware`. `others` are looked through for smaller models, best first.
#[must_use]
pub fn plan(
    model: &FitModel,
    hardware: &Hardware,
    request: &FitRequest,
    others: &[(String, FitModel)],
) -> Fit {
    let compute = request
        .compute
        .unwrap_or_else(|| compute_type(hardware.kind(), model));
    let images = request
        .images
        .unwrap_or(u32::from(model.sees))
        .min(64)
        .into();
    let plan = Plan {
        model,
        hardware,
        images,
        compute,
        learned: request.learned_bytes,
    };
    let context = u64::from(
        request
            .context_tokens
            .unwrap_or(USUAL_CONTEXT_TOKENS)
            .clamp(1, model.shape.max_context_tokens.max(1)),
    );
    let quant = request
        .quant
        .filter(|quant| model.quants.contains(quant))
        .or_else(|| model.quants.first().copied())
        .unwrap_or(Quant::None);
    let lines = plan.ledger(quant, context);
    let total_bytes = plan.total(&lines);
    let available_bytes = hardware.total_bytes();
    let max_context = plan.max_context(quant);
    // A context that is asked for has to fit as a whole; only what a prompt that fills it takes besides may not.
    let with_context = total_bytes
        .low
        .saturating_add(lines.kv_bytes.saturating_sub(lines.kv_low_bytes));
    let verdict = if total_bytes.high <= available_bytes {
        Verdict::Fits
    } else if with_context <= available_bytes {
        Verdict::Tight
    } else {
        Verdict::DoesNotFit
    };
    let alternatives = if verdict == Verdict::Fits && model.obstacle.is_none() {
        Vec::new()
    } else {
        alternatives(&plan, quant, context, max_context, others)
    };
    let mut reason = reason(model, hardware, verdict, &lines, total_bytes, max_context);
    if verdict == Verdict::DoesNotFit
        && model.obstacle.is_none()
        && let Some(high) = plan.on_the_processor(quant, context)
    {
        reason.push_str(&format!(
            " With the processor as the device it needs {} of the computer's memory, which are free; it answers more slowly there.",
            byte_size(high)
        ));
    }
    Fit {
        model: model.name.clone(),
        parameters: model.parameters,
        quant: quant.as_str().to_owned(),
        context: context as u32,
        compute_type: compute,
        weights: lines.weights,
        weights_bytes: lines.weights_bytes,
        kv_bytes_per_token: lines.kv_bytes_per_token,
        kv_bytes: lines.kv_bytes,
        kv_bytes_window_aware: lines.kv_bytes_window_aware,
        image_tokens: lines.image_tokens,
        image_bytes: lines.image_bytes,
        activation_bytes: lines.activation_high_bytes,
        reserve_bytes: lines.reserve_bytes,
        total_bytes,
        hardware: hardware.name.clone(),
        available_bytes,
        verdict,
        reason,
        max_context: max_context as u32,
        alternatives,
    }
}

fn reason(
    model: &FitModel,
    hardware: &Hardware,
    verdict: Verdict,
    lines: &Ledger,
    total: Span,
    max_context: u64,
) -> String {
    let available = byte_size(hardware.total_bytes());
    let needs = byte_size(total.high);
    let name = &model.name;
    let mut text = match verdict {
        Verdict::Fits => format!("{name} needs {needs} and {available} are free."),
        Verdict::Tight => format!(
            "{name} needs {} to {needs} and {available} are free: short questions work, long ones may not.",
            byte_size(total.low)
        ),
        Verdict::DoesNotFit if lines.weights_bytes > hardware.total_bytes() => format!(
            "The weights of {name} alone are {}, and {available} are free.",
            byte_size(lines.weights_bytes)
        ),
        Verdict::DoesNotFit if max_context >= LEAST_CONTEXT_TOKENS => format!(
            "{name} needs {needs} with this context, and {available} are free; up to {max_context} tokens fit."
        ),
        Verdict::DoesNotFit => {
            format!("{name} needs {needs}, and {available} are free.")
        }
    };
    if let Some(obstacle) = &model.obstacle {
        text.push(' ');
        text.push_str(obstacle);
    }
    text
}

fn alternatives(
    plan: &Plan<'_>,
    quant: Quant,
    context: u64,
    max_context: u64,
    others: &[(String, FitModel)],
) -> Vec<Alternative> {
    let available = plan.hardware.total_bytes();
    let mut found = Vec::new();
    let runs = plan.model.obstacle.is_none();
    // The mildest quantisation that fits.
    for smaller in plan
        .model
        .quants
        .iter()
        .copied()
        .filter(|other| runs && *other > quant)
    {
        let high = plan.high(smaller, context);
        if high <= available {
            found.push(Alternative {
                change: Change::Quant {
                    quant: smaller.as_str().to_owned(),
                },
                total_bytes: high,
                text: format!("Quantised to {smaller} it needs {}.", byte_size(high)),
            });
            break;
        }
    }
    if runs && max_context >= LEAST_CONTEXT_TOKENS && max_context < context {
        let high = plan.high(quant, max_context);
        found.push(Alternative {
            change: Change::Context {
                context: max_context as u32,
            },
            total_bytes: high,
            text: format!(
                "With {max_context} tokens of context it needs {}.",
                byte_size(high)
            ),
        });
    }
    let mut smaller: Vec<Alternative> = others
        .iter()
        .filter(|(_, other)| other.parameters < plan.model.parameters && other.obstacle.is_none())
        .filter(|(_, other)| other.sees || !plan.model.sees)
        .filter_map(|(id, other)| fitting(id, other, plan, context))
        .collect();
    smaller.truncate(3);
    found.append(&mut smaller);
    if !is_server(plan.hardware) {
        found.push(Alternative {
            change: Change::Server,
            total_bytes: 0,
            text: "A server with enough memory can run it (vLLM, llama-server); Paddock cannot use one yet."
                .to_owned(),
        });
    }
    found
}

/// `other` at the mildest quantisation that fits.
fn fitting(id: &str, other: &FitModel, plan: &Plan<'_>, context: u64) -> Option<Alternative> {
    let context = context.min(other.shape.max_context_tokens.into());
    let there = Plan {
        model: other,
        hardware: plan.hardware,
        images: u64::from(other.sees),
        compute: compute_type(plan.hardware.kind(), other),
        learned: plan.learned,
    };
    let (quant, high) = other
        .quants
        .iter()
        .map(|quant| (*quant, there.high(*quant, context)))
        .find(|(_, high)| *high <= plan.hardware.total_bytes())?;
    let how = match quant {
        Quant::None => String::new(),
        quant => format!(" quantised to {quant}"),
    };
    Some(Alternative {
        change: Change::Model {
            id: id.to_owned(),
            name: other.name.clone(),
            quant: quant.as_str().to_owned(),
        },
        total_bytes: high,
        text: format!("{}{how} needs {}.", other.name, byte_size(high)),
    })
}
