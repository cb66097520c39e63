//! The catalogue: the herd, and models that the engine runs with pictures, with the numbers that planning needs.
//!
//! Outside: models that already lie on this computer (`discover`), downloading (`hub`).
//!
//! The data is `catalogue/models.json`; its parameter counts are those of the published safetensors headers and equal
//! what [`paddock_checkpoint::layout`] makes of each entry's configuration. What is not known is left out there.

use std::sync::LazyLock;

use paddock_checkpoint::{
    Family, Form, Quant, StoredType, Support, WeightClass, WeightGroup, config, layout,
};
use paddock_decode::Tiling;
use serde::Deserialize;
use serde_json::Value;

use crate::fit::{Fit, FitModel, FitRequest, Hardware, Verdict, plan};

/// Whether weights exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Released,
    /// Announced and never released: nothing to download, no numbers.
    Announced,
}

/// A licence, with what has to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Licence {
    pub name: String,
    pub url: Option<String>,
    /// A line that has to accompany the model.
    pub notice: Option<String>,
    /// `Built with Llama`.
    pub badge: Option<String>,
    /// Where it grants less.
    pub regional: Option<String>,
}

/// One model.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogueEntry {
    pub id: String,
    pub name: String,
    /// `owner/name` on the Hub; none if there is nothing to download.
    #[serde(default)]
    pub repository: Option<String>,
    pub description: String,
    pub status: Status,
    /// `text`, `image`.
    pub modalities: Vec<String>,
    /// Exact.
    #[serde(default)]
    pub parameters: Option<u64>,
    /// In the publisher's words.
    #[serde(default)]
    pub active_parameters: Option<String>,
    #[serde(default)]
    pub licence: Option<Licence>,
    /// Whether the publisher wants the licence accepted on its page before a download.
    pub gated: bool,
    /// Type of the weights.
    #[serde(default)]
    stored: Option<StoredType>,
    /// Type of the routed experts, if another.
    #[serde(default)]
    experts: Option<StoredType>,
    /// False: the engine cannot run these files whatever the memory.
    #[serde(default)]
    runs: Option<bool>,
    /// The numbers of `config.json` that decide memory.
    #[serde(default)]
    config: Option<Value>,
}

#[derive(Deserialize)]
struct File {
    version: u32,
    entries: Vec<CatalogueEntry>,
}

const VERSION: u32 = 1;
const TEXT: &str = include_str!("../catalogue/models.json");

static ENTRIES: LazyLock<Vec<CatalogueEntry>> = LazyLock::new(|| {
    match serde_json::from_str::<File>(TEXT) {
        Ok(file) if file.version == VERSION => file.entries,
        // Cannot happen: the file is compiled in and a test reads it.
        _ => Vec::new(),
    }
});

/// All entries: the herd first, then by size.
#[must_use]
pub fn entries() -> &'static [CatalogueEntry] {
    &ENTRIES
}

/// By id, repository, or name (case does not matter).
#[must_use]
pub fn find(text: &str) -> Option<&'static CatalogueEntry> {
    let wanted = text.trim();
    ENTRIES.iter().find(|entry| {
        entry.id.eq_ignore_ascii_case(wanted)
            || entry.name.eq_ignore_ascii_case(wanted)
            || entry.repository.as_deref().is_some_and(|repository| {
                repository.eq_ignore_ascii_case(wanted)
                    || repository
                        .split_once('/')
                        .is_some_and(|(_, name)| name.eq_ignore_ascii_case(wanted))
            })
            || entry
                .id
                .strip_prefix("llama-4-")
                .is_some_and(|short| short.eq_ignore_ascii_case(wanted))
    })
}

impl CatalogueEntry {
    /// Tokens of context it was made for.
    #[must_use]
    pub fn max_context_tokens(&self) -> Option<u32> {
        Some(
            config::shape(self.config.as_ref()?)
                .ok()?
                .max_context_tokens,
        )
    }

