//! Stop strings, cut out of the stream: mistral.rs 0.8.1 lets the stop string and one more token through.
//!
//! Outside: stop tokens, which mistral.rs handles itself.

/// Holds back text that may still become a stop string.
#[derive(Debug, Default)]
pub struct StopStrings {
    stops: Vec<String>,
    held: String,
}

impl StopStrings {
    pub fn new(stops: Vec<String>) -> Self {
        Self {
            stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(),
            held: String::new(),
        }
    }

    /// Takes new text; returns what may be shown, and whether a stop string was met (everything from it on is
    /// dropped).
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        let first = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()))
            .min();
        if let Some(at) = first {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let keep = self
            .stops
            .iter()
            .map(|stop| overlap(&self.held, stop))
            .max()
            .unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back when the answer ended without a stop string.
    pub fn finish(self) -> String {
        self.held
    }
}

/// Length of the longest end of `text` that begins `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    (1..stop.len())
        .rev()
        .find(|&length| stop.is_char_boundary(length) && text.ends_with(&stop[..length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut stop = StopStrings::new(stops.iter().map(|&s| s.to_owned()).collect());
        let mut out = String::new();
        for piece in pieces {
            let (text, met) = stop.push(piece);
            out.push_str(&text);
            if met {
                return (out, true);
            }
        }
        out.push_str(&stop.finish());
        (out, false)
    }

    #[test]
    fn nothing_of_the_stop_string_gets_out_however_it_is_cut() {
        for pieces in [
            &["one\n\ntwo"][..],
            &["one\n", "\ntwo"],
            &["one", "\n", "\n", "two"],
        ] {
            assert_eq!(run(&["\n\n"], pieces), ("one".into(), true));
        }
    }

    #[test]
    fn a_false_start_is_given_back() {
        assert_eq!(run(&["END"], &["a E", "N", "d"]), ("a ENd".into(), false));
        assert_eq!(run(&["END"], &["a EN"]), ("a EN".into(), false));
        assert_eq!(run(&["é!"], &["caf", "é"]), ("café".into(), false));
    }
}
