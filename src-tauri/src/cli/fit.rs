//! `paddock fit`: whether a model fits, on this computer or on an imagined one.
//!
//! Outside: the plan itself (the models crate).

use std::{fmt::Write as _, path::Path};

use clap::Args;
use paddock_chat::{Learned, hub_checkpoint};
use paddock_devices::{DevicePreference, report};
use paddock_hub::Reference;
use paddock_models::{
    Quant, catalogue,
    fit::{Fit as Plan, FitModel, FitRequest, Hardware, Verdict, parse_bytes, plan},
    inspect,
};

use super::{Stop, print, resolve};
use crate::{error::CommandError, places::Places};

#[derive(Debug, Args)]
pub struct Fit {
    /// A name of the catalogue (`scout`), a model's folder, a GGUF file, or owner/name on the Hub, of which only the headers
    /// are read.
    model: String,
    /// Plan for so much free memory instead of this computer's: 24GiB, 16GB. Alone it is memory of a processor; with
    /// --device it is what each of those devices has free.
    #[arg(long)]
    memory: Option<String>,
    /// Plan for other hardware: H100, 8xH100, "RTX 4090", 2x24GB, cpu:64GB; or a device of this computer: cpu, cuda:0,
    /// metal. Without --memory all of an imagined device's memory is free, and of this computer's what is free now.
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
    /// A mirror of the Hub; default: HF_ENDPOINT, then the Hub itself.
    #[arg(long)]
    endpoint: Option<String>,
    /// Print one JSON object, all in bytes and tokens.
    #[arg(long)]
    json: bool,
}

impl Fit {
    pub async fn run(self, places: &Places) -> Result<(), Stop> {
        let remote = self.remote().await?;
        let places = places.clone();
        tokio::task::spawn_blocking(move || self.fit(&places, remote))
            .await
            .map_err(|error| {
                Stop::Failed(CommandError::new(
                    "task_ended",
                    format!("Planning ended early ({error})."),
                    "Try it again.",
                ))
            })?
    }

    /// The model on the Hub, if the name is one of neither the catalogue nor a path.
    async fn remote(&self) -> Result<Option<(String, FitModel)>, Stop> {
        let elsewhere = catalogue::find(&self.model).is_some() || Path::new(&self.model).exists();
        if elsewhere || self.model.parse::<Reference>().is_err() {
            return Ok(None);
        }
        let checkpoint = hub_checkpoint(self.endpoint.clone(), &self.model)
            .await
            .map_err(|error| Stop::of(&error))?;
        Ok(Some((self.model.clone(), FitModel::from(&checkpoint))))
    }

    fn fit(self, places: &Places, remote: Option<(String, FitModel)>) -> Result<(), Stop> {
        let (id, model) = match remote {
            Some(found) => found,
            None => self.model(places)?,
        };
        let hardware = self.hardware()?;
        let learned_bytes = if self.is_here() {
            let quant = self.quant.or(model.quants.first().copied());
            // Predictions without what was learned are better than none.
            Learned::in_folder(&places.data).unwrap_or_default().bytes(
                &id,
                &model,
                hardware.kind(),
                quant.unwrap_or(Quant::None),
            )
        } else {
            0
        };
        let request = FitRequest {
            quant: self.quant,
            context_tokens: self.context,
            images: self.images,
            learned_bytes,
            ..FitRequest::default()
        };
        let plan = plan(&model, &hardware, &request, &catalogue::fit_models());
        print(&if self.json {
            format!("{}\n", serde_json::to_value(&plan).unwrap_or_default())
        } else {
            words(&plan)
        })?;
        Ok(())
    }

    /// Whether the plan is for this computer as it is.
    fn is_here(&self) -> bool {
        self.memory.is_none() && self.device.is_none()
    }

    /// The model with its id.
    fn model(&self, places: &Places) -> Result<(String, FitModel), Stop> {
        if let Some(entry) = catalogue::find(&self.model) {
            let model = entry.fit_model().ok_or_else(|| {
                bad(
                    "not_released",
                    format!(
                        "{} was announced, but never released: nothing is known of its files.",
                        entry.name
                    ),
                    "See `paddock models --catalogue` for what there is.",
                )
            })?;
            return Ok((entry.id.clone(), model));
        }
        let (id, path) = resolve(&self.model, places)?;
        let checkpoint = inspect(&path).map_err(|error| Stop::BadInput(error.failure().into()))?;
        Ok((id.to_string(), FitModel::from(&checkpoint)))
    }

    fn hardware(&self) -> Result<Hardware, Stop> {
        let unknown = |error: String| {
            bad(
                "unknown_hardware",
                error,
                "Write it like 24GiB, H100 or 8xH100.",
            )
        };
        let memory = self
            .memory
            .as_deref()
            .map(parse_bytes)
            .transpose()
            .map_err(|error| unknown(error.to_string()))?;
        let Some(device) = &self.device else {
            return memory.map_or_else(here, |bytes| Ok(Hardware::of_memory(bytes)));
        };
        let hardware = match Hardware::of_report(&report(), device) {
            Some(hardware) => hardware,
            None => Hardware::parse(device).map_err(|error| unknown(error.to_string()))?,
        };
        Ok(match memory {
            Some(bytes) => hardware.with_memory(bytes),
            None => hardware,
        })
    }
}

/// This computer as it is.
pub fn here() -> Result<Hardware, Stop> {
    let report = report().with_preference(&DevicePreference::Auto);
    Hardware::of_report(&report, &report.selected).ok_or_else(|| {
        bad(
            "no_device",
            "This computer's memory could not be found out.".into(),
            "Give it with --memory.",
        )
    })
}

fn bad(code: &str, message: String, next_step: &str) -> Stop {
    Stop::BadInput(CommandError::new(code, message, next_step))
}

pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fits => "Fits",
        Verdict::Tight => "Tight",
        Verdict::DoesNotFit => "Does not fit",
    }
}

fn words(plan: &Plan) -> String {
    let verdict = verdict(plan.verdict);
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
