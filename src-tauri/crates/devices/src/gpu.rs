//! Accelerators, by the platform's own libraries as far as they can be opened at run time.
//!
//! Outside: AMD and Intel GPUs; no engine here runs on them.

use crate::Device;

/// NVIDIA's management library ships with the driver; without it there is no usable CUDA device either.
#[cfg(any(target_os = "linux", target_os = "windows"))]
pub fn devices() -> Vec<Device> {
    use crate::DeviceKind;
    use nvml_wrapper::Nvml;

    let Ok(nvml) = Nvml::init() else {
        return Vec::new();
    };
    let count = nvml.device_count().unwrap_or(0);
    (0..count)
        .filter_map(|index| {
            let gpu = nvml.device_by_index(index).ok()?;
            let memory = gpu.memory_info().ok()?;
            Some(Device {
                id: format!("cuda:{index}"),
                kind: DeviceKind::Cuda,
                name: gpu.name().unwrap_or_else(|_| format!("NVIDIA GPU {index}")),
                total_bytes: memory.total,
                free_bytes: memory.free,
            })
        })
        .collect()
}

/// Every Mac with Apple silicon has one Metal device. It shares the computer's memory; by default the system lends a
/// GPU about two thirds of it on Macs up to 36 GB and three quarters on larger ones (`recommendedMaxWorkingSetSize`).
#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
pub fn devices() -> Vec<Device> {
    use crate::{DeviceKind, cpu};

    let processor = cpu::describe();
    let ram = cpu::device(&processor);
    let lent = if ram.total_bytes <= 36 << 30 {
        ram.total_bytes / 3 * 2
    } else {
        ram.total_bytes / 4 * 3
    };
    vec![Device {
        id: "metal".to_owned(),
        kind: DeviceKind::Metal,
        name: format!("{} GPU", processor.name),
        total_bytes: lent,
        free_bytes: ram.free_bytes.min(lent),
    }]
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "windows",
    all(target_os = "macos", target_arch = "aarch64")
)))]
pub fn devices() -> Vec<Device> {
    Vec::new()
}
