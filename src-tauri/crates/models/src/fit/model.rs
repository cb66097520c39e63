//! What the planner needs to know of a model, from its headers or from the catalogue.
//!
//! Outside: counting.

use paddock_checkpoint::{Checkpoint, Form, Quant, Shape, Vision, WeightGroup};
use paddock_decode::Tiling;

/// A model to plan for.
#[derive(Debug, Clone)]
pub struct FitModel {
    pub name: String,
    pub parameters: u64,
    pub form: Form,
    pub shape: Shape,
    pub weights: Vec<WeightGroup>,
    /// Quantisations that may be chosen; the first is as stored.
    pub quants: Vec<Quant>,
    /// Whether pictures are to be planned for.
    pub sees: bool,
    /// Whether its activations are larger than f16 can hold.
    pub overflows_f16: bool,
    pub tiling: Option<Tiling>,
    /// Why the engine cannot run it whatever the memory; a sentence.
    pub obstacle: Option<String>,
}

impl From<&Checkpoint> for FitModel {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            name: checkpoint.name.clone(),
            parameters: checkpoint.parameters,
            form: checkpoint.form,
            shape: checkpoint.shape.clone(),
            weights: checkpoint.weights.clone(),
            quants: checkpoint.quants.clone(),
            sees: checkpoint.vision == Vision::Supported,
            overflows_f16: checkpoint.family.overflows_f16(),
            tiling: tiling_of(checkpoint),
            obstacle: checkpoint
                .blocking
                .as_ref()
                .map(|failure| failure.message.clone()),
        }
    }
}

/// How the model cuts pictures; none for one without them or of a family whose rules are not known.
#[must_use]
pub fn tiling_of(checkpoint: &Checkpoint) -> Option<Tiling> {
    let files = &checkpoint.settings;
    Tiling::from_files(
        &files.config,
        files.preprocessor.as_ref(),
        files.processor.as_ref(),
    )
}
