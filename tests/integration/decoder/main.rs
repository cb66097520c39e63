//! The decoder process for real: what it is not allowed, what hostile files cost, and that the next picture is taken.
//!
//! Outside: right pixels (the decode crate's own tests).

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod many;
mod mutations;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use paddock_decoder::{DecoderConfig, DecoderError, Decoders, Job, Output};
use paddock_tests::hostile;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_decode-worker");

/// By the decoder's own clock every one of these ends in six seconds; a computer that does other things sees the end later.
const MOST_BY_THE_CLOCK: Duration = Duration::from_secs(20);
const MOST_SECONDS: u64 = 6;
const MOST_GROWTH_BYTES: u64 = 100 << 20;

const TAKE: Job = Job::Take {
    page: 1,
    thumb: true,
    upright: false,
};

fn decoders() -> Decoders {
    Decoders::new(DecoderConfig::new(PROGRAM.into()))
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images/intake");
    std::fs::read(folder.join(name)).unwrap()
}

/// A number of bytes that the system keeps of this process, now or at most.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|text| text.starts_with(line)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

fn code(outcome: &Result<Output, DecoderError>) -> String {
    match outcome {
        Ok(_) => "taken".into(),
        Err(error) => error.failure().code,
    }
}

/// Decodes a hostile file with decoders that work, and a good one after it.
async fn end_of(file: Vec<u8>) -> (String, Duration) {
    let decoders = decoders();
    let good = fixture("rgb8.png");
    assert_eq!(code(&decoders.run(&TAKE, &good).await), "taken");
    let before = memory("VmHWM");
    let began = Instant::now();
    let outcome = decoders.run(&TAKE, &file).await;
    let took = began.elapsed();
    let grown = memory("VmHWM") - before;
    println!("{} after {took:?}, {} MB more", code(&outcome), grown >> 20);
    assert!(took < MOST_BY_THE_CLOCK, "{took:?}");
    assert!(grown < MOST_GROWTH_BYTES, "{} MB", grown >> 20);
    if let Err(DecoderError::TooSlow { seconds }) = &outcome {
        assert!(*seconds < MOST_SECONDS, "{seconds}");
    }
    if let Err(error) = &outcome {
        let failure = error.failure();
        assert!(failure.message.ends_with('.') && failure.next_step.ends_with('.'));
    }
    assert_eq!(code(&decoders.run(&TAKE, &good).await), "taken");
    (code(&outcome), took)
}

#[tokio::test]
async fn an_avif_whose_boxes_do_not_move_on_is_cut_off() {
    let (code, took) = end_of(hostile::avif_that_stands_still()).await;
    assert_eq!(code, "imageTruncated");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_grid_that_names_one_tile_4096_times_is_refused() {
    for (brand, coded) in [(b"avif", b"av01"), (b"heic", b"hvc1")] {
        let file = hostile::heif_of_one_tile(brand, coded);
        let (code, took) = end_of(file).await;
        assert_eq!(code, "imageDamaged");
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
}

#[tokio::test]
async fn a_pdf_that_unpacks_to_ten_gigabytes_is_refused() {
    let file = hostile::pdf_that_unpacks_to(10 << 10);
    assert!(file.len() < 1 << 20, "{}", file.len());
    let (code, _) = end_of(file).await;
    assert!(
        ["decoderTooMuchMemory", "decoderTooSlow"].contains(&code.as_str()),
        "{code}"
    );
    // The same file, honest, is a page.
    let (code, _) = end_of(hostile::pdf_that_unpacks_to(1)).await;
    assert_eq!(code, "taken");
}

#[tokio::test]
async fn an_svg_with_a_bomb_inside_is_refused() {
    let file = hostile::svg_with_pictures(&fixture("bomb_16000x16000.png"), 50);
    assert_eq!(end_of(file).await.0, "imageDamaged");
    let file = hostile::svg_with_pictures(&fixture("rgb8.png"), 2);
    assert_eq!(end_of(file).await.0, "taken");
}

#[tokio::test]
async fn a_gif_of_a_million_frames_is_refused() {
    assert_eq!(
        end_of(hostile::gif_of(1_000_000)).await.0,
        "imageTooManyFrames"
    );
    assert_eq!(end_of(hostile::gif_of(100)).await.0, "taken");
}

#[tokio::test]
async fn a_drawing_that_takes_minutes_is_ended() {
    let (code, _) = end_of(hostile::svg_that_takes_minutes()).await;
    assert_eq!(code, "decoderTooSlow");
}

#[tokio::test]
async fn what_is_large_and_honest_is_taken() {
    let decoders = decoders();
    // 108 megapixels, which the upright copy is scaled down from
    let (width, height) = (12_000, 9_000);
    let picture = image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x / 50) as u8, (y / 40) as u8, (x ^ y) as u8 & 31])
    });
    let png = paddock_decode::encode_png(&picture).unwrap();
    drop(picture);
    let job = Job::Take {
        page: 1,
        thumb: true,
        upright: true,
    };
    let taken = decoders.run(&job, &png).await.unwrap().taken.unwrap();
    assert_eq!(taken.probe.stored.width_px, width);
    assert!(taken.upright.pixels() <= paddock_decoder::KEPT_PIXELS);
    // The last of 200 pages
    let page = Job::Take {
        page: 200,
        thumb: true,
        upright: true,
    };
    let pdf = hostile::pdf(200, "", b"1 0 0 rg 20 20 100 100 re f");
    let taken = decoders.run(&page, &pdf).await.unwrap().taken.unwrap();
    assert_eq!(taken.probe.frames, 200);
    assert_eq!(taken.upright.width_px, 1024);
}

