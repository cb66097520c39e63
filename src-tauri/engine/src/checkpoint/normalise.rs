//! Configuration files in the spelling that mistral.rs 0.8.1 reads.
//!
//! Outside: any change of meaning. transformers 5 writes `rope_parameters` where transformers 4 wrote `rope_theta`
//! and `rope_scaling`, leaves defaults out, and puts the image processor into `processor_config.json`.

use serde_json::{Map, Value, json};

/// Rewrites `config` and the other files in place; adds what is missing but has a known default.
pub fn apply(config: &mut Value, files: &mut Vec<(&'static str, Value)>) {
    for pointer in ["", "/text_config"] {
        if let Some(section) = config.pointer_mut(pointer).and_then(Value::as_object_mut) {
            rope(section);
        }
    }
    embedded_image_processor(files);
    if config.get("model_type").and_then(Value::as_str) == Some("llama4") {
        llama4(config, files);
    }
}

/// Whole numbers that were written as floats (`4096.0`), where mistral.rs reads integers: sizes, counts and token ids, by the
/// names that transformers gives them.
pub fn whole_numbers(config: &mut Value) {
    let counts = |key: &str| {
        key.starts_with("num_")
            || [
                "_size", "_dim", "_id", "_ids", "_index", "_layers", "_step", "_indexes",
            ]
            .iter()
            .any(|ending| key.ends_with(ending))
            || matches!(
                key,
                "max_position_embeddings"
                    | "depth"
                    | "sliding_window"
                    | "head_dim"
                    | "scale_factor"
            )
    };
    match config {
        Value::Object(object) => {
            for (key, value) in object {
                if counts(key) {
                    whole(value);
                }
                whole_numbers(value);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(whole_numbers),
        _ => {}
    }
}

fn whole(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(number) = paddock_checkpoint::json::whole(value) {
                *value = number.into();
            }
        }
        Value::Array(list) => list.iter_mut().for_each(whole),
        _ => {}
    }
}

/// `rope_parameters {rope_type, rope_theta, ..}` is `rope_theta` and `rope_scaling` of older files.
fn rope(section: &mut Map<String, Value>) {
    let Some(Value::Object(mut parameters)) = section.get("rope_parameters").cloned() else {
        return;
    };
    if let Some(theta) = parameters.remove("rope_theta") {
        section.entry("rope_theta").or_insert(theta);
    }
    let kind = parameters
        .get("rope_type")
        .and_then(Value::as_str)
        .unwrap_or("default");
    if kind != "default" {
        section
            .entry("rope_scaling")
            .or_insert(Value::Object(parameters));
    }
}

/// transformers 5 saves one file for the whole processor.
fn embedded_image_processor(files: &mut Vec<(&'static str, Value)>) {
    if files
        .iter()
        .any(|(name, _)| *name == "preprocessor_config.json")
    {
        return;
    }
    let embedded = files
        .iter()
        .find(|(name, _)| *name == "processor_config.json")
        .and_then(|(_, json)| json.get("image_processor"))
        .filter(|json| json.is_object())
        .cloned();
    if let Some(embedded) = embedded {
        files.push(("preprocessor_config.json", embedded));
    }
}

fn llama4(config: &mut Value, files: &mut Vec<(&'static str, Value)>) {
    let vision = config
        .get_mut("vision_config")
        .and_then(Value::as_object_mut);
    let mut patch = (json!(14), json!(0.5));
    if let Some(vision) = vision {
        // Defaults of transformers' Llama4VisionConfig.
        vision.entry("vision_feature_layer").or_insert(json!(-1));
        vision.entry("rope_theta").or_insert(json!(10_000.0));
        let parameters = vision
            .get("rope_parameters")
            .and_then(|parameters| parameters.get("rope_theta"))
            .cloned();
        if let Some(theta) = parameters {
            vision.insert("rope_theta".into(), theta);
        }
        patch = (
            vision.get("patch_size").cloned().unwrap_or(patch.0),
            vision
                .get("pixel_shuffle_ratio")
                .cloned()
                .unwrap_or(patch.1),
        );
    }
    // mistral.rs reads both from the processor, which must say what the vision tower says.
    match files
        .iter_mut()
        .find(|(name, _)| *name == "processor_config.json")
    {
        Some((_, Value::Object(processor))) => {
            processor.insert("patch_size".into(), patch.0);
            processor.insert("pixel_shuffle_ratio".into(), patch.1);
        }
        _ => files.push((
            "processor_config.json",
            json!({"patch_size": patch.0, "pixel_shuffle_ratio": patch.1}),
        )),
    }
    if let Some((_, Value::Object(images))) = files
        .iter_mut()
        .find(|(name, _)| *name == "preprocessor_config.json")
    {
        // Defaults of transformers' Llama4ImageProcessorFast; mistral.rs would not rescale at all.
        images.entry("rescale_factor").or_insert(json!(1.0 / 255.0));
        images.entry("max_patches").or_insert(json!(16));
        images.entry("resize_to_max_canvas").or_insert(json!(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_spelling_of_rope_becomes_the_older_one() {
        let mut config = json!({"text_config": {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, "factor": 16.0}}});
        apply(&mut config, &mut Vec::new());
        let text = &config["text_config"];
        assert_eq!(text["rope_theta"], 5e5);
        assert_eq!(
            text["rope_scaling"],
            json!({"rope_type": "llama3", "factor": 16.0})
        );
    }

    #[test]
    fn sizes_written_as_floats_are_whole_and_factors_stay() {
        let mut config = json!({"hidden_size": 64.0, "rope_theta": 10000.0, "eos_token_id": [1.0, 2],
            "text_config": {"num_hidden_layers": 2.0, "initializer_range": 1.0, "vocab_size": 1.5}});
        whole_numbers(&mut config);
        assert_eq!(
            config.to_string(),
            json!({"hidden_size": 64, "rope_theta": 10000.0, "eos_token_id": [1, 2],
                "text_config": {"num_hidden_layers": 2, "initializer_range": 1.0, "vocab_size": 1.5}})
            .to_string()
        );
    }

    #[test]
    fn what_llama4_leaves_out_gets_the_defaults_of_transformers() {
        let mut config = json!({"model_type": "llama4", "vision_config": {"patch_size": 14, "pixel_shuffle_ratio": 0.5}});
        let mut files = vec![(
            "processor_config.json",
            json!({"image_processor": {"max_patches": 16}}),
        )];
        apply(&mut config, &mut files);
        assert_eq!(config["vision_config"]["vision_feature_layer"], -1);
        let images = &files
            .iter()
            .find(|(name, _)| *name == "preprocessor_config.json")
            .unwrap()
            .1;
        assert_eq!(images["max_patches"], 16);
        assert!(images["rescale_factor"].as_f64().unwrap() > 0.0);
        assert_eq!(files[0].1["patch_size"], 14);
    }
}
