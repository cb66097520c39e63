//! The processor: what the kernels were compiled for.
//!
//! Outside: accelerators.

/// mistral.rs chooses its quantised kernels at compile time, so the whole binary is built for x86-64-v3.
///
/// # Errors
/// A sentence naming what the processor lacks. Checked before anything else runs: the standard library is not
/// compiled for v3, and what precedes `main` in this program is the standard library.
pub fn check() -> Result<(), String> {
    #[cfg(target_arch = "x86_64")]
    {
        // `is_x86_feature_detected!` would be folded to `true` by the compiler, which was told that the feature
        // is there; CPUID is asked instead. Leaf 7 exists wherever leaf 0 says so.
        use std::arch::x86_64::{__cpuid, __cpuid_count};
        let newest_leaf = __cpuid(0).eax;
        let features = __cpuid(1).ecx;
        let extended = if newest_leaf >= 7 {
            __cpuid_count(7, 0).ebx
        } else {
            0
        };
        let lacking: Vec<&str> = [
            ("FMA", features >> 12 & 1),
            ("F16C", features >> 29 & 1),
            ("AVX", features >> 28 & 1),
            ("AVX2", extended >> 5 & 1),
        ]
        .into_iter()
        .filter_map(|(name, bit)| (bit == 0).then_some(name))
        .collect();
        if !lacking.is_empty() {
            return Err(format!(
                "This computer's processor is too old for the engine: it lacks {}.",
                lacking.join(", ")
            ));
        }
    }
    Ok(())
}

/// Puts our kernels where candle and mistral.rs ask for them, and says so if `PADDOCK_ISA` could not be followed.
pub fn install_kernels() {
    paddock_kernels::install();
    if let Some(complaint) = &paddock_kernels::isa::choice().complaint {
        eprintln!("{complaint}");
    }
}
