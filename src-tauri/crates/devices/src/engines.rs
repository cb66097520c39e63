//! The engine programs that are there: the shipped one for processors, and builds for GPUs beside it; and which of them
//! runs a device.
//!
//! Outside: building them (`engine/README.md`) and starting them (`engines`).

use std::path::{Path, PathBuf};

use crate::{DeviceKind, DevicePreference, DeviceReport, SHIPPED_ENGINES, select_among};

/// Engines built for GPUs. Each also runs on the processor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineBuilds {
    pub cuda: Option<PathBuf>,
    pub metal: Option<PathBuf>,
}

/// A device with the program that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// As the engine's `--device` takes it.
    pub device: String,
    pub program: PathBuf,
}

impl EngineBuilds {
    /// `paddock-engine-cuda` and `paddock-engine-metal` beside the shipped engine, where they exist.
    #[must_use]
    pub fn beside(shipped: &Path) -> Self {
        let build = |kind: &str| {
            let name = format!("paddock-engine-{kind}{}", std::env::consts::EXE_SUFFIX);
            Some(shipped.with_file_name(name)).filter(|path| path.is_file())
        };
        Self {
            cuda: build("cuda"),
            metal: build("metal"),
        }
    }

    /// What one program that the user named is built for, by its name: `paddock-engine-cuda` runs CUDA devices.
    #[must_use]
    pub fn of_named(program: &Path) -> Self {
        let name = program
            .file_stem()
            .map(|name| name.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        let build = |kind: &str| name.contains(kind).then(|| program.to_owned());
        Self {
            cuda: build("cuda"),
            metal: build("metal"),
        }
    }

    /// Kinds of device that can be used.
    #[must_use]
    pub fn kinds(&self) -> Vec<DeviceKind> {
        let mut kinds = SHIPPED_ENGINES.to_vec();
        kinds.extend(self.cuda.as_ref().map(|_| DeviceKind::Cuda));
        kinds.extend(self.metal.as_ref().map(|_| DeviceKind::Metal));
        kinds
    }

    /// The device and program for what a load asks for: `auto` or a device's id. Without builds for GPUs everything is left
    /// to the shipped engine, which says itself what it cannot do; `report` is called only with them.
    #[must_use]
    pub fn place(
        &self,
        shipped: &Path,
        device: &str,
        report: impl FnOnce() -> DeviceReport,
    ) -> Placed {
        let device = if device == "auto" && (self.cuda.is_some() || self.metal.is_some()) {
            select_among(&DevicePreference::Auto, &report(), &self.kinds())
                .map_or_else(|_| "cpu".to_owned(), |selection| selection.device.id)
        } else {
            device.to_owned()
        };
        let build = match device.split(':').next() {
            Some("cuda") => self.cuda.as_ref(),
            Some("metal") => self.metal.as_ref(),
            _ => None,
        };
        Placed {
            program: build.map_or_else(|| shipped.to_owned(), Clone::clone),
            device,
        }
    }
}