#[tokio::test]
async fn a_decoder_that_was_killed_while_it_waited_is_replaced_unseen() {
    let decoders = decoders();
    decoders.warm().await;
    let good = fixture("rgb8.png");
    for _ in 0..3 {
        assert_eq!(code(&decoders.run(&TAKE, &good).await), "taken");
        let waiting = decoders.waiting_processes();
        let [process] = waiting[..] else {
            panic!("{waiting:?}")
        };
        let process = rustix::process::Pid::from_raw(process.try_into().unwrap()).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    }
    assert_eq!(code(&decoders.run(&TAKE, &good).await), "taken");
}

#[tokio::test]
async fn a_program_that_is_no_decoder_is_said_to_be_none() {
    for program in ["/bin/true", "/nowhere/at/all"] {
        let decoders = Decoders::new(DecoderConfig::new(program.into()));
        let outcome = decoders.run(&TAKE, &fixture("rgb8.png")).await;
        assert_eq!(code(&outcome), "decoderNotStarted", "{program}");
    }
}

#[tokio::test]
async fn a_closed_owner_takes_nothing_more_and_leaves_no_process() {
    let decoders = decoders();
    decoders.warm().await;
    assert_eq!(decoders.waiting_processes().len(), 1);
    decoders.close();
    assert!(decoders.waiting_processes().is_empty());
    let outcome = decoders.run(&TAKE, &fixture("rgb8.png")).await;
    assert_eq!(outcome, Err(DecoderError::Closed));
}

fn message(head: &str, bytes: &[u8]) -> Vec<u8> {
    let (head_length, length) = ((head.len() as u32).to_le_bytes(), bytes.len() as u64);
    [
        &head_length,
        &length.to_le_bytes()[..],
        head.as_bytes(),
        bytes,
    ]
    .concat()
}

#[test]
fn a_decoder_ends_with_its_parent_also_in_the_middle_of_a_job() {
    let job = r#"{"job":{"kind":"take","page":1,"thumb":true,"upright":false}}"#;
    for file in [None, Some(hostile::svg_that_takes_minutes())] {
        let mut child = Command::new(PROGRAM)
            .arg(paddock_decoder::WORKER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to = child.stdin.take().unwrap();
        let mut from = child.stdout.take().unwrap();
        if let Some(file) = file {
            to.write_all(&message(job, &file)).unwrap();
            let mut said = Vec::new();
            while !String::from_utf8_lossy(&said).contains("began") {
                let mut piece = [0; 64];
                let length = from.read(&mut piece).unwrap();
                assert!(length > 0, "it ended before it began");
                said.extend_from_slice(&piece[..length]);
            }
        }
        drop(to);
        let began = Instant::now();
        child.wait().unwrap();
        assert!(began.elapsed() < MOST_BY_THE_CLOCK);
    }
}

#[test]
fn a_decoder_can_neither_read_nor_write_nor_reach_anything() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "s").unwrap();
    let told = Command::new(PROGRAM)
        .arg("trespass")
        .arg(folder.path())
        .output()
        .unwrap();
    let mut told: serde_json::Map<String, Value> = serde_json::from_slice(&told.stdout).unwrap();
    for works in ["thread", "memory"] {
        assert_eq!(told.remove(works), Some(true.into()), "{works}");
    }
    if told.remove("confined") != Some(true.into()) {
        // A kernel without Landlock or seccomp: what is in force is told, and the rest holds elsewhere.
        println!("not confined here: {told:?}");
        return;
    }
    assert_eq!(told.len(), 10);
    for (trespass, worked) in told {
        assert_eq!(worked, false, "{trespass}");
    }
    assert_eq!(std::fs::read(folder.path().join("secret")).unwrap(), b"s");
}

/// The environment holds secrets; a decoder gets two of its names.
#[test]
fn a_decoder_knows_next_to_nothing_of_its_environment() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let decoders = decoders();
        decoders.warm().await;
        let process = decoders.waiting_processes()[0];
        // The process may not be looked into, which is tested here, too.
        let environment = std::fs::read(PathBuf::from(format!("/proc/{process}/environ")));
        if let Ok(environment) = environment {
            let environment = String::from_utf8_lossy(&environment).into_owned();
            for variable in environment.split('\0').filter(|text| !text.is_empty()) {
                let (name, _) = variable.split_once('=').unwrap();
                assert!(["HOME", "LD_LIBRARY_PATH"].contains(&name), "{variable}");
            }
        }
    });
}
