//! One judgement: what the list says of a model is what loading it says.
#![allow(clippy::unwrap_used)] // a test that cannot go on has failed

mod support;

use std::path::{Path, PathBuf};

use paddock_checkpoint::inspect;
use paddock_engine::checkpoint::Checkpoint;
use serde_json::{Value, json};
use support::{Engine, ask_text, demo_model, fixtures, read_json};

/// A copy of the demo model that can be changed.
fn copy(change: impl FnOnce(&Path)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(demo_model()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    change(folder.path());
    folder
}

fn rewrite(folder: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(name);
    let mut json = read_json(&path);
    change(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}

fn agree(path: &Path) -> bool {
    let listed = match inspect(path) {
        Ok(checkpoint) => checkpoint.blocking.map(|failure| failure.message),
        Err(error) => Some(error.to_string()),
    };
    let loaded = Checkpoint::open(path, None)
        .err()
        .map(|failure| failure.message);
    assert_eq!(listed, loaded, "{}", path.display());
    listed.is_none()
}

#[test]
fn the_list_and_the_engine_say_the_same() {
    let gguf = fixtures().join("gguf");
    for name in ["spm.gguf", "no_system.gguf", "harmony.gguf"] {
        assert!(agree(&gguf.join(name)), "{name}");
    }
    assert!(!agree(&gguf.join("no_template.gguf")));
    assert!(!agree(&gguf), "several models in one folder");
    assert!(!agree(Path::new("/nowhere")));
    assert!(agree(&demo_model()));
    for family in std::fs::read_dir(fixtures().join("families")).unwrap() {
        let path = family.unwrap().path();
        if path.join("config.json").is_file() {
            agree(&path);
        }
    }
    type Change = fn(&Path);
    let spoiled: [Change; 7] = [
        |f| std::fs::remove_file(f.join("tokenizer.json")).unwrap(),
        |f| {
            rewrite(f, "tokenizer.json", |t| {
                t["model"]["vocab"] = json!([["a", 0.1]])
            })
        },
        |f| std::fs::remove_file(f.join("model.safetensors")).unwrap(),
        |f| {
            let path = f.join("model.safetensors");
            let mut bytes = std::fs::read(&path).unwrap();
            let at = bytes
                .windows(6)
                .position(|w| w == b"\"BF16\"" || w == b"\"F16\",")
                .unwrap();
            bytes[at + 1..at + 4].copy_from_slice(b"Q99");
            std::fs::write(path, bytes).unwrap();
        },
        |f| {
            rewrite(f, "config.json", |c| {
                c["architectures"] = json!(["MadeUpForCausalLM"])
            })
        },
        |f| {
            rewrite(f, "config.json", |c| {
                c["text_config"]["hidden_size"] = json!(1 << 30)
            })
        },
        |f| std::fs::write(f.join("generation_config.json"), "nothing").unwrap(),
    ];
    for (index, change) in spoiled.into_iter().enumerate() {
        assert!(!agree(copy(change).path()), "{index}");
    }
}

/// Each of these answers, and not only passes a check.
#[test]
fn folders_as_the_world_has_them_answer() {
    let renamed = |from: &'static str, to: &'static str| {
        move |f: &Path| std::fs::rename(f.join(from), f.join(to)).unwrap()
    };
    let constants = |f: &Path| {
        rewrite(f, "config.json", |c| {
            c["time_step_limit"] = json!([0.0, "INFINITY"]);
            c["text_config"]["hidden_size"] =
                json!(c["text_config"]["hidden_size"].as_u64().unwrap() as f64);
        });
        let path = f.join("config.json");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, text.replace("\"INFINITY\"", "Infinity")).unwrap();
    };
    let other_index = |f: &Path| {
        std::fs::rename(f.join("model.safetensors"), f.join("weights.safetensors")).unwrap();
        // What mistral.rs would take for a part of the model.
        std::fs::write(f.join("adapter_model.safetensors"), "x").unwrap();
    };
    for (name, folder) in [
        (
            "one file",
            copy(renamed("model.safetensors", "pytorch_model.safetensors")),
        ),
        ("another name", copy(other_index)),
        ("Python's constants", copy(constants)),
    ] {
        assert!(agree(folder.path()), "{name}");
        let engine = Engine::load(folder.path(), &[]);
        assert_eq!(
            engine.ask(&ask_text("Hello")).text,
            "Hello! How can I help you?",
            "{name}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("spm.gguf");
    std::fs::copy(fixtures().join("gguf/spm.gguf"), &file).unwrap();
    assert!(agree(folder.path()));
    let text = |path: &Path| Engine::load(path, &[]).ask(&ask_text("Hello")).text;
    assert_eq!(text(folder.path()), text(&file));
}
