//! How jobs and outputs travel between the two processes: a head of JSON and the bytes of files, each with its length.
//!
//! ```text
//! u32 length of the head │ u64 length of the bytes │ head, JSON │ bytes          (little endian)
//! ```
//!
//! Outside: pipes and patience (`process.rs`). Nothing that comes from the decoder is believed beyond its bounds.

use std::io::{self, ErrorKind, Read, Write};

use paddock_decode::LookReport;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::confine::Confinement;
use crate::{DecoderError, Job, Output, Taken};

/// Longest head.
const MAX_HEAD_BYTES: u32 = 1 << 20;
pub(crate) const PREFIX_BYTES: usize = 12;

/// What the window says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub job: Job,
}

/// What the decoder says. Every job is answered by `Began`, perhaps `Sized`, and one of the last two.
#[derive(Debug, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Answer {
    /// Once, after the start.
    Hello {
        confinement: Confinement,
    },
    /// From here on time is the picture's.
    Began,
    /// What the header announces, which says how long decoding may take.
    Sized {
        pixels: u64,
    },
    /// The bytes are the pictures, one behind the other.
    Done {
        taken: Option<Taken>,
        report: Option<LookReport>,
        lengths: Vec<u64>,
    },
    Refused {
        error: DecoderError,
    },
}

/// Lengths of a message that is about to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefix {
    pub head: usize,
    pub bytes: u64,
}

impl Prefix {
    /// # Errors
    /// A length is beyond its bound.
    pub fn read(prefix: [u8; PREFIX_BYTES], max_bytes: u64) -> io::Result<Self> {
        let [h0, h1, h2, h3, length @ ..] = prefix;
        let head = u32::from_le_bytes([h0, h1, h2, h3]);
        let bytes = u64::from_le_bytes(length);
        if head > MAX_HEAD_BYTES || bytes > max_bytes {
            return Err(garbled("a length is out of bounds"));
        }
        Ok(Self {
            head: head as usize,
            bytes,
        })
    }
}

/// The beginning of a message: everything but the bytes.
pub(crate) fn head<T: Serialize>(head: &T, bytes: u64) -> io::Result<Vec<u8>> {
    let mut message = vec![0; PREFIX_BYTES];
    serde_json::to_writer(&mut message, head)?;
    let length = u32::try_from(message.len() - PREFIX_BYTES).unwrap_or(u32::MAX);
    message[..4].copy_from_slice(&length.to_le_bytes());
    message[4..PREFIX_BYTES].copy_from_slice(&bytes.to_le_bytes());
    Ok(message)
}

pub(crate) fn parse<T: DeserializeOwned>(head: &[u8]) -> io::Result<T> {
    serde_json::from_slice(head).map_err(|e| garbled(&e.to_string()))
}

pub(crate) fn garbled(detail: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail.to_owned())
}

/// Reads a request; none where the other side has closed the pipe between two.
pub(crate) fn read_request(
    from: &mut impl Read,
    max_bytes: u64,
) -> io::Result<Option<(Request, Vec<u8>)>> {
    let mut prefix = [0; PREFIX_BYTES];
    match from.read_exact(&mut prefix) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let prefix = Prefix::read(prefix, max_bytes)?;
    let mut head = vec![0; prefix.head];
    from.read_exact(&mut head)?;
    let mut bytes = vec![0; usize::try_from(prefix.bytes).unwrap_or(usize::MAX)];
    from.read_exact(&mut bytes)?;
    Ok(Some((parse(&head)?, bytes)))
}

pub(crate) fn write_answer(
    to: &mut impl Write,
    answer: &Answer,
    pictures: &[Vec<u8>],
) -> io::Result<()> {
    let bytes = pictures.iter().map(|picture| picture.len() as u64).sum();
    to.write_all(&head(answer, bytes)?)?;
    for picture in pictures {
        to.write_all(picture)?;
    }
    to.flush()
}

/// Puts an output together again.
///
/// # Errors
/// The lengths do not add up.
pub(crate) fn output(
    taken: Option<Taken>,
    report: Option<LookReport>,
    lengths: &[u64],
    mut bytes: Vec<u8>,
) -> io::Result<Output> {
    let mut pictures = Vec::with_capacity(lengths.len().min(4));
    // From the last one on, so that the first and mostly only one is not copied.
    for length in lengths.iter().rev() {
        let at = usize::try_from(*length)
            .ok()
            .and_then(|length| bytes.len().checked_sub(length))
            .ok_or_else(|| garbled("the lengths do not add up"))?;
        pictures.push(if at == 0 {
            std::mem::take(&mut bytes)
        } else {
            bytes.split_off(at)
        });
    }
    pictures.reverse();
    if !bytes.is_empty() {
        return Err(garbled("there are bytes over"));
    }
    Ok(Output {
        taken,
        report,
        pictures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_come_back_as_they_went() {
        let parts: [&[u8]; 4] = [b"", b"one", b"", b"three"];
        let lengths = parts.map(|part| part.len() as u64);
        let output = output(None, None, &lengths, parts.concat()).unwrap();
        assert_eq!(output.pictures, parts);
    }

    #[test]
    fn lengths_that_do_not_add_up_are_refused() {
        for lengths in [&[4_u64][..], &[2], &[u64::MAX], &[1, 3], &[]] {
            assert!(
                output(None, None, lengths, b"abc".to_vec()).is_err(),
                "{lengths:?}"
            );
        }
        let prefix = |head: u32, bytes: u64| {
            let mut prefix = [0; PREFIX_BYTES];
            prefix[..4].copy_from_slice(&head.to_le_bytes());
            prefix[4..].copy_from_slice(&bytes.to_le_bytes());
            Prefix::read(prefix, 100)
        };
        assert!(prefix(10, 100).is_ok());
        assert!(prefix(10, 101).is_err());
        assert!(prefix(MAX_HEAD_BYTES + 1, 0).is_err());
    }
}
