//! Shares the work on a large picture out between the processor's cores.
//!
//! Outside: doing several pictures at a time, which is the caller's choice.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Less than this is not worth a thread, which costs some tens of microseconds.
const MIN_PIXELS: u64 = 1 << 18;
/// More do not help: turning and scaling wait for memory.
const MAX_PARTS: u64 = 8;

/// How many parts a picture of `pixels` is worth cutting into.
pub(crate) fn count(pixels: u64) -> NonZeroU32 {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let parts = cores.min(MAX_PARTS).min(pixels / MIN_PIXELS);
    u32::try_from(parts)
        .ok()
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MIN)
}

/// Runs `work` on every part, at the same time where the system gives threads; whether all were done.
pub(crate) fn each<T: Send>(parts: Vec<T>, work: impl Fn(T) -> bool + Sync) -> bool {
    let threads = parts.len();
    let waiting = Mutex::new(parts);
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let run = || {
        let mut done = true;
        while let Some(part) = next() {
            done &= work(part);
        }
        done
    };
    thread::scope(|scope| {
        // Without a thread this one does the work.
        let others: Vec<_> = (1..threads)
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, run).ok())
            .collect();
        let mine = run();
        others
            .into_iter()
            .fold(mine, |done, other| other.join().unwrap_or(false) && done)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn every_part_is_done_once() {
        let sum = AtomicU32::new(0);
        let add = |part| sum.fetch_add(part, Ordering::Relaxed) < 100;
        assert!(each(vec![1, 2, 3, 4], add));
        assert_eq!(sum.load(Ordering::Relaxed), 10);
        assert!(!each(vec![1, 2], |part| part == 1));
        assert!(each(Vec::<u32>::new(), |_| false));
    }

    #[test]
    fn small_pictures_are_not_cut() {
        assert_eq!(count(0).get(), 1);
        assert_eq!(count(MIN_PIXELS).get(), 1);
        assert!(count(u64::MAX).get() >= 1);
    }
}
