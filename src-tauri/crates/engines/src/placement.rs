//! Which engine program runs a load, by the device it is for; and what memory a device has free.
//!
//! Outside: looking at the computer (the devices crate).

use std::path::{Path, PathBuf};

use paddock_devices::{EngineBuilds, report};

/// Says which program runs what a load asks for, and on which device; asked whenever a process is started. May talk to a
/// driver, and so block: never called on a thread that other tasks wait for.
pub trait Placement: std::fmt::Debug + Send + Sync {
    /// `device` is `auto` or an id; the answer is a device as the engine's `--device` takes it, and a program.
    fn place(&self, device: &str) -> (String, PathBuf);
}

/// Says what memory is free. May block, as [`Placement`].
pub trait FreeMemory: std::fmt::Debug + Send + Sync {
    /// Bytes that a new program could get on this device now; none if that is not known.
    fn free_bytes(&self, device: &str) -> Option<u64>;
}

/// The shipped engine for processors, others for GPUs where they are there.
#[derive(Debug, Clone)]
pub struct ByDevice {
    shipped: PathBuf,
    builds: EngineBuilds,
}

impl ByDevice {
    #[must_use]
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

/// The memory of the computer that this runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThisComputer;

impl FreeMemory for ThisComputer {
    fn free_bytes(&self, device: &str) -> Option<u64> {
        paddock_devices::free_bytes(device)
    }
}
