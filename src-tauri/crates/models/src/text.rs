//! Numbers as people read them.
//!
//! Outside: sentences.

/// `3.8 billion`.
pub(crate) fn count(number: u64) -> String {
    let number = number as f64;
    match number {
        n if n >= 1e12 => format!("{:.1} trillion", n / 1e12),
        n if n >= 1e9 => format!("{:.1} billion", n / 1e9),
        n if n >= 1e6 => format!("{:.1} million", n / 1e6),
        n => format!("{n}"),
    }
}
