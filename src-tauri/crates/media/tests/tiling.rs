//! Plans and pixels are those of Hugging Face transformers.
//!
//! Outside: how the reference values were made (the scripts in `tests/fixtures/tiling`).

use std::path::PathBuf;

use paddock_media::{ImageSize, RgbImage, TilePlan, Tiling};
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
