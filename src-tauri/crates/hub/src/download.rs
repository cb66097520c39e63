//! One line of the list of downloads, as the window and the command line show it.
//!
//! Outside: downloading.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use paddock_conversation::{Failure, ModelId};
use serde::{Deserialize, Serialize};
use specta::Type;

/// Speed is that of so much time.
const SPEED_WINDOW: Duration = Duration::from_secs(5);

/// Where a download stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum DownloadState {
    /// Others come first.
    Waiting,
    Running,
    /// Everything came; checksums are compared.
    Verifying,
    Paused,
    /// What came stays; resuming tries again.
    Failed {
        failure: Failure,
    },
    /// In the list of models.
    Done {
        model: ModelId,
    },
}

/// One download.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "camelCase")]
pub struct Download {
    /// `owner/name`, or `owner/name/file.gguf` where one file is downloaded.
    pub id: String,
    pub repository: String,
    pub state: DownloadState,
    #[specta(type = u32)]
    pub bytes_done: u64,
    #[specta(type = u32)]
    pub bytes_total: u64,
    /// 0 unless it is running.
    #[specta(type = u32)]
    pub bytes_per_second: u64,
    /// None if nothing came lately.
    #[specta(type = Option<u32>)]
    pub seconds_left: Option<u64>,
}

/// Bytes seen at points in time.
#[derive(Debug, Default)]
pub struct SpeedMeter(VecDeque<(Instant, u64)>);

impl SpeedMeter {
    /// Notes how many bytes there are now; returns bytes a second.
    pub fn note(&mut self, now: Instant, bytes: u64) -> u64 {
        // A repair takes bytes back; what was measured before means nothing then.
        if self.0.back().is_some_and(|(_, before)| *before > bytes) {
            self.0.clear();
        }
        self.0.push_back((now, bytes));
        while self.0.len() > 2
            && self
                .0
                .front()
                .is_some_and(|(then, _)| now.duration_since(*then) > SPEED_WINDOW)
        {
            self.0.pop_front();
        }
        let Some((then, before)) = self.0.front() else {
            return 0;
        };
        let seconds = now.duration_since(*then).as_secs_f64();
        if seconds < 0.1 {
            0
        } else {
            ((bytes - before) as f64 / seconds) as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_that_of_the_last_seconds() {
        let mut meter = SpeedMeter::default();
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(meter.note(at(0), 1_000_000), 0);
        assert_eq!(meter.note(at(1000), 2_000_000), 1_000_000);
        for second in 2..=20 {
            meter.note(at(second * 1000), 2_000_000);
        }
        assert_eq!(meter.note(at(21_000), 2_000_000), 0, "a stall shows");
        assert_eq!(meter.note(at(22_000), 500_000), 0, "a repair is no speed");
        assert_eq!(meter.note(at(23_000), 900_000), 400_000);
    }
}
