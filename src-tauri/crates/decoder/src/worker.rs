//! The decoder's side: shuts itself in, then does jobs until its standard input is closed.
//!
//! Outside: who starts it, and how long it may take (`process.rs`).

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use paddock_decode::{Format, Limits, prepare, probe_frame};

use crate::Output;
use crate::confine::{self, Limiter};
use crate::job::work;
use crate::wire::{Answer, Request, read_request, write_answer};

/// Memory for what a drawing unpacks, beside its own bytes and pixels.
const DRAWING_BYTES: u64 = 1536 << 20;
/// The same for a decoder's own tables, threads and rounding up.
const DECODING_BYTES: u64 = 1 << 30;
/// Bytes for each pixel: as decoded, turned, in colour conversion and encoded, each in the depth of the file.
const BYTES_A_PIXEL: u64 = 16;

/// Only confines this process; whether everything the system has for it is in force. For tests of that.
#[must_use]
pub fn shut_in() -> bool {
    let confine::Confinement {
        resources,
        files,
        calls,
    } = confine::confine().0;
    resources && files && calls
}

/// The whole program. Call it first thing in `main`, while there is one thread.
pub fn main() -> ExitCode {
    let (confinement, limiter) = confine::confine();
    // Its words tell the window why a job ended; nobody else reads them.
    if let Err(error) = confine::end_with_parent() {
        eprintln!("this decoder may outlive its window: {error}");
    }
    // Nobody waits for it but the first SVG with words in it.
    let _ = thread::Builder::new().name("fonts".into()).spawn(prepare);
    match serve(confinement, &limiter) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(confinement: confine::Confinement, limiter: &Limiter) -> io::Result<()> {
    let (mut from, mut to) = (io::stdin().lock(), io::stdout().lock());
    write_answer(&mut to, &Answer::Hello { confinement }, &[])?;
    while let Some((request, bytes)) = read_request(&mut from, Limits::DEFAULT.max_file_bytes)? {
        answer(&mut to, &request, &bytes, limiter)?;
    }
    Ok(())
}

fn answer(
    to: &mut impl Write,
    request: &Request,
    bytes: &[u8],
    limiter: &Limiter,
) -> io::Result<()> {
    let format = Format::sniff(bytes);
    let drawing = matches!(format, Some(Format::Svg | Format::Pdf));
    if format == Some(Format::Svg) {
        prepare();
    }
    let length = bytes.len() as u64;
    limiter.job(
        3 * length
            + if drawing {
                DRAWING_BYTES
            } else {
                DECODING_BYTES
            },
    );
    write_answer(to, &Answer::Began, &[])?;
    // A drawing's size is known only after most of the work, and never large.
    if !drawing && let Ok(probe) = probe_frame(bytes, &Limits::DEFAULT, request.job.page()) {
        let pixels = probe.stored.pixels();
        let depth = u64::from(probe.bits.div_ceil(8)).max(1);
        limiter.job(3 * length + DECODING_BYTES + pixels * depth * BYTES_A_PIXEL);
        write_answer(to, &Answer::Sized { pixels }, &[])?;
    }
    match work(&request.job, bytes) {
        Ok(Output {
            taken,
            report,
            pictures,
        }) => {
            let lengths = pictures
                .iter()
                .map(|picture| picture.len() as u64)
                .collect();
            let done = Answer::Done {
                taken,
                report,
                lengths,
            };
            write_answer(to, &done, &pictures)
        }
        Err(error) => write_answer(to, &Answer::Refused { error }, &[]),
    }
}
