//! Which engine program runs a load, by the device it is for.
//!
//! Outside: the choice itself (the devices crate).

use std::path::{Path, PathBuf};

use paddock_devices::{DevicePreference, DeviceReport, EngineBuilds, report};
use paddock_engines::Placement;

use crate::chat::Chat;

/// The shipped engine for processors, others for GPUs where they are there.
#[derive(Debug)]
pub struct ByDevice {
    shipped: PathBuf,
    builds: EngineBuilds,
}

impl ByDevice {
    pub fn new(shipped: &Path, builds: &EngineBuilds) -> Self {
        Self {
            shipped: shipped.to_owned(),
            builds: builds.clone(),
        }
    }
}

impl Placement for ByDevice {
    fn place(&self, device: &str) -> (String, PathBuf) {
        let placed = self.builds.place(&self.shipped, device, report);
        (placed.device, placed.program)
    }
}

impl Chat {
    /// What this computer has, and what `preference` resolves to with the engines that are there. Blocks for milliseconds.
    pub(crate) fn report_for(&self, preference: &DevicePreference) -> DeviceReport {
        report().with_preference_among(preference, &self.config().engine_builds.kinds())
    }
}
