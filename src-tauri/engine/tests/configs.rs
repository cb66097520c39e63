//! Configuration files as they are published: older and newer spellings, what is left out, and the sizes of the herd.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod support;

use std::path::Path;

use paddock_engine::checkpoint::Checkpoint;
use serde_json::{Value, json};
use support::{Engine, ask_about, ask_text, demo_model, fixtures, read_json};

/// A copy of a model's folder that can be changed.
fn copy(source: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    folder
}

fn rewrite(folder: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(name);
    let mut json = read_json(&path);
    change(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}

#[test]
fn published_configurations_are_read() {
    let model = fixtures().join("parity/model-step1");
    let question = support::request(
        vec![support::user(vec![support::text_part("Hello")])],
        Some(10),
    );
    let plain = Engine::load(&model, &[]).ask(&question);
    for tuning in [json!(true), json!(4), json!(4.0)] {
        let folder = copy(&model);
        rewrite(folder.path(), "config.json", |config| {
            config["text_config"]["attn_temperature_tuning"] = tuning.clone()
        });
        let run = Engine::load(folder.path(), &[]).ask(&question);
        assert_eq!(
            run.logits, plain.logits,
            "attn_temperature_tuning: {tuning}"
        );
    }
    let folder = copy(&model);
    rewrite(folder.path(), "config.json", |config| {
        config["text_config"]["attn_temperature_tuning"] = json!(false)
    });
    let run = Engine::load(folder.path(), &[]).ask(&question);
    assert_ne!(
        run.logits, plain.logits,
        "switched off it must change something"
    );
}

#[test]
fn the_newer_spelling_of_transformers_5_means_the_same() {
    let circle = fixtures().join("images/red_circle.png");
    let folder = copy(&demo_model());
    rewrite(folder.path(), "config.json", |config| {
        let text = config["text_config"].as_object_mut().unwrap();
        let theta = text.remove("rope_theta").unwrap_or(json!(500_000.0));
        let mut parameters = text
            .remove("rope_scaling")
            .filter(Value::is_object)
            .unwrap_or(json!({"rope_type": "default"}));
        parameters["rope_theta"] = theta;
        text.insert("rope_parameters".into(), parameters);
        config["vision_config"]
            .as_object_mut()
            .unwrap()
            .remove("vision_feature_layer");
    });
    // One file for the whole processor.
    let images = read_json(&folder.path().join("preprocessor_config.json"));
    std::fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
    rewrite(folder.path(), "processor_config.json", |processor| {
        processor["image_processor"] = images
    });
    let run =
        Engine::load(folder.path(), &[]).ask(&ask_about(&[&circle], "What is in this image?"));
    assert_eq!(run.text, "A red circle.");
}

/// Scout's and Maverick's own files with the demo model's sizes: every key that is published must be understood.
#[test]
fn the_herds_own_files_are_read() {
    let circle = fixtures().join("images/red_circle.png");
    let demo = read_json(&demo_model().join("config.json"));
    let layers = demo["text_config"]["num_hidden_layers"].as_u64().unwrap() as usize;
    for name in [
        "scout/older",
        "scout/newer",
        "maverick/older",
        "maverick/newer",
    ] {
        let published = fixtures().join("herd").join(name);
        let folder = copy(&demo_model());
        for file in ["preprocessor_config.json", "processor_config.json"] {
            std::fs::remove_file(folder.path().join(file)).unwrap();
        }
        for entry in std::fs::read_dir(&published).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        rewrite(folder.path(), "config.json", |config| {
            for section in ["", "/text_config", "/vision_config"] {
                let sizes = demo.pointer(section).unwrap().as_object().unwrap();
                let section = config
                    .pointer_mut(section)
                    .unwrap()
                    .as_object_mut()
                    .unwrap();
                let newer = section.contains_key("rope_parameters");
                for (key, value) in sizes.iter().filter(|(_, value)| !value.is_object()) {
                    if newer && key == "rope_theta" {
                        section["rope_parameters"] =
                            json!({"rope_type": "default", "rope_theta": value});
                    } else if section.contains_key(key) {
                        section[key] = value.clone();
                    }
                }
                if section.contains_key("rope_scaling") {
                    section["rope_scaling"] = Value::Null;
                }
                for list in ["no_rope_layers", "layer_types"] {
                    if let Some(Value::Array(list)) = section.get_mut(list) {
                        list.truncate(layers);
                    }
                }
                if section.contains_key("moe_layers") {
                    section["moe_layers"] = json!([1, 3]);
                }
            }
        });
        let small = |processor: &mut Value| {
            processor["size"] = json!({"height": 56, "width": 56});
            processor["max_patches"] = json!(4);
        };
        if name.ends_with("newer") {
            rewrite(folder.path(), "processor_config.json", |processor| {
                small(&mut processor["image_processor"])
            });
        } else {
            rewrite(folder.path(), "preprocessor_config.json", small);
        }
        let engine = Engine::load(folder.path(), &[]);
        let run = engine.ask(&ask_about(&[&circle], "What is in this image?"));
        assert_eq!(run.text, "A red circle.", "{name}");
    }
}

#[test]
fn a_folder_without_processor_config_loads() {
    let folder = copy(&demo_model());
    std::fs::remove_file(folder.path().join("processor_config.json")).unwrap();
    let engine = Engine::load(folder.path(), &[]);
    assert_eq!(
        engine.ask(&ask_text("Hello")).text,
        "Hello! How can I help you?"
    );
}

/// Scout has 10,485,760 positions: tables of that length would take 2.7 GB three times over.
#[test]
fn tables_are_as_long_as_the_chosen_context() {
    let folder = copy(&demo_model());
    rewrite(folder.path(), "config.json", |config| {
        config["text_config"]["max_position_embeddings"] = json!(10_485_760)
    });
    let checkpoint = Checkpoint::open(folder.path(), Some(4096)).unwrap();
    let Checkpoint::Folder(view) = &checkpoint else {
        panic!("a folder")
    };
    assert_eq!(view.context, 4096);
    assert_eq!(
        read_json(&view.path().join("config.json"))["text_config"]["max_position_embeddings"],
        4096
    );
    let before = paddock_engine::load::resident_bytes();
    let engine = Engine::load(folder.path(), &[]);
    assert_eq!(
        engine.ask(&ask_text("Hello")).text,
        "Hello! How can I help you?"
    );
    let grown = paddock_engine::load::resident_bytes().saturating_sub(before);
    assert!(grown < 300 << 20, "{} MB", grown >> 20);
}
