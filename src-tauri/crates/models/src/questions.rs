//! What a page asks about memory, and the catalogue as it is shown: the types that cross, and their answers.
//!
//! Outside: counting (`fit`), what was measured on this computer, and reading a repository of the Hub.

use paddock_checkpoint::Quant;
use paddock_conversation::ModelId;
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::catalogue::{self, CatalogueEntry, Licence, Status};
use crate::entry::ModelEntry;
use crate::error::ModelsError;
use crate::fit::{Fit, FitModel, FitRequest, Hardware, plan};

/// A line of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueLine {
    pub id: String,
    pub name: String,
    pub description: String,
    /// `owner/name` on the Hub; none if there is nothing to download.
    pub repository: Option<String>,
    pub status: CatalogueStatus,
    /// `text`, `image`.
    pub modalities: Vec<String>,
    /// Exact.
    #[specta(type = Option<u32>)]
    pub parameters: Option<u64>,
    /// In the publisher's words.
    pub active_parameters: Option<String>,
    pub licence: Option<LicenceFacts>,
    /// Whether the publisher wants the licence accepted on its page before a download.
    pub gated: bool,
    #[specta(type = Option<u32>)]
    pub download_bytes: Option<u64>,
    pub max_context_tokens: Option<u32>,
    /// The same model where it already lies on this computer.
    pub on_disk: Option<ModelId>,
    /// At the mildest quantisation that fits; none for what was only announced.
    pub fit: Option<Fit>,
}

/// Whether weights exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum CatalogueStatus {
    Released,
    Announced,
}

/// A licence, with what has to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct LicenceFacts {
    pub name: String,
    pub url: Option<String>,
    /// A line that has to accompany the model.
    pub notice: Option<String>,
    /// `Built with Llama`.
    pub badge: Option<String>,
    /// Where it grants less.
    pub regional: Option<String>,
}

/// Which model is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum FitTarget {
    Catalogue {
        id: String,
    },
    Model {
        id: ModelId,
    },
    /// `owner/name` on the Hub, by its headers alone.
    Hub {
        repository: String,
    },
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct FitQuestion {
    pub target: FitTarget,
    /// Tokens of prompt and answer together; none: as much as is usual.
    pub context: Option<u32>,
    /// None: as stored.
    pub quant: Option<String>,
    /// Pictures in the prompt; none: one if the model takes any.
    pub images: Option<u32>,
    /// `24GiB`, `8xH100`; none: this computer as it is now.
    pub hardware: Option<String>,
}

impl From<&Licence> for LicenceFacts {
    fn from(licence: &Licence) -> Self {
        Self {
            name: licence.name.clone(),
            url: licence.url.clone(),
            notice: licence.notice.clone(),
            badge: licence.badge.clone(),
            regional: licence.regional.clone(),
        }
    }
}

/// The catalogue as [`catalogue::ranked_with`] sorts it for this hardware, with what of it lies on this computer.
/// `learned_bytes` is the correction that was learned for a model (by the id of its entry) at a quantisation.
#[must_use]
pub fn catalogue_lines(
    hardware: &Hardware,
    listed: &[ModelEntry],
    learned_bytes: impl Fn(&str, &FitModel, Quant) -> i64,
) -> Vec<CatalogueLine> {
    catalogue::ranked_with(hardware, learned_bytes)
        .into_iter()
        .map(|(entry, fit)| CatalogueLine {
            id: entry.id.clone(),
            name: entry.name.clone(),
            description: entry.description.clone(),
            repository: entry.repository.clone(),
            status: match entry.status {
                Status::Released => CatalogueStatus::Released,
                Status::Announced => CatalogueStatus::Announced,
            },
            modalities: entry.modalities.clone(),
            parameters: entry.parameters,
            active_parameters: entry.active_parameters.clone(),
            licence: entry.licence.as_ref().map(LicenceFacts::from),
            gated: entry.gated,
            download_bytes: entry.download_bytes(),
            max_context_tokens: entry.max_context_tokens(),
            on_disk: on_disk(entry, listed),
            fit,
        })
        .collect()
}

