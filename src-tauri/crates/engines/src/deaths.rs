//! How often each model's engine died lately: one that keeps dying is not started again by itself.
//!
//! Outside: what counts as a death (the supervisor).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use paddock_conversation::ModelId;
use tokio::time::Instant;

use crate::EngineError;

/// Deaths within this span count together.
const WINDOW: Duration = Duration::from_secs(60);
/// With so many deaths in the window, only an explicit restart starts the engine again.
const MAX: usize = 3;
/// Pause before the second start in the window; it doubles with each further death.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The deaths of each model. One model's never count against another.
#[derive(Debug, Default)]
pub struct Deaths(HashMap<ModelId, Lately>);

#[derive(Debug, Default)]
struct Lately {
    at: VecDeque<Instant>,
    /// How the last one ended, as a sentence.
    last: String,
}

impl Deaths {
    pub fn add(&mut self, model: &ModelId, how: String) {
        let lately = self.0.entry(model.clone()).or_default();
        lately.at.push_back(Instant::now());
        lately.last = how;
    }

    /// An explicit restart begins anew.
    pub fn forget(&mut self, model: &ModelId) {
        self.0.remove(model);
    }

    /// How long to wait before the model is loaded again.
    ///
    /// # Errors
    /// It died too often.
    pub fn pause(&mut self, model: &ModelId) -> Result<Duration, EngineError> {
        let Some(lately) = self.0.get_mut(model) else {
            return Ok(Duration::ZERO);
        };
        while lately.at.front().is_some_and(|at| at.elapsed() > WINDOW) {
            lately.at.pop_front();
        }
        match lately.at.len() {
            0 | 1 => Ok(Duration::ZERO),
            deaths if deaths < MAX => {
                Ok(FIRST_PAUSE * 2u32.saturating_pow((deaths as u32).saturating_sub(2)))
            }
            deaths => Err(EngineError::KeepsDying {
                deaths: deaths as u32,
                last: lately.last.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn deaths_count_by_model_and_within_a_minute() {
        let (a, b) = (ModelId::local("/a"), ModelId::local("/b"));
        let mut deaths = Deaths::default();
        for pause in [Duration::ZERO, FIRST_PAUSE] {
            deaths.add(&a, "It crashed.".into());
            assert_eq!(deaths.pause(&a), Ok(pause));
        }
        deaths.add(&a, "It crashed again.".into());
        let error = deaths.pause(&a).unwrap_err();
        assert_eq!(
            error,
            EngineError::KeepsDying {
                deaths: 3,
                last: "It crashed again.".into()
            }
        );
        assert_eq!(deaths.pause(&b), Ok(Duration::ZERO), "another model");
        tokio::time::advance(WINDOW + Duration::from_secs(1)).await;
        assert_eq!(deaths.pause(&a), Ok(Duration::ZERO), "long ago");
        for _ in 0..3 {
            deaths.add(&a, String::new());
        }
        deaths.forget(&a);
        assert_eq!(deaths.pause(&a), Ok(Duration::ZERO), "restarted by hand");
    }
}
