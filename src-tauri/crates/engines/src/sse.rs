//! Server-sent events out of a byte stream, whatever way the network cut it.
//!
//! Outside: what the events mean. Only the `data` field is read, which is all that the chat protocol uses.

/// The longest event that is accepted; a server that never ends a line must not fill the memory.
const MAX_EVENT_BYTES: usize = 8 << 20;

/// Collects bytes and hands out the data of complete events.
#[derive(Debug, Default)]
pub struct SseDecoder {
    /// Bytes of the line that is not complete yet. Kept as bytes: a cut may go through a character.
    line: Vec<u8>,
    data: Option<String>,
    /// The last byte was CR; a following LF belongs to it.
    after_cr: bool,
    /// Nothing was decoded yet, so a byte order mark may come.
    began: bool,
}

/// An event is longer than the decoder accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl SseDecoder {
    /// Takes the next bytes and returns the data of the events that they complete.
    ///
    /// # Errors
    /// An event is longer than 8 MiB.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' if self.after_cr => self.after_cr = false,
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    self.end_line(&mut events);
                }
                _ => {
                    self.after_cr = false;
                    if self.line.len() + self.data.as_ref().map_or(0, String::len)
                        >= MAX_EVENT_BYTES
                    {
                        return Err(TooLong);
                    }
                    self.line.push(byte);
                }
            }
        }
        Ok(events)
    }

    /// The data of an event that the end of the stream completed, as lenient servers leave out the last blank line.
    pub fn finish(mut self) -> Option<String> {
        let mut events = Vec::new();
        self.end_line(&mut events);
        events.pop().or_else(|| self.data.take())
    }

    fn end_line(&mut self, events: &mut Vec<String>) {
        let bytes = std::mem::take(&mut self.line);
        let mut line = String::from_utf8_lossy(&bytes);
        if !self.began {
            self.began = true;
            if let Some(rest) = line.strip_prefix('\u{feff}') {
                line = rest.to_owned().into();
            }
        }
        if line.is_empty() {
            events.extend(self.data.take());
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_cutting_the_stream_gives_the_same_events() {
        let stream = "\u{feff}: comment\r\ndata: {\"a\":\"é🙂\"}\r\n\r\nevent: x\ndata:one\ndata: two\n\ndata: [DONE]\r\rdata: tail".as_bytes();
        let expected = ["{\"a\":\"é🙂\"}", "one\ntwo", "[DONE]", "tail"];
        for size in 1..=stream.len() {
            let mut decoder = SseDecoder::default();
            let mut events = Vec::new();
            for chunk in stream.chunks(size) {
                events.extend(decoder.push(chunk).unwrap());
            }
            events.extend(decoder.finish());
            assert_eq!(events, expected, "chunks of {size}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut decoder = SseDecoder::default();
        let chunk = vec![b'x'; 1 << 20];
        let refused = (0..20).any(|_| decoder.push(&chunk).is_err());
        assert!(refused);
    }
}
