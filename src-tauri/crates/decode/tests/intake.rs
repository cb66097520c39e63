//! Every fixture ends in the right upright pixels or in a one-line reason.
//!
//! Outside: what `tests/fixtures/images/make.py` does to make them.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::PathBuf;

use paddock_decode::{Limits, MediaError, RgbImage, decode_upright, probe};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/images/intake")
}

fn cases() -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(folder().join("expected.json")).unwrap()).unwrap()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap()
}

fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let sum: u64 = a
        .as_raw()
        .iter()
        .zip(b.as_raw())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    sum as f64 / a.as_raw().len() as f64
}

/// What is wrong with the outcome of a case, if anything.
fn check(case: &Value) -> Result<(), String> {
    let bytes = std::fs::read(folder().join(text(case, "file"))).unwrap();
    let started = std::time::Instant::now();
    let outcome = decode_upright(&bytes, &Limits::DEFAULT);
    let seconds = started.elapsed().as_secs_f64();
    if seconds > 10.0 {
        return Err(format!("took {seconds:.1} seconds"));
    }
    if std::env::var_os("PADDOCK_SHOW_INTAKE").is_some() {
        let said = outcome
            .as_ref()
            .map_or_else(ToString::to_string, |u| format!("{:?}", u.notes));
        println!("{seconds:.2} s {} {said}", text(case, "file"));
    }
    if let Some(code) = case["refused"].as_str() {
        return match outcome {
            Ok(upright) => Err(format!("was taken: {:?}", upright.probe)),
            Err(error) => refusal(&error, code),
        };
    }
    let upright = match outcome {
        Ok(upright) => upright,
        Err(error) => return Err(format!("was refused: {error}")),
    };
    let want = &case["taken"];
    let probe = &upright.probe;
    let stored = serde_json::json!([probe.stored.width_px, probe.stored.height_px]);
    if stored != want["stored"] || want["frames"] != probe.frames {
        return Err(format!("was probed as {probe:?}"));
    }
    if serde_json::to_value(probe.orientation).unwrap() != want["orientation"] {
        return Err(format!("has orientation {:?}", probe.orientation));
    }
    let size = (probe.upright.width_px, probe.upright.height_px);
    if upright.image.dimensions() != size {
        return Err(format!(
            "is {:?} but was probed as {size:?}",
            upright.image.dimensions()
        ));
    }
    let notes: Vec<Value> = upright
        .notes
        .iter()
        .map(|n| serde_json::to_value(n).unwrap()["kind"].clone())
        .collect();
    let mut wanted: Vec<Value> = want["notes"].as_array().unwrap().clone();
    wanted.sort_by_key(Value::to_string);
    let mut found = notes.clone();
    found.sort_by_key(Value::to_string);
    if found != wanted {
        return Err(format!("has notes {notes:?}"));
    }
    let reference = image::open(folder().join(text(want, "like")))
        .unwrap()
        .to_rgb8();
    let shown = if upright.image.dimensions() == reference.dimensions() {
        upright.image.clone()
    } else {
        paddock_decode::thumbnail(&upright.image, reference.width())
    };
    if shown.dimensions() != reference.dimensions() {
        return Err(format!("has the shape of {:?}", shown.dimensions()));
    }
    let difference = mean_difference(&shown, &reference);
    if difference > want["tolerance"].as_f64().unwrap() {
        return Err(format!("differs by {difference:.2} on average"));
    }
    Ok(())
}

fn refusal(error: &MediaError, code: &str) -> Result<(), String> {
    let sentence = error.to_string();
    if error.code() != code {
        return Err(format!("was refused for {}: {sentence}", error.code()));
    }
    let whole = sentence.ends_with('.') && !sentence.contains('\n') && sentence.len() < 220;
    if !whole || !error.next_step().ends_with('.') {
        return Err(format!("gives no clear sentence: {sentence:?}"));
    }
    Ok(())
}

#[test]
fn every_file_is_shown_upright_or_refused_in_a_sentence() {
    let cases = cases();
    assert!(cases.len() > 130, "{}", cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| Some(format!("{} {}", text(case, "file"), check(case).err()?)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} are wrong:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn headers_alone_refuse_what_claims_too_much() {
    for case in cases().iter().filter(|case| {
        let name = text(case, "file");
        name.contains("claims") || name.contains("bomb")
    }) {
        let bytes = std::fs::read(folder().join(text(case, "file"))).unwrap();
        let error = probe(&bytes, &Limits::DEFAULT).unwrap_err();
        assert_eq!(
            error.code(),
            text(case, "refused"),
            "{}: {error}",
            text(case, "file")
        );
    }
}
