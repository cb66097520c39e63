//! `paddock diagnostics`: what somebody who helps needs to know.
//!
//! Outside: what that is (`crate::diagnostics`).

use clap::Args;

use super::{Stop, print};
use crate::{diagnostics, error::CommandError, places::Places};

#[derive(Debug, Args)]
pub struct Diagnostics {
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl Diagnostics {
    pub async fn run(self, places: &Places) -> Result<(), Stop> {
        let places = places.clone();
        let report = tokio::task::spawn_blocking(move || diagnostics::of_folder(&places))
            .await
            .map_err(|error| {
                Stop::Failed(CommandError::new(
                    "task_ended",
                    format!("The report could not be made ({error})."),
                    "Try it again.",
                ))
            })?;
        print(&if self.json {
            format!("{}\n", report.json())
        } else {
            report.text()
        })
    }
}
