//! Which start of the system this is: what was written before it was started anew may not have reached the disk.
//!
//! Outside: what follows from that (`settle`, `repository_download`).

/// A name for this start of the system; none where it has none.
pub fn this_start() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}
