//! Plans and pixels are those of Hugging Face transformers.
//!
//! Outside: how the reference values were made (the scripts in `tests/fixtures/tiling`).

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::path::PathBuf;

use paddock_decode::{ImageSize, RgbImage, Tiling};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures")
}

fn read(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join(path)).unwrap()).unwrap()
}

fn digest(image: &RgbImage) -> String {
    Sha256::digest(image.as_raw())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn renders_the_very_pixels_the_processors_hand_on() {
    for case in read("tiling/pixels.json").as_array().unwrap() {
        let name = format!("{} {}", case["family"], case["image"]);
        let tiling =
            Tiling::from_files(&case["config"], Some(&case["preprocessor"]), None).unwrap();
        let path = fixtures()
            .join("images")
            .join(case["image"].as_str().unwrap());
        let image = image::open(path).unwrap().to_rgb8();
        let plan = tiling.plan(ImageSize::new(image.width(), image.height()));
        let canvas = plan.render(&image);
        let wanted = (&case["canvas"]["width"], &case["canvas"]["height"]);
        assert_eq!(
            wanted,
            (&canvas.width().into(), &canvas.height().into()),
            "{name} {plan:?}"
        );
        assert_eq!(case["canvas"]["sha256"], digest(&canvas), "{name} {plan:?}");
        let whole = plan.render_global(&image).map(|image| digest(&image));
        assert_eq!(
            case["whole"],
            serde_json::to_value(whole).unwrap(),
            "{name}"
        );
    }
}

/// What differs from a family's reference values, size by size.
fn compare(path: &str) -> Vec<String> {
    let reference = read(path);
    let file = |key: &str| Some(&reference[key]).filter(|value| !value.is_null());
    let Some(tiling) = Tiling::from_files(
        &reference["config"],
        file("preprocessor"),
        file("processor"),
    ) else {
        return vec![format!("{path}: the rules cannot be read")];
    };
    let cases = reference["cases"].as_array().unwrap();
    assert!(cases.len() >= 200, "{path} has {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let number = |key: &str| case[key].as_u64().map(|n| u32::try_from(n).unwrap());
        let size = ImageSize::new(number("width").unwrap(), number("height").unwrap());
        let plan = tiling.plan(size);
        let rows = number("rows").map(|rows| rows.max(1));
        let columns = number("columns").map(|columns| columns.max(1));
        let found = [
            ("rows", Some(plan.grid.rows), rows),
            ("columns", Some(plan.grid.columns), columns),
            ("tokens", Some(plan.tokens), number("tokens")),
            (
                "prompt tokens",
                Some(plan.prompt_tokens),
                number("prompt_tokens"),
            ),
            (
                "canvas width",
                Some(plan.canvas.width_px),
                number("canvas_width"),
            ),
            (
                "canvas height",
                Some(plan.canvas.height_px),
                number("canvas_height"),
            ),
        ];
        // Idefics3 scales twice before it cuts.
        let last = usize::from(reference["config"]["model_type"] == "idefics3");
        let seen = serde_json::json!([plan.seen.height_px, plan.seen.width_px]);
        if case["resizes"][last] != seen {
            wrong.push(format!(
                "{path} {size}: scaled to {seen}, transformers {}",
                case["resizes"]
            ));
        }
        for (what, ours, theirs) in found {
            if theirs.is_some() && ours != theirs {
                wrong.push(format!(
                    "{path} {size}: {what} {ours:?}, transformers {theirs:?}"
                ));
            }
        }
    }
    wrong
}

#[test]
fn plans_are_transformers_for_every_family_on_200_sizes() {
    let mut wrong = Vec::new();
    let mut files = 0;
    for entry in std::fs::read_dir(fixtures().join("tiling")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".json") && name != "pixels.json" {
            files += 1;
            let differences = compare(&format!("tiling/{name}"));
            wrong.extend(differences.into_iter().take(8));
        }
    }
    assert!(files >= 9, "{files}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
