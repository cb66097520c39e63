//! Amounts as people read them.
//!
//! Outside: counting.

/// `7.5 GB`, in decimal units as disks and model pages have them.
#[must_use]
pub fn byte_size(bytes: u64) -> String {
    let number = bytes as f64;
    match number {
        b if b >= 1e12 => format!("{:.2} TB", b / 1e12),
        b if b >= 1e9 => format!("{:.1} GB", b / 1e9),
        b if b >= 1e6 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.0} kB", (b / 1e3).ceil()),
    }
}
