//! `paddock models`: what can run here, and adding to it.
//!
//! Outside: judging a model (the models crate) and keeping the list (the store).

use std::{fmt::Write as _, path::PathBuf};

use clap::{Args, Subcommand};
use paddock_chat::{CatalogueLine, CatalogueStatus, Chat, Learned, catalogue_lines, known_models};
use paddock_models::ModelEntry;
use serde_json::{Value, json};

use super::{Stop, download, fit, print};
use crate::{error::CommandError, places::Places};

#[derive(Debug, Args)]
pub struct Models {
    /// Print a JSON array instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// List the catalogue instead, what this computer can run first, with sizes, licences and verdicts.
    #[arg(long)]
    catalogue: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a model's folder or a GGUF file to the list; it is checked, and stays where it is.
    Import { path: PathBuf },
    /// Download a model from the Hub; every file is verified. It needs the window to be closed.
    Download(download::Download),
}

impl Models {
    pub async fn run(self, places: &Places) -> Result<(), Stop> {
        let json = self.json;
        if self.catalogue && self.action.is_none() {
            let places = places.clone();
            return blocking(move || catalogue(&places, json)).await?;
        }
        let models = match self.action {
            None => {
                let config = places.chat_config();
                blocking(move || known_models(&config))
                    .await?
                    .map_err(|error| Stop::of(&error))?
            }
            Some(Action::Download(download)) => return download.run(places, json).await,
            Some(Action::Import { path }) => {
                let chat = Chat::open(places.chat_config())
                    .await
                    .map_err(|error| Stop::of(&error))?;
                let added = chat.add_local_model(path).await;
                chat.shutdown().await;
                vec![added.map_err(|error| Stop::of(&error))?]
            }
        };
        print(&if json {
            format!("{}\n", models.iter().map(object).collect::<Value>())
        } else {
            table(&models)
        })?;
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CommandError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        CommandError::new(
            "task_ended",
            format!("The list could not be made ({error})."),
            "Try it again.",
        )
    })
}

fn catalogue(places: &Places, json: bool) -> Result<(), Stop> {
    let listed = known_models(&places.chat_config()).map_err(|error| Stop::of(&error))?;
    // Verdicts without what was learned are better than none.
    let learned = Learned::in_folder(&places.data).unwrap_or_default();
    let hardware = fit::here()?;
    let lines = catalogue_lines(&hardware, &listed, |id, model, quant| {
        learned.bytes(id, model, hardware.kind(), quant)
    });
    print(&if json {
        format!(
            "{}\n",
            lines.iter().map(catalogue_object).collect::<Value>()
        )
    } else {
        lines.iter().map(catalogue_words).collect()
    })?;
    Ok(())
}

fn catalogue_object(line: &CatalogueLine) -> Value {
    json!({
        "id": line.id,
        "name": line.name,
        "description": line.description,
        "repository": line.repository,
        "status": line.status,
        "modalities": line.modalities,
        "parameters": line.parameters,
        "active_parameters": line.active_parameters,
        "licence": line.licence,
        "gated": line.gated,
        "download_bytes": line.download_bytes,
        "max_context_tokens": line.max_context_tokens,
        "on_disk": line.on_disk.as_ref().map(ToString::to_string),
        "fit": line.fit,
    })
}

fn catalogue_words(line: &CatalogueLine) -> String {
    let mut text = format!("{}\n    {}", line.id, line.name);
    // Writing to a string cannot fail.
    let _ = match (&line.fit, line.status) {
        (Some(fit), _) => writeln!(
            text,
            ": {} ({}). {}",
            fit::verdict(fit.verdict),
            fit.quant,
            fit.reason
        ),
        (None, CatalogueStatus::Announced) => writeln!(text, ": announced, never released."),
        (None, CatalogueStatus::Released) => writeln!(text),
    };
    let _ = writeln!(text, "    {}", line.description);
    if let Some(bytes) = line.download_bytes {
        let _ = writeln!(text, "    {:.1} GB to download", bytes as f64 / 1e9);
    }
    if let Some(licence) = &line.licence {
        let gated = if line.gated {
            ", to be accepted on the model's page"
        } else {
            ""
        };
        let _ = writeln!(text, "    {}{gated}", licence.name);
    }
    if let Some(id) = &line.on_disk {
        let _ = writeln!(text, "    on this computer: {id}");
    }
    text
}

fn object(model: &ModelEntry) -> Value {
    json!({
        "id": model.id.to_string(),
        "name": model.name,
        "description": model.description,
        "place": model.place,
        "ready": model.ready,
        "vision": model.vision,
        "demo": model.demo,
        "source": model.source,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "bytes": model.bytes,
        "max_context_tokens": model.max_context_tokens,
        "quants": model.quants,
        "problem": model.problem.as_ref().map(|problem| json!({
            "code": problem.code,
            "message": problem.message,
            "next_step": problem.next_step,
        })),
    })
}

fn table(models: &[ModelEntry]) -> String {
    let mut text = String::new();
    for model in models {
        let state = match (model.ready, model.vision) {
            (false, _) => "cannot run",
            (true, true) => "text and images",
            (true, false) => "text",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}\n    {} ({state})", model.id, model.name);
        if !model.description.is_empty() {
            let _ = writeln!(text, "    {}", model.description);
        }
        if let Some(problem) = &model.problem {
            let _ = writeln!(text, "    {} {}", problem.message, problem.next_step);
        }
    }
    text
}
