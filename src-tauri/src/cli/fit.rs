//! `paddock fit`: whether a model fits, on this computer or on an imagined one.
//!
//! Outside: the plan itself (the models crate).

use std::fmt::Write as _;

use clap::Args;
use paddock_devices::{DevicePreference, report};
use paddock_models::{
    Quant, catalogue,
    fit::{Fit as Plan, FitModel, FitRequest, Hardware, Verdict, parse_bytes, plan},
    inspect_headers,
};

use super::{Stop, print, resolve};
use crate::{error::CommandError, places::Places};

#[derive(Debug, Args)]
pub struct Fit {
    /// A name of the catalogue (`scout`), a model's folder, or a GGUF file.
    model: String,
    /// Plan for so much free memory instead of this computer's: 24GiB, 16GB.
    #[arg(long, conflicts_with = "device")]
    memory: Option<String>,
    /// Plan for other hardware: H100, 8xH100, "RTX 4090", 2x24GB; or a device of this computer: cpu, cuda:0, metal.
    #[arg(long)]
    device: Option<String>,
    /// Tokens of prompt and answer together.
    #[arg(long)]
    context: Option<u32>,
    /// none, Q8_0, Q6K, Q5K or Q4K.
    #[arg(long)]
    quant: Option<Quant>,
    /// Pictures in the prompt, of the most expensive size.
    #[arg(long)]
    images: Option<u32>,
    /// Print one JSON object, all in bytes and tokens.
    #[arg(long)]
    json: bool,
}

impl Fit {
    pub async fn run(self, places: &Places) -> Result<(), Stop> {
        let places = places.clone();
        tokio::task::spawn_blocking(move || self.fit(&places))
            .await
            .map_err(|error| {
                Stop::Failed(CommandError::new(
                    "task_ended",
                    format!("Planning ended early ({error})."),
                    "Try it again.",
                ))
            })?
    }

    fn fit(self, places: &Places) -> Result<(), Stop> {
        let model = self.model(places)?;
        let hardware = self.hardware()?;
        let request = FitRequest {
            quant: self.quant,
            context_tokens: self.context,
            images: self.images,
            ..FitRequest::default()
        };
        let plan = plan(&model, &hardware, &request, &catalogue::fit_models());
        print(&if self.json {
            format!("{}\n", serde_json::to_value(&plan).unwrap_or_default())
        } else {
            words(&plan)
        });
        Ok(())
    }

    fn model(&self, places: &Places) -> Result<FitModel, Stop> {
        if let Some(entry) = catalogue::find(&self.model) {
            return entry.fit_model().ok_or_else(|| {
                bad(
                    "not_released",
                    format!(
                        "{} was announced, but never released: nothing is known of its files.",
                        entry.name
                    ),
                    "See `paddock models` for what there is.",
                )
            });
        }
        let (_, path) = resolve(&self.model, places)?;
        let checkpoint =
            inspect_headers(&path).map_err(|error| Stop::BadInput(error.failure().into()))?;
        Ok(FitModel::from(&checkpoint))
    }

    fn hardware(&self) -> Result<Hardware, Stop> {
        let unknown = |error: String| {
            bad(
                "unknown_hardware",
                error,
                "Write it like 24GiB, H100 or 8xH100.",
            )
        };
        if let Some(memory) = &self.memory {
            return parse_bytes(memory)
                .map(Hardware::of_memory)
                .map_err(|error| unknown(error.to_string()));
        }
        let here = report();
        if let Some(device) = &self.device {
            return match Hardware::of_report(&here, device) {
                Some(hardware) => Ok(hardware),
                None => Hardware::parse(device).map_err(|error| unknown(error.to_string())),
            };
        }
        let selected = here.with_preference(&DevicePreference::Auto);
        Hardware::of_report(&selected, &selected.selected).ok_or_else(|| {
            bad(
                "no_device",
                "This computer's memory could not be found out.".into(),
                "Give it with --memory.",
            )
        })
    }
}

fn bad(code: &str, message: String, next_step: &str) -> Stop {
    Stop::BadInput(CommandError::new(code, message, next_step))
}

fn words(plan: &Plan) -> String {
    let verdict = match plan.verdict {
        Verdict::Fits => "Fits",
        Verdict::Tight => "Tight",
        Verdict::NeedsOffload => "Needs offload",
        Verdict::DoesNotFit => "Does not fit",
    };
    let mut text = format!("{verdict} ({}). {}\n\n", plan.hardware, plan.reason);
    let lines = [
        (format!("weights ({})", plan.quant), plan.weights_bytes),
        (format!("context ({} tokens)", plan.context), plan.kv_bytes),
        (
            format!("images ({} tokens)", plan.image_tokens),
            plan.image_bytes,
        ),
        ("working memory".to_owned(), plan.activation_bytes),
        ("reserve".to_owned(), plan.reserve_bytes),
        ("all, at most".to_owned(), plan.total_bytes.high),
        ("free".to_owned(), plan.available_bytes),
    ];
    for (name, bytes) in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:>26}  {:>10.2} GB", bytes as f64 / 1e9);
    }
    let _ = writeln!(
        text,
        "{:>26}  {:>10} tokens",
        "largest context", plan.max_context
    );
    for alternative in &plan.alternatives {
        let _ = writeln!(text, "- {}", alternative.text);
    }
    text
}
