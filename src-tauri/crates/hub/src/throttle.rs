//! A bandwidth limit shared by all connections.
//!
//! Outside: anything else about speed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// Lets so many bytes a second pass; the limit may change while bytes are passing.
#[derive(Debug)]
pub struct Throttle {
    /// 0: no limit.
    bytes_per_second: AtomicU64,
    /// When everything let through so far will have been paid for.
    paid: Mutex<Instant>,
}

impl Throttle {
    /// None: no limit.
    #[must_use]
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second: AtomicU64::new(bytes_per_second.unwrap_or(0)),
            paid: Mutex::new(Instant::now()),
        }
    }

    /// None: no limit.
    pub fn set(&self, bytes_per_second: Option<u64>) {
        self.bytes_per_second
            .store(bytes_per_second.unwrap_or(0), Ordering::Relaxed);
    }

    /// Waits until `bytes` more may pass.
    pub async fn pass(&self, bytes: u64) {
        let rate = self.bytes_per_second.load(Ordering::Relaxed);
        if rate == 0 {
            return;
        }
        let until = {
            let mut paid = self.paid.lock().await;
            let start = (*paid).max(Instant::now());
            *paid = start + Duration::from_secs_f64(bytes as f64 / rate as f64);
            *paid
        };
        tokio::time::sleep_until(until.into()).await;
    }
}
