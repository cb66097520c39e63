//! Whether a model fits, counted line by line before a byte is loaded or downloaded.
//!
//! Outside: reading headers (`checkpoint`), asking the computer (`devices`). Everything here is a pure function.

mod hardware;
mod learn;
mod ledger;
mod loading;
mod model;
mod plan;
mod weights;

pub use hardware::{Hardware, HardwareDevice, HardwareError, parse_bytes};
pub use learn::{Lesson, LoadKind, error_bytes, learned_bytes};
pub use ledger::{Ledger, WeightLine};
pub use model::{FitModel, tiling_of};
pub use plan::{Alternative, Change, Fit, FitRequest, Span, Verdict, plan};
pub use weights::{ComputeType, compute_type};
