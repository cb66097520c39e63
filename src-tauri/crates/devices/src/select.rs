//! Which device to use, and why: a pure function of a report.
//!
//! Outside: how the report came about, and whether a given model fits.

use crate::{Device, DeviceKind, DevicePreference, DeviceReport};

/// The engines that come with Paddock. CUDA and Metal engines are built apart (see `engine/README.md`).
pub const SHIPPED_ENGINES: &[DeviceKind] = &[DeviceKind::Cpu];

/// A GPU with less free memory than this holds no useful model besides its own driver's needs.
const LEAST_GPU_BYTES: u64 = 2 << 30;

/// A device with the reason for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    pub device: Device,
    /// One sentence for people.
    pub reason: String,
}

/// A choice that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The device was unplugged, or its driver is gone.
    #[error("The chosen device {id} is not in this computer now.")]
    NotThere { id: String },
    /// The device is there, but no engine for it.
    #[error("{name} is here, but this Paddock has no engine built for it.")]
    NoEngine { name: String },
    /// A report without a single device.
    #[error("No device was found to run a model on.")]
    Nothing,
}

impl DeviceError {
    /// What to do about it.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::NotThere { .. } | Self::Nothing => "Choose Auto or another device in Settings.",
            Self::NoEngine { .. } => {
                "Choose the processor in Settings, or build the engine for this device as its README describes."
            }
        }
    }
}

/// Resolves `preference` for the engines that come with Paddock.
///
/// # Errors
/// If a fixed device is missing or has no engine; the caller decides whether to fall back to Auto.
pub fn select(
    preference: &DevicePreference,
    report: &DeviceReport,
) -> Result<Selection, DeviceError> {
    select_among(preference, report, SHIPPED_ENGINES)
}

/// Resolves `preference` for engines of the given kinds.
///
/// # Errors
/// As [`select`].
pub fn select_among(
    preference: &DevicePreference,
    report: &DeviceReport,
    engines: &[DeviceKind],
) -> Result<Selection, DeviceError> {
    match preference {
        DevicePreference::Fixed { id } => {
            let device = report
                .device(id)
                .ok_or_else(|| DeviceError::NotThere { id: id.clone() })?;
            if !engines.contains(&device.kind) {
                return Err(DeviceError::NoEngine {
                    name: device.name.clone(),
                });
            }
            Ok(Selection {
                device: device.clone(),
                reason: format!("You chose {}.", device.name),
            })
        }
        DevicePreference::Auto => auto(report, engines),
    }
}

fn auto(report: &DeviceReport, engines: &[DeviceKind]) -> Result<Selection, DeviceError> {
    let gpus: Vec<&Device> = report
        .devices
        .iter()
        .filter(|device| device.kind != DeviceKind::Cpu)
        .collect();
    let best = gpus
        .iter()
        .filter(|gpu| engines.contains(&gpu.kind) && gpu.free_bytes >= LEAST_GPU_BYTES)
        // The first among equals, so that the choice does not flicker.
        .rev()
        .max_by_key(|gpu| gpu.free_bytes);
    if let Some(gpu) = best {
        let reason = if gpus.len() == 1 {
            format!("{} is faster than the processor.", gpu.name)
        } else {
            format!(
                "{} has the most free memory of {} GPUs.",
                gpu.name,
                gpus.len()
            )
        };
        return Ok(Selection {
            device: (*gpu).clone(),
            reason,
        });
    }
    let cpu = report
        .devices
        .iter()
        .find(|device| device.kind == DeviceKind::Cpu && engines.contains(&device.kind))
        .ok_or(DeviceError::Nothing)?;
    let reason = match gpus.first() {
        None => "This computer has no GPU that Paddock can use, so the processor does the work."
            .to_owned(),
        Some(gpu) if !engines.contains(&gpu.kind) => format!(
            "{} is here, but this Paddock has no engine built for it, so the processor does the work.",
            gpu.name
        ),
        Some(gpu) => format!(
            "{} has too little free memory now, so the processor does the work.",
            gpu.name
        ),
    };
    Ok(Selection {
        device: cpu.clone(),
        reason,
    })
}
