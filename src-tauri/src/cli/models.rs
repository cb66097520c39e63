//! `paddock models`: what can run here, and adding to it.
//!
//! Outside: judging a model (the models crate) and keeping the list (the store).

use std::{fmt::Write as _, path::PathBuf};

use clap::{Args, Subcommand};
use paddock_chat::{Chat, known_models};
use paddock_models::ModelEntry;
use serde_json::{Value, json};

use super::{Stop, print};
use crate::{error::CommandError, places::Places};

#[derive(Debug, Args)]
pub struct Models {
    /// Print a JSON array instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a model's folder or a GGUF file to the list; it is checked, and stays where it is.
    Import { path: PathBuf },
}

impl Models {
    pub async fn run(self, places: &Places) -> Result<(), Stop> {
        let json = self.json;
        let models = match self.action {
            None => {
                let config = places.chat_config();
                tokio::task::spawn_blocking(move || known_models(&config))
                    .await
                    .map_err(|error| {
                        CommandError::new(
                            "task_ended",
                            format!("The list could not be made ({error})."),
                            "Try it again.",
                        )
                    })?
                    .map_err(|error| Stop::of(&error))?
            }
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
        });
        Ok(())
    }
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
