//! What this computer has to run a model on, and which of it to use.
//!
//! Outside: whether a model fits (`models`), starting an engine (`engines`). Nothing here links a GPU library: NVIDIA's
//! management library is opened at run time if it is there.

mod cpu;
mod engines;
mod gpu;
mod report;
mod select;

pub use engines::{EngineBuilds, Placed};
pub use report::{Cpu, Device, DeviceKind, DevicePreference, DeviceReport, free_bytes, report};
pub use select::{DeviceError, SHIPPED_ENGINES, Selection, select, select_among};
