//! `paddock bench`: how fast a model is on this computer, in medians.
//!
//! Outside: measuring (the chat crate).

use std::fmt::Write as _;

use clap::Args;
use paddock_chat::{BenchReport, bench};
use serde_json::{Value, json};

use super::{Stop, loading::Loading, print};
use crate::places::Places;

#[derive(Debug, Args)]
#[command(after_help = "\
It loads the model, asks short and long questions and about two pictures of its own, and prints medians: milliseconds until
it is loaded, until the first word of an answer to a short question, and until the first word about a picture (a small one,
and one that is cut into four tiles where the model cuts pictures); tokens a second of reading a long prompt and of writing
an answer. A model that takes more than ten seconds to load is loaded once.")]
pub struct Bench {
    #[command(flatten)]
    loading: Loading,
    /// How often everything is measured; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub async fn run(self, places: &Places) -> Result<(), Stop> {
        let config = self.loading.config(places)?;
        let model = config.model_label.name.clone();
        let report = bench(config, self.rounds, |step| {
            if !self.json {
                eprintln!("paddock: {step}");
            }
        })
        .await
        .map_err(|error| Stop::of(&error))?;
        print(&if self.json {
            format!("{}\n", object(&model, self.rounds, &report))
        } else {
            table(&model, self.rounds, &report)
        })?;
        Ok(())
    }
}

fn object(model: &str, rounds: u32, report: &BenchReport) -> Value {
    let rounded = |values: &[f64]| median(values).map(|value| (value * 10.0).round() / 10.0);
    json!({
        "model": model,
        "device": report.device,
        "context_tokens": report.context_tokens,
        "resident_bytes": report.resident_bytes,
        "rounds": rounds,
        "loads": report.load_ms.len(),
        "load_ms": rounded(&report.load_ms),
        "first_token_ms": rounded(&report.first_token_ms),
        "prompt_tokens": prompt_tokens(report),
        "prompt_tokens_per_second": rounded(&report.prompt_tokens_per_second),
        "answer_tokens_per_second": rounded(&report.answer_tokens_per_second),
        "pictures": report.pictures.iter().map(|picture| json!({
            "width_px": picture.size.width_px,
            "height_px": picture.size.height_px,
            "rows": picture.used.rows,
            "columns": picture.used.columns,
            "tokens": picture.used.tokens,
            "first_token_ms": rounded(&picture.first_token_ms),
        })).collect::<Vec<_>>(),
    })
}

fn table(model: &str, rounds: u32, report: &BenchReport) -> String {
    let mut text = format!(
        "{model} on {}, context {} tokens, {} MB; medians of {rounds}\n",
        report.device,
        report.context_tokens,
        report.resident_bytes / 1_000_000
    );
    let mut line = |what: &str, values: &[f64], unit: &str| {
        let value =
            median(values).map_or("not measured".into(), |value| format!("{value:.0} {unit}"));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{what:<44}{value:>16}");
    };
    line("loaded after", &report.load_ms, "ms");
    line(
        "first word of an answer after",
        &report.first_token_ms,
        "ms",
    );
    let reading = format!(
        "reading, {} tokens",
        prompt_tokens(report).unwrap_or_default()
    );
    line(&reading, &report.prompt_tokens_per_second, "tokens/s");
    line("writing", &report.answer_tokens_per_second, "tokens/s");
    for picture in &report.pictures {
        let cut = match (picture.used.rows, picture.used.columns) {
            (0, _) | (_, 0) => String::new(),
            (1, 1) => ", one tile".into(),
            (rows, columns) => format!(", {rows} x {columns} tiles"),
        };
        let what = format!(
            "picture {} x {}{cut}, {} tokens",
            picture.size.width_px, picture.size.height_px, picture.used.tokens
        );
        line(&what, &picture.first_token_ms, "ms");
    }
    text
}

fn prompt_tokens(report: &BenchReport) -> Option<u32> {
    report.prompt_tokens.iter().max().copied()
}

/// Of an even number of values the mean of the two in the middle.
fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get(values.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 30.0]), Some(3.0));
    }
}
