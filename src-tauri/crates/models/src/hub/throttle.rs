//! A bandwidth limit shared by all connections.
//!
//! Outside: anything else about speed.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// Lets so many bytes a second pass.
#[derive(Debug)]
pub struct Throttle {
    bytes_per_second: Option<u64>,
    /// When everything let through so far will have been paid for.
    paid: Mutex<Instant>,
}

impl Throttle {
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second: bytes_per_second.filter(|rate| *rate > 0),
            paid: Mutex::new(Instant::now()),
        }
    }

    /// Waits until `bytes` more may pass.
    pub async fn pass(&self, bytes: u64) {
        let Some(rate) = self.bytes_per_second else {
            return;
        };
        let until = {
            let mut paid = self.paid.lock().await;
            let start = (*paid).max(Instant::now());
            *paid = start + Duration::from_secs_f64(bytes as f64 / rate as f64);
            *paid
        };
        tokio::time::sleep_until(until.into()).await;
    }
}