    /// Bytes of the weight files, without their headers.
    #[must_use]
    pub fn download_bytes(&self) -> Option<u64> {
        Some(self.weights()?.iter().map(WeightGroup::stored_bytes).sum())
    }

    fn weights(&self) -> Option<Vec<WeightGroup>> {
        let stored = self.stored.unwrap_or(StoredType::BF16);
        let mut groups = layout::groups(self.config.as_ref()?, stored)?;
        if let Some(experts) = self.experts {
            for group in &mut groups {
                if group.class == WeightClass::Experts {
                    group.stored = experts;
                }
            }
        }
        Some(groups)
    }

    /// What the planner needs; none for what was only announced.
    #[must_use]
    pub fn fit_model(&self) -> Option<FitModel> {
        let config = self.config.as_ref()?;
        let architecture = config::architecture(config).ok()?;
        let family = Family::of_architecture(&architecture);
        let overflows_f16 = family.overflows_f16();
        let obstacle = if self.runs == Some(false) {
            Some(format!(
                "{} is made for server GPUs; the engine here cannot run its 8-bit experts.",
                self.name
            ))
        } else if let Support::No { why } = family.support {
            Some(format!("{} cannot run here: {why}.", self.name))
        } else {
            None
        };
        Some(FitModel {
            name: self.name.clone(),
            parameters: self.parameters?,
            form: Form::Safetensors,
            shape: config::shape(config).ok()?,
            weights: self.weights()?,
            quants: if self.experts.is_some() {
                vec![Quant::None]
            } else {
                Quant::ALL.to_vec()
            },
            sees: self.modalities.iter().any(|kind| kind == "image"),
            overflows_f16,
            tiling: Tiling::from_files(config, None, None),
            obstacle,
        })
    }
}

/// Every model that can be planned, as [`plan`] takes them for alternatives: the largest first.
#[must_use]
pub fn fit_models() -> Vec<(String, FitModel)> {
    let mut models: Vec<(String, FitModel)> = ENTRIES
        .iter()
        .filter_map(|entry| Some((entry.id.clone(), entry.fit_model()?)))
        .collect();
    models.sort_by_key(|(_, model)| std::cmp::Reverse(model.parameters));
    models
}

/// The entries with their verdicts for this hardware at the mildest quantisation that fits: what fits first, the
/// largest of those at the top; then what does not, the smallest first; then what was only announced.
#[must_use]
pub fn ranked(hardware: &Hardware) -> Vec<(&'static CatalogueEntry, Option<Fit>)> {
    ranked_with(hardware, |_, _, _| 0)
}

/// As [`ranked`], with the correction that was learned for a model (by the id of its entry) at a quantisation.
#[must_use]
pub fn ranked_with(
    hardware: &Hardware,
    learned_bytes: impl Fn(&str, &FitModel, Quant) -> i64,
) -> Vec<(&'static CatalogueEntry, Option<Fit>)> {
    let mut list: Vec<(&CatalogueEntry, Option<Fit>)> = ENTRIES
        .iter()
        .map(|entry| {
            let fit = entry.fit_model().map(|model| {
                let at = |quant: Quant| {
                    let request = FitRequest {
                        quant: Some(quant),
                        learned_bytes: learned_bytes(&entry.id, &model, quant),
                        ..FitRequest::default()
                    };
                    plan(&model, hardware, &request, &[])
                };
                let mut fits = model.quants.iter().map(|quant| at(*quant));
                fits.find(|fit| fit.verdict == Verdict::Fits)
                    .unwrap_or_else(|| at(model.quants.last().copied().unwrap_or(Quant::None)))
            });
            (entry, fit)
        })
        .collect();
    list.sort_by_key(|(entry, fit)| {
        let size = entry.parameters.unwrap_or(u64::MAX);
        match fit {
            Some(fit) if fit.verdict == Verdict::Fits && entry.runs != Some(false) => {
                (0, u64::MAX - size)
            }
            Some(_) => (1, size),
            None => (2, 0),
        }
    });
    list
}
