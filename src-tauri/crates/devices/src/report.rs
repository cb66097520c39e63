//! The list of devices as the window shows it.
//!
//! Outside: choosing one of them.

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::{SHIPPED_ENGINES, cpu, gpu, select_among};

/// Kinds of device that an engine can be built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub enum DeviceKind {
    Cpu,
    Cuda,
    Metal,
}

/// One place where a model can live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// `cpu`, `cuda:0`, `metal`: as the engine's `--device` takes it.
    pub id: String,
    pub kind: DeviceKind,
    pub name: String,
    /// Memory that it has.
    #[specta(type = u32)]
    pub total_bytes: u64,
    /// Memory that a new program could get now, other programs' use taken off.
    #[specta(type = u32)]
    pub free_bytes: u64,
}

/// The processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    pub name: String,
    pub physical_cores: u32,
    /// Hardware threads that this process may use.
    pub threads: u32,
    /// Extensions that matter to a model's speed, as Linux spells them: `avx2`, `fma`, `f16c`, `avx512f`, `neon`.
    pub features: Vec<String>,
}

/// Everything found, and what Auto would take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct DeviceReport {
    pub cpu: Cpu,
    /// The processor first, then each accelerator.
    pub devices: Vec<Device>,
    /// Id of the device that will be used.
    pub selected: String,
    /// Why that one, in a sentence.
    pub reason: String,
}

impl DeviceReport {
    /// The same report with what `preference` resolves to. A device that is not there falls back to Auto, and the reason
    /// says so.
    #[must_use]
    pub fn with_preference(self, preference: &DevicePreference) -> Self {
        self.with_preference_among(preference, SHIPPED_ENGINES)
    }

    /// As [`Self::with_preference`], for engines of these kinds.
    #[must_use]
    pub fn with_preference_among(
        mut self,
        preference: &DevicePreference,
        engines: &[DeviceKind],
    ) -> Self {
        let (selected, reason) = match select_among(preference, &self, engines) {
            Ok(selection) => (selection.device.id, selection.reason),
            Err(error) => match select_among(&DevicePreference::Auto, &self, engines) {
                Ok(auto) => (auto.device.id, format!("{error} {}", auto.reason)),
                Err(_) => ("cpu".to_owned(), error.to_string()),
            },
        };
        self.selected = selected;
        self.reason = reason;
        self
    }

    /// The device with this id.
    #[must_use]
    pub fn device(&self, id: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id)
    }
}

/// What the user chose; the choice is kept, not what it resolved to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum DevicePreference {
    /// Whatever is best here.
    #[default]
    Auto,
    /// This device or none.
    Fixed { id: String },
}

/// Looks at this computer. Takes a few milliseconds; call it off the window's thread.
#[must_use]
pub fn report() -> DeviceReport {
    let cpu = cpu::describe();
    let mut devices = vec![cpu::device(&cpu)];
    devices.extend(gpu::devices());
    DeviceReport {
        cpu,
        devices,
        selected: "cpu".to_owned(),
        reason: String::new(),
    }
    .with_preference(&DevicePreference::Auto)
}

/// Memory that a new program could get on the device with this id now; none if there is no such device. Asks drivers: call it
/// where it may block.
#[must_use]
pub fn free_bytes(id: &str) -> Option<u64> {
    let found = if id == "cpu" {
        Some(cpu::device(&cpu::describe()))
    } else {
        gpu::devices().into_iter().find(|device| device.id == id)
    };
    found.map(|device| device.free_bytes)
}
