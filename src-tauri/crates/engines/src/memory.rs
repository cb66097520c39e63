//! The memory of a running engine process, as the system counts it.
//!
//! Outside: what it should be (the models crate), and memory of GPUs.

/// Bytes of one process. Only Linux tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessMemory {
    /// In memory now, pages of files included.
    pub resident_bytes: u64,
    /// Of these, what is given back when the process ends: pages of files are not the process's own.
    pub own_bytes: u64,
    /// The most that was resident at a time since the model was ready.
    pub peak_bytes: u64,
}

impl ProcessMemory {
    /// None if there is no such process, or the system does not tell.
    pub(crate) fn of(process: u32) -> Option<Self> {
        parse(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
    }
}

/// Begins the count of the peak anew (proc_pid_clear_refs(5)). While a model is read, the mapped pages of its files count as
/// resident although the system takes them back at need; after that they are gone.
pub(crate) fn forget_peak(process: u32) {
    // Where it cannot be done, the peak is only higher.
    let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
}

/// Reads `/proc/<pid>/status` (proc_pid_status(5)).
fn parse(status: &str) -> Option<ProcessMemory> {
    let bytes = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.strip_suffix("kB")?.trim().parse().ok()?;
        kibibytes.checked_mul(1024)
    };
    Some(ProcessMemory {
        resident_bytes: bytes("VmRSS:")?,
        own_bytes: bytes("RssAnon:")?.saturating_add(bytes("RssShmem:").unwrap_or(0)),
        peak_bytes: bytes("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_file_is_read() {
        let status = "Name:\tpaddock-engine\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\nRssAnon:\t   81920 kB\n\
                      RssFile:\t   20480 kB\nRssShmem:\t       4 kB\nThreads:\t9\n";
        let memory = parse(status).unwrap();
        assert_eq!(memory.peak_bytes, 200 << 20);
        assert_eq!(memory.resident_bytes, 100 << 20);
        assert_eq!(memory.own_bytes, (80 << 20) + 4096);
        // A zombie has no memory, and no such lines.
        assert_eq!(parse("Name:\tpaddock-engine\nState:\tZ (zombie)\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory() {
        let memory = ProcessMemory::of(std::process::id()).unwrap();
        assert!(memory.own_bytes > 0 && memory.own_bytes <= memory.resident_bytes);
        assert!(memory.resident_bytes <= memory.peak_bytes);
        assert_eq!(ProcessMemory::of(u32::MAX), None);
    }
}
