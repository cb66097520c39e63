//! `paddock look`: what a model gets of pictures, without running it.
//!
//! Outside: decoding and planning (the decode crate, in a process of its own).

use std::path::{Path, PathBuf};

use clap::Args;
use paddock_decode::{LookReport, Tiling};
use paddock_models::{fit::tiling_of, inspect_headers};
use paddock_pictures::{DecoderConfig, DecoderError, Decoders, Job};
use serde_json::Value;

use super::{Stop, file_name, print, read, resolve};
use crate::{error::CommandError, places::Places};

#[derive(Debug, Args)]
pub struct Look {
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A model's folder, or an id that `paddock models` lists.
    #[arg(long, default_value = "demo")]
    model: String,
    /// Write each picture upright and exactly as the model sees it to this folder, as PNG.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Print a JSON array, one object for each file.
    #[arg(long)]
    json: bool,
}

impl Look {
    pub async fn run(self, places: &Places) -> Result<(), Stop> {
        let (model, of) = (self.model.clone(), places.clone());
        let tiling = tokio::task::spawn_blocking(move || tiling(&model, &of))
            .await
            .map_err(|error| {
                Stop::Failed(CommandError::new(
                    "task_ended",
                    format!("Looking ended early ({error})."),
                    "Try it again.",
                ))
            })??;
        if let Some(folder) = &self.save {
            std::fs::create_dir_all(folder).map_err(|error| not_written(folder, &error))?;
        }
        let decoders = Decoders::new(DecoderConfig::new(places.decoder.clone()));
        let job = Job::Look {
            tiling: Some(tiling),
            save: self.save.is_some(),
        };
        let mut reports = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let name = file_name(file);
            let looked = decoders
                .run(&job, &read(file)?)
                .await
                .and_then(|output| Ok((output.report.ok_or_else(incomplete)?, output.pictures)));
            let (report, pictures) = looked.map_err(|error| refused(&name, &error))?;
            if let Some(folder) = &self.save {
                let number = if self.files.len() > 1 {
                    format!("{}-", reports.len() + 1)
                } else {
                    String::new()
                };
                let stem = file.file_stem().unwrap_or_default().to_string_lossy();
                for (form, png) in ["upright", "seen"].into_iter().zip(pictures) {
                    let path = folder.join(format!("{number}{stem}.{form}.png"));
                    std::fs::write(&path, png).map_err(|error| not_written(&path, &error))?;
                }
            }
            reports.push((name, report));
        }
        self.tell(&reports)
    }

    fn tell(&self, reports: &[(String, LookReport)]) -> Result<(), Stop> {
        if self.json {
            let list: Vec<Value> = reports
                .iter()
                .map(|(name, report)| {
                    let mut object = serde_json::to_value(report).unwrap_or_default();
                    object["file"] = name.as_str().into();
                    object
                })
                .collect();
            print(&format!("{}\n", Value::from(list)))?;
        } else {
            for (name, report) in reports {
                let mut line = format!(
                    "{name}: {}, {} x {} px",
                    report.format.name(),
                    report.upright.width_px,
                    report.upright.height_px
                );
                if let Some(grid) = report.grid {
                    line += &format!(
                        "; the model sees {} x {} px in {} x {} tiles{}",
                        report.seen.width_px,
                        report.seen.height_px,
                        grid.rows,
                        grid.columns,
                        if report.global_tile {
                            " and the whole once more"
                        } else {
                            ""
                        }
                    );
                }
                if let Some(tokens) = report.tokens {
                    line += &format!(", {tokens} tokens");
                }
                for note in &report.notes {
                    line += &format!("\n    {note}");
                }
                print(&format!("{line}\n"))?;
            }
        }
        Ok(())
    }
}

fn tiling(model: &str, places: &Places) -> Result<Tiling, Stop> {
    let (_, path) = resolve(model, places)?;
    let checkpoint =
        inspect_headers(&path).map_err(|error| Stop::BadInput(error.failure().into()))?;
    tiling_of(&checkpoint).ok_or_else(|| {
        Stop::BadInput(CommandError::new(
            "model_cannot_see",
            format!("{} can't see pictures.", checkpoint.name),
            "Choose a model that takes images.",
        ))
    })
}

fn refused(name: &str, error: &DecoderError) -> Stop {
    let failure = error.failure();
    let command_error = CommandError {
        code: failure.code,
        message: format!("{name}: {}", failure.message),
        next_step: failure.next_step,
    };
    if error.is_bad_input() {
        Stop::BadInput(command_error)
    } else {
        Stop::Failed(command_error)
    }
}

fn incomplete() -> DecoderError {
    let detail = "its answer is incomplete".into();
    DecoderError::Died { detail }
}

fn not_written(path: &Path, error: &std::io::Error) -> Stop {
    Stop::Failed(CommandError::new(
        "not_written",
        format!("{} could not be written ({error}).", path.display()),
        "Choose another folder.",
    ))
}
