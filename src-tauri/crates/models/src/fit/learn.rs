//! What earlier loads on this computer teach: how far measured memory was from the ledger, as a correction of the reserve.
//!
//! Outside: measuring, and keeping what was measured.

use paddock_checkpoint::{Form, Quant};
use paddock_devices::DeviceKind;
use serde::{Deserialize, Serialize};

use crate::fit::model::FitModel;
use crate::fit::plan::Fit;

/// Lessons of one model that count: older ones may be of an older engine.
const NEWEST: usize = 9;
/// Lessons of other models count if there are so many; one model's oddity says nothing about another.
const LEAST_SIMILAR: usize = 2;
/// Models count as similar if neither has more than so many times the other's parameters.
const SIMILAR_FACTOR: u64 = 4;
/// No correction takes more off the reserve: this is about what the program itself needs.
const MOST_TAKEN_BYTES: i64 = 96 << 20;
/// No correction adds more than this, or half a byte for each parameter of a large model.
const MOST_ADDED_BYTES: i64 = 1 << 30;

/// The way in which a model is loaded, as far as its memory depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadKind {
    /// Id of the model, or of its catalogue entry.
    pub model: String,
    pub device: DeviceKind,
    pub form: Form,
    pub quant: Quant,
    pub parameters: u64,
}

impl LoadKind {
    /// How `model` is loaded.
    #[must_use]
    pub fn of(id: &str, model: &FitModel, device: DeviceKind, quant: Quant) -> Self {
        Self {
            model: id.to_owned(),
            device,
            form: model.form,
            quant,
            parameters: model.parameters,
        }
    }

    fn is_similar(&self, other: &Self) -> bool {
        self.device == other.device
            && self.form == other.form
            && (self.quant == Quant::None) == (other.quant == Quant::None)
            && self.parameters <= other.parameters.saturating_mul(SIMILAR_FACTOR)
            && other.parameters <= self.parameters.saturating_mul(SIMILAR_FACTOR)
    }
}

/// One load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    pub kind: LoadKind,
    /// Measured minus predicted, see [`error_bytes`].
    pub error_bytes: i64,
}

/// How far the ledger was off, for a plan that was made without any correction. `loaded_bytes` is the engine's memory
/// right after the load, when there is no cache yet and nothing was computed: it is compared with weights and reserve.
/// A peak above all that was predicted counts more. A peak below says nothing, as caches grow with what is asked.
#[must_use]
pub fn error_bytes(plan: &Fit, loaded_bytes: u64, peak_bytes: u64) -> i64 {
    let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    if peak_bytes > plan.total_bytes.high {
        return signed(peak_bytes - plan.total_bytes.high);
    }
    let predicted = plan.weights_bytes.saturating_add(plan.reserve_bytes);
    signed(loaded_bytes) - signed(predicted)
}

/// The correction for a load of this kind: the median of what the same model taught, else of what similar ones did, within
/// bounds. `lessons` are newest first.
#[must_use]
pub fn learned_bytes(lessons: &[Lesson], kind: &LoadKind) -> i64 {
    let same: Vec<i64> = errors(lessons, |lesson| lesson.kind == *kind);
    let similar: Vec<i64> = errors(lessons, |lesson| lesson.kind.is_similar(kind));
    let learned = match (same.is_empty(), similar.len()) {
        (false, _) => median(same),
        (true, LEAST_SIMILAR..) => median(similar),
        (true, _) => 0,
    };
    let most = MOST_ADDED_BYTES.max(i64::try_from(kind.parameters / 2).unwrap_or(i64::MAX));
    learned.clamp(-MOST_TAKEN_BYTES, most)
}

fn errors(lessons: &[Lesson], counts: impl Fn(&Lesson) -> bool) -> Vec<i64> {
    lessons
        .iter()
        .filter(|lesson| counts(lesson))
        .take(NEWEST)
        .map(|lesson| lesson.error_bytes)
        .collect()
}

/// The middle one; of an even number, the lower of the two in the middle. 0 for none.
fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    let middle = values.len().saturating_sub(1) / 2;
    values.get(middle).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: i64 = 1_000_000;

    fn kind(model: &str, parameters: u64, quant: Quant) -> LoadKind {
        LoadKind {
            model: model.into(),
            device: DeviceKind::Cpu,
            form: Form::Safetensors,
            quant,
            parameters,
        }
    }

    fn lesson(kind: &LoadKind, error_bytes: i64) -> Lesson {
        Lesson {
            kind: kind.clone(),
            error_bytes,
        }
    }

    #[test]
    fn one_models_own_loads_count_and_one_outlier_does_not() {
        let small = kind("a", 500_000_000, Quant::None);
        let lessons: Vec<Lesson> = [40 * MB, 900 * MB, 50 * MB, 45 * MB, -80 * MB]
            .map(|error| lesson(&small, error))
            .into();
        assert_eq!(learned_bytes(&lessons, &small), 45 * MB);
        assert_eq!(learned_bytes(&lessons[..1], &small), 40 * MB);
        assert_eq!(learned_bytes(&[], &small), 0);
    }

    #[test]
    fn similar_models_teach_and_others_do_not() {
        let small = kind("a", 500_000_000, Quant::None);
        let lessons = [lesson(&small, 60 * MB), lesson(&small, 80 * MB)];
        let likewise = kind("b", 1_500_000_000, Quant::None);
        assert_eq!(learned_bytes(&lessons, &likewise), 60 * MB);
        assert_eq!(learned_bytes(&lessons[..1], &likewise), 0, "one is none");
        for other in [
            kind("b", 30_000_000_000, Quant::None),
            kind("b", 500_000_000, Quant::Q4K),
            LoadKind {
                device: DeviceKind::Cuda,
                ..small.clone()
            },
            LoadKind {
                form: Form::Gguf,
                ..likewise.clone()
            },
        ] {
            assert_eq!(learned_bytes(&lessons, &other), 0, "{other:?}");
        }
    }

    #[test]
    fn new_loads_replace_old_ones() {
        let model = kind("a", 500_000_000, Quant::Q8_0);
        let mut lessons = vec![lesson(&model, 10 * MB); NEWEST];
        lessons.extend(vec![lesson(&model, 500 * MB); 50]);
        assert_eq!(learned_bytes(&lessons, &model), 10 * MB);
    }

    #[test]
    fn what_is_learned_stays_within_reason() {
        let model = kind("a", 500_000_000, Quant::None);
        let learned = |error| learned_bytes(&[lesson(&model, error)], &model);
        assert_eq!(learned(i64::MAX), MOST_ADDED_BYTES);
        assert_eq!(learned(i64::MIN), -MOST_TAKEN_BYTES);
        let large = kind("b", 100_000_000_000, Quant::None);
        let learned = learned_bytes(&[lesson(&large, 20_000 * MB)], &large);
        assert_eq!(learned, 20_000 * MB);
    }
}