/// The listed model that is this entry: the repository's name and the exact number of parameters are the same. Copies of
/// other owners count.
fn on_disk(entry: &CatalogueEntry, listed: &[ModelEntry]) -> Option<ModelId> {
    let (_, name) = entry.repository.as_deref()?.split_once('/')?;
    let same = |model: &&ModelEntry| {
        model.ready
            && model.name.eq_ignore_ascii_case(name)
            && Some(model.parameters) == entry.parameters
    };
    listed.iter().find(same).map(|model| model.id.clone())
}

/// A model of the catalogue to plan for, with its id there.
///
/// # Errors
/// It is not in the catalogue, or was never released.
pub(crate) fn catalogued(id: &str) -> Result<(String, FitModel), ModelsError> {
    let entry = catalogue::find(id).ok_or_else(|| {
        ModelsError::refused(
            "notInCatalogue",
            format!("There is no model {id:?} in the catalogue."),
            "Choose one of the list.",
        )
    })?;
    let model = entry.fit_model().ok_or_else(|| {
        ModelsError::refused(
            "notReleased",
            format!(
                "{} was announced, but never released: nothing is known of its files.",
                entry.name
            ),
            "Choose a released model.",
        )
    })?;
    Ok((entry.id.clone(), model))
}

/// Plans `model`. `here` is this computer as it is now, asked for unless other hardware is imagined; `learned_bytes` the
/// correction that was learned for it at a quantisation.
///
/// # Errors
/// There is no such hardware or quantisation, or `here` fails.
pub fn answer<E: From<ModelsError>>(
    question: &FitQuestion,
    model: &FitModel,
    here: impl FnOnce() -> Result<Hardware, E>,
    learned_bytes: impl FnOnce(&Hardware, Quant) -> Result<i64, E>,
) -> Result<Fit, E> {
    let quant = question
        .quant
        .as_deref()
        .map(str::parse::<Quant>)
        .transpose()
        .map_err(|error| {
            ModelsError::refused("unknownQuant", error.to_string(), "Choose one of the list.")
        })?;
    let (hardware, learned_bytes) = match &question.hardware {
        Some(text) => {
            let hardware = Hardware::imagined(text).map_err(|error| {
                let next_step = "Write it like 24GiB, H100 or 8xH100.";
                ModelsError::refused("unknownHardware", error.to_string(), next_step)
            })?;
            (hardware, 0)
        }
        None => {
            let hardware = here()?;
            let as_planned = quant
                .filter(|quant| model.quants.contains(quant))
                .or_else(|| model.quants.first().copied())
                .unwrap_or(Quant::None);
            let bytes = learned_bytes(&hardware, as_planned)?;
            (hardware, bytes)
        }
    };
    let request = FitRequest {
        quant,
        context_tokens: question.context,
        images: question.images,
        compute: None,
        learned_bytes,
    };
    Ok(plan(model, &hardware, &request, &catalogue::fit_models()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, parameters: u64) -> ModelEntry {
        let demo =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../resources/demo-model");
        let checkpoint = paddock_checkpoint::inspect_headers(&demo).unwrap();
        ModelEntry {
            name: name.into(),
            parameters,
            ..ModelEntry::from_checkpoint(ModelId::local(&format!("/m/{name}")), &checkpoint)
        }
    }

    #[test]
    fn what_lies_on_this_computer_is_told_by_name_and_size() {
        let hardware = Hardware::of_memory(16 << 30);
        let models = [
            listed("smolvlm-256m-instruct", 256_484_928),
            listed("SmolVLM-500M-Instruct", 7),
        ];
        let lines = catalogue_lines(&hardware, &models, |_, _, _| 0);
        assert_eq!(lines.len(), catalogue::entries().len());
        let line = |id: &str| lines.iter().find(|line| line.id == id).unwrap();
        assert_eq!(
            line("smolvlm-256m").on_disk.as_ref().map(ModelId::as_str),
            Some("local:/m/smolvlm-256m-instruct")
        );
        assert_eq!(
            line("smolvlm-500m").on_disk,
            None,
            "another model of its name"
        );
        assert!(
            line("llama-4-scout")
                .licence
                .as_ref()
                .unwrap()
                .badge
                .is_some()
        );
        let behemoth = line("llama-4-behemoth");
        assert_eq!(behemoth.status, CatalogueStatus::Announced);
        assert!(behemoth.fit.is_none() && behemoth.repository.is_none());
    }
}
