//! The processor and the computer's memory.
//!
//! Outside: memory of accelerators.

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::{Cpu, Device, DeviceKind};

pub fn describe() -> Cpu {
    let system = System::new_with_specifics(
        RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing().with_frequency()),
    );
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u32);
    let name = system
        .cpus()
        .first()
        .map(|cpu| cpu.brand().trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH));
    Cpu {
        name,
        // In a container the whole machine's cores are counted; no more than we may use are of interest.
        physical_cores: System::physical_core_count()
            .map_or(threads, |cores| cores as u32)
            .clamp(1, threads),
        threads,
        features: features(),
    }
}

pub fn device(cpu: &Cpu) -> Device {
    let mut system = System::new();
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let mut total_bytes = system.total_memory();
    // On macOS `available` counts only free and inactive pages and can be 0 right after start.
    let mut free_bytes = system.available_memory();
    if free_bytes == 0 {
        free_bytes = total_bytes.saturating_sub(system.used_memory());
    }
    // A container's limit is what counts inside it.
    if let Some(limits) = system.cgroup_limits()
        && (1..total_bytes).contains(&limits.total_memory)
    {
        total_bytes = limits.total_memory;
        free_bytes = free_bytes.min(limits.free_memory);
    }
    Device {
        id: "cpu".to_owned(),
        kind: DeviceKind::Cpu,
        name: cpu.name.clone(),
        total_bytes,
        free_bytes: free_bytes.min(total_bytes),
    }
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<String> {
    let found = [
        ("sse4_2", std::is_x86_feature_detected!("sse4.2")),
        ("avx", std::is_x86_feature_detected!("avx")),
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("f16c", std::is_x86_feature_detected!("f16c")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("avx512_vnni", std::is_x86_feature_detected!("avx512vnni")),
        ("avx512_bf16", std::is_x86_feature_detected!("avx512bf16")),
    ];
    keep(&found)
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<String> {
    let found = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
        (
            "asimddp",
            std::arch::is_aarch64_feature_detected!("dotprod"),
        ),
        ("i8mm", std::arch::is_aarch64_feature_detected!("i8mm")),
        ("bf16", std::arch::is_aarch64_feature_detected!("bf16")),
    ];
    keep(&found)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<String> {
    Vec::new()
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn keep(found: &[(&str, bool)]) -> Vec<String> {
    found
        .iter()
        .filter(|(_, present)| *present)
        .map(|(name, _)| (*name).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_computer_has_a_processor_and_memory() {
        let cpu = describe();
        assert!(!cpu.name.is_empty());
        assert!(cpu.physical_cores >= 1 && cpu.physical_cores <= cpu.threads);
        let ram = device(&cpu);
        assert!(ram.total_bytes > 100_000_000, "{ram:?}");
        assert!(
            ram.free_bytes > 0 && ram.free_bytes <= ram.total_bytes,
            "{ram:?}"
        );
    }
}
