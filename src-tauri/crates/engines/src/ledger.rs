//! Who holds how much memory: what a load was predicted to take until it is over, what its process really holds after.
//!
//! Outside: the predictions (the models crate), and what the system says is free.
//!
//! Pages of mapped files are not counted: the system takes them back at need, and counts them as free already.

/// One engine's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `cpu`, `cuda:N` or `metal`.
    pub device: String,
    /// What the whole load takes, as it was predicted.
    pub predicted_bytes: u64,
    /// What its process holds of the computer's memory by itself now; none where the system does not tell.
    pub own_bytes: Option<u64>,
    /// The load is over.
    pub ready: bool,
}

impl Entry {
    /// What it will still take of `device`, though it is free now.
    fn to_come(&self, device: &str) -> u64 {
        if self.ready || !share_memory(&self.device, device) {
            return 0;
        }
        self.predicted_bytes.saturating_sub(self.measured())
    }

    /// What `device` gets back when it ends.
    fn to_return(&self, device: &str) -> u64 {
        if !share_memory(&self.device, device) {
            return 0;
        }
        match self.own_bytes {
            Some(_) if is_the_computers(&self.device) => self.measured(),
            // The memory of a GPU is not counted by process, so the prediction has to do.
            _ if self.ready => self.predicted_bytes,
            _ => 0,
        }
    }

    fn measured(&self) -> u64 {
        match self.own_bytes {
            Some(bytes) if is_the_computers(&self.device) => bytes,
            _ => 0,
        }
    }
}

/// Whether a load of `predicted_bytes` on `device` fits, with `free_bytes` of it free now: beside `there`, in place of `here`.
pub fn fits(
    predicted_bytes: u64,
    device: &str,
    free_bytes: u64,
    here: Option<&Entry>,
    there: Option<&Entry>,
) -> bool {
    let returned = here.map_or(0, |entry| entry.to_return(device));
    let spoken_for = there.map_or(0, |entry| entry.to_come(device));
    predicted_bytes.saturating_add(spoken_for) <= free_bytes.saturating_add(returned)
}

/// Metal's devices use the computer's own memory.
fn is_the_computers(device: &str) -> bool {
    matches!(device, "cpu" | "metal")
}

fn share_memory(a: &str, b: &str) -> bool {
    a == b || (is_the_computers(a) && is_the_computers(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn entry(device: &str, predicted: u64, own: Option<u64>, ready: bool) -> Entry {
        Entry {
            device: device.into(),
            predicted_bytes: predicted * GIB,
            own_bytes: own.map(|own| own * GIB),
            ready,
        }
    }

    fn fits_in(free: u64, here: Option<Entry>, there: Option<Entry>) -> bool {
        fits(6 * GIB, "cpu", free * GIB, here.as_ref(), there.as_ref())
    }

    #[test]
    fn what_another_load_is_yet_to_take_is_not_free() {
        assert!(fits_in(6, None, None));
        assert!(!fits_in(5, None, None));
        // 12 predicted, 2 taken: 10 of what is free are spoken for.
        let loading = || Some(entry("cpu", 12, Some(2), false));
        assert!(!fits_in(15, None, loading()));
        assert!(fits_in(16, None, loading()));
        // Once it is ready, what it took is gone from what is free.
        assert!(fits_in(6, None, Some(entry("cpu", 12, Some(9), true))));
        // It took more than was predicted.
        assert!(fits_in(6, None, Some(entry("cpu", 12, Some(13), false))));
    }

    #[test]
    fn what_is_replaced_gives_back_what_it_holds_itself() {
        assert!(fits_in(2, Some(entry("cpu", 12, Some(4), true)), None));
        assert!(!fits_in(2, Some(entry("cpu", 12, Some(3), true)), None));
        assert!(fits_in(2, Some(entry("cpu", 12, Some(4), false)), None));
        // Where the system does not tell: the prediction, once it is there.
        assert!(fits_in(0, Some(entry("cpu", 6, None, true)), None));
        assert!(!fits_in(0, Some(entry("cpu", 6, None, false)), None));
    }

    #[test]
    fn devices_with_memory_of_their_own_are_counted_apart() {
        assert!(fits_in(6, None, Some(entry("cuda:0", 40, Some(9), false))));
        assert!(!fits_in(1, Some(entry("cuda:0", 40, Some(9), true)), None));
        assert!(!fits_in(6, None, Some(entry("metal", 4, Some(1), false))));
        let on_gpu = |free: u64, here: Option<&Entry>, there: Option<&Entry>| {
            fits(6 * GIB, "cuda:0", free * GIB, here, there)
        };
        // Its process's memory says nothing of the GPU's.
        let loaded = entry("cuda:0", 6, Some(1), true);
        assert!(on_gpu(0, Some(&loaded), None) && !on_gpu(0, None, None));
        let loading = entry("cuda:0", 6, Some(1), false);
        assert!(!on_gpu(11, None, Some(&loading)) && on_gpu(12, None, Some(&loading)));
        let other = entry("cuda:1", 6, Some(1), true);
        assert!(!on_gpu(0, Some(&other), None));
    }
}
