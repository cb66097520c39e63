//! Checkpoints on disk: sound ones, and every way in which a folder can be wrong.
#![allow(clippy::unwrap_used)] // a test may fail

mod support;

use std::path::Path;
use std::time::Instant;

use paddock_checkpoint::{
    Checkpoint, CheckpointError, Form, Quant, Vision, inspect, inspect_headers,
};
use serde_json::json;
use support::{catalogue_config, small_config, write_checkpoint};

fn demo() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../resources/demo-model"
    ))
}

#[test]
fn the_demo_model_is_read_and_sees() {
    let checkpoint = inspect(demo()).unwrap();
    assert_eq!(checkpoint.architecture, "Llama4ForConditionalGeneration");
    assert_eq!(checkpoint.vision, Vision::Supported);
    assert_eq!(checkpoint.max_context_tokens, 16_384);
    assert!(checkpoint.can_run() && checkpoint.notes.is_empty());
    assert_eq!(checkpoint.quants, Quant::ALL);
    assert!(
        checkpoint.parameters > 1_000_000 && checkpoint.bytes > 2 * checkpoint.parameters,
        "{checkpoint:?}"
    );
}

#[test]
fn scout_is_counted_to_the_last_weight_from_fifty_shards() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), &catalogue_config("llama-4-scout"), 50);
    let started = Instant::now();
    let checkpoint = inspect_headers(folder.path()).unwrap();
    let elapsed = started.elapsed();
    println!("50 shards in {:.1} ms", elapsed.as_secs_f64() * 1e3);
    assert_eq!(checkpoint.parameters, 108_641_793_536);
    assert_eq!(checkpoint.shape.experts, 16);
    assert_eq!(checkpoint.stored, "bf16");
    assert_eq!(
        checkpoint
            .files
            .iter()
            .filter(|f| f.name.ends_with(".safetensors"))
            .count(),
        50
    );
    assert_eq!(checkpoint.shape.windowed_layers, 36);
    // 50 ms is the bound for a release build on an idle machine.
    assert!(elapsed.as_millis() < 2000, "{elapsed:?}");
}

/// The files as Scout and Maverick are published with, in the spellings of transformers 4 and 5.
#[test]
fn the_herds_own_files_say_what_the_catalogue_says() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/herd");
    for (name, parameters, context) in [
        ("scout", 108_641_793_536, 10_485_760),
        ("maverick", 401_583_781_376, 1_048_576),
    ] {
        let catalogued = inspected(&catalogue_config(&format!("llama-4-{name}")), None);
        for style in ["older", "newer"] {
            let files = fixtures.join(name).join(style);
            let text = std::fs::read(files.join("config.json")).unwrap();
            let checkpoint = inspected(&serde_json::from_slice(&text).unwrap(), Some(&files));
            assert_eq!(checkpoint.parameters, parameters, "{name} {style}");
            assert_eq!(checkpoint.max_context_tokens, context, "{name} {style}");
            assert_eq!(checkpoint.shape, catalogued.shape, "{name} {style}");
            assert_eq!(checkpoint.weights, catalogued.weights, "{name} {style}");
            assert_eq!(checkpoint.vision, Vision::Supported);
            assert!(checkpoint.can_run());
        }
    }
}

/// A checkpoint of holes with `config`, and the configuration files of `files`.
fn inspected(config: &serde_json::Value, files: Option<&Path>) -> Checkpoint {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), config, 8);
    if let Some(files) = files {
        std::fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
        for file in std::fs::read_dir(files).unwrap() {
            let path = file.unwrap().path();
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    inspect_headers(folder.path()).unwrap()
}

#[test]
fn newer_spellings_of_the_configuration_are_read_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = catalogue_config("smolvlm-256m");
    write_checkpoint(&folder.path().join("old"), &config, 1);
    config["dtype"] = json!("bfloat16");
    config["text_config"]["rope_parameters"] =
        json!({"rope_theta": 100000, "rope_type": "default"});
    let new = folder.path().join("new");
    write_checkpoint(&new, &config, 3);
    std::fs::remove_file(new.join("preprocessor_config.json")).unwrap();
    std::fs::write(
        new.join("processor_config.json"),
        r#"{"image_processor":{"size":{"longest_edge":2048}},"image_seq_len":64}"#,
    )
    .unwrap();
    let old = inspect(&folder.path().join("old")).unwrap();
    let new = inspect(&new).unwrap();
    assert_eq!(old.shape, new.shape);
    assert_eq!(old.parameters, 256_484_928);
    assert_eq!(new.parameters, old.parameters);
    assert_eq!(new.vision, Vision::Supported);
}

/// A change to a sound folder, and what has to be said of it.
type Spoil = (fn(&Path), &'static str, &'static str);

#[test]
fn everything_that_can_be_wrong_with_a_folder_is_a_sentence() {
    let cases: [Spoil; 14] = [
        (
            |f| std::fs::remove_file(f.join("tokenizer.json")).unwrap(),
            "modelFileMissing",
            "tokenizer.json",
        ),
        (
            |f| std::fs::write(f.join("tokenizer.json"), "{").unwrap(),
            "modelFileBroken",
            "tokenizer.json",
        ),
        (
            |f| std::fs::remove_file(f.join("config.json")).unwrap(),
            "modelFileMissing",
            "config.json",
        ),
        (
            |f| std::fs::write(f.join("config.json"), "{\"a\":").unwrap(),
            "modelFileBroken",
            "config.json",
        ),
        (
            |f| std::fs::write(f.join("config.json"), "[]").unwrap(),
            "modelFileBroken",
            "config.json",
        ),
        (
            |f| std::fs::write(f.join("config.json"), "[".repeat(100_000)).unwrap(),
            "modelFileBroken",
            "config.json",
        ),
        (
            |f| std::fs::write(f.join("config.json"), [0xff, 0xfe]).unwrap(),
            "modelFileBroken",
            "config.json",
        ),
        (
            |f| {
                std::fs::write(
                    f.join("config.json"),
                    "{\"architectures\":[\"LlamaForCausalLM\"]}",
                )
                .unwrap()
            },
            "modelFileBroken",
            "num_hidden_layers",
        ),
        (
            |f| std::fs::write(f.join("generation_config.json"), "nothing").unwrap(),
            "modelFileBroken",
            "generation_config.json",
        ),
        (
            |f| std::fs::remove_file(f.join("model-00002-of-00003.safetensors")).unwrap(),
            "modelFileMissing",
            "model-00002-of-00003.safetensors",
        ),
        (
            |f| cut(&f.join("model-00003-of-00003.safetensors")),
            "modelFileIncomplete",
            "model-00003-of-00003.safetensors",
        ),
        (
            |f| {
                std::fs::write(
                    f.join("model-00001-of-00003.safetensors"),
                    "<html>not found</html>",
                )
                .unwrap()
            },
            "modelFileBroken",
            "model-00001-of-00003.safetensors",
        ),
        (
            |f| std::fs::write(f.join("model-00001-of-00003.safetensors"), "").unwrap(),
            "modelFileIncomplete",
            "model-00001-of-00003.safetensors",
        ),
        (
            |f| {
                for number in 1..=3 {
                    std::fs::remove_file(
                        f.join(format!("model-0000{number}-of-00003.safetensors")),
                    )
                    .unwrap();
                }
            },
            "modelFileMissing",
            "model-00001-of-00003.safetensors",
        ),
    ];
    for (index, (spoil, code, word)) in cases.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        write_checkpoint(folder.path(), &small_config(), 3);
        inspect(folder.path()).unwrap();
        spoil(folder.path());
        let error = inspect(folder.path()).unwrap_err();
        let failure = error.failure();
        assert_eq!(failure.code, code, "case {index}: {error}");
        assert!(failure.message.contains(word), "case {index}: {error}");
        assert!(
            failure.message.ends_with('.') && failure.next_step.ends_with('.'),
            "{failure:?}"
        );
    }
}

fn cut(path: &Path) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - 100).unwrap();
}

#[test]
fn a_layer_without_weights_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), &small_config(), 1);
    let mut config = small_config();
    config["num_hidden_layers"] = json!(3);
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let error = inspect(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("layer 2 has no weights"),
        "{error}"
    );
}

#[test]
fn what_the_engine_cannot_run_says_so_and_is_still_described() {
    for (change, word) in [
        (
            json!({"architectures": ["SmolVLMForConditionalGeneration"]}),
            "first generation",
        ),
        (
            json!({"architectures": ["MadeUpForCausalLM"]}),
            "MadeUpForCausalLM",
        ),
        (
            json!({"quantization_config": {"quant_method": "awq", "bits": 4}}),
            "AWQ, which the engine runs on NVIDIA GPUs only",
        ),
        (
            json!({"quantization_config": {"quant_method": "gptq", "bits": 4}}),
            "GPTQ, which the engine runs on NVIDIA GPUs only",
        ),
        (
            json!({"quantization": {"group_size": 64, "bits": 4}}),
            "MLX, which the engine runs on Apple's GPUs only",
        ),
        (
            json!({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": false}}),
            "the 4-bit form only",
        ),
        (
            json!({"quantization_config": {"quant_method": "compressed-tensors"}}),
            "compressed-tensors, which the engine does not know",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_checkpoint(folder.path(), &small_config(), 1);
        let mut config = small_config();
        for (key, value) in change.as_object().unwrap() {
            config[key] = value.clone();
        }
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let checkpoint = inspect(folder.path()).unwrap();
        assert!(!checkpoint.can_run());
        assert!(
            checkpoint.blocking.as_ref().unwrap().message.contains(word),
            "{:?}",
            checkpoint.blocking
        );
        assert!(checkpoint.parameters > 0);
    }
}

#[test]
fn a_model_without_a_chat_template_cannot_be_talked_to() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), &small_config(), 1);
    std::fs::write(folder.path().join("tokenizer_config.json"), "{}").unwrap();
    let blocking = inspect(folder.path()).unwrap().blocking.unwrap();
    assert!(
        blocking.message.contains("no chat template"),
        "{blocking:?}"
    );
    std::fs::write(folder.path().join("chat_template.jinja"), "{{ messages }}").unwrap();
    assert!(inspect(folder.path()).unwrap().can_run());
}

#[test]
fn what_looks_like_a_model_and_is_none_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        std::fs::write(at(name), text).unwrap();
    };
    write(
        "lora/adapter_config.json",
        r#"{"base_model_name_or_path":"org/Base-1B"}"#,
    );
    write("lora/adapter_model.safetensors", "x");
    write_checkpoint(&at("pickled"), &small_config(), 1);
    std::fs::rename(
        at("pickled/model.safetensors"),
        at("pickled/pytorch_model.bin"),
    )
    .unwrap();
    write_checkpoint(&at("unigram"), &small_config(), 1);
    write(
        "unigram/tokenizer.json",
        r#"{"model":{"type":"Unigram","vocab":[["a",0.1]]}}"#,
    );
    write_checkpoint(&at("sentencepiece"), &small_config(), 1);
    std::fs::rename(
        at("sentencepiece/tokenizer.json"),
        at("sentencepiece/tokenizer.model"),
    )
    .unwrap();
    for (name, words) in [
        ("lora", "an adapter (LoRA) on top of the model org/Base-1B"),
        ("pickled", "pickled Python files"),
        ("unigram", "byte-pair encoding"),
        ("sentencepiece", "tokenizer.json is missing"),
    ] {
        let failure = inspect(&at(name)).unwrap_err().failure();
        assert!(failure.message.contains(words), "{failure:?}");
        assert!(failure.message.ends_with('.') && failure.next_step.ends_with('.'));
    }
}

#[test]
fn a_file_of_the_model_or_a_folder_above_it_leads_to_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("Small-1B");
    write_checkpoint(&model, &small_config(), 2);
    let by_folder = inspect(&model).unwrap();
    for name in ["model-00002-of-00002.safetensors", "config.json"] {
        let by_file = inspect(&model.join(name)).unwrap();
        assert_eq!(
            (by_file.name.as_str(), by_file.parameters),
            ("Small-1B", by_folder.parameters)
        );
    }
    let failure = inspect(folder.path()).unwrap_err().failure();
    assert_eq!(failure.code, "noModel");
    assert_eq!(failure.next_step, format!("Choose {}.", model.display()));
}

#[test]
fn a_vision_model_without_its_picture_file_answers_text_only() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), &catalogue_config("smolvlm-256m"), 1);
    std::fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
    let checkpoint = inspect(folder.path()).unwrap();
    assert!(checkpoint.can_run());
    assert!(matches!(checkpoint.vision, Vision::Unsupported { .. }));
    assert!(
        checkpoint.notes[0]
            .message
            .contains("preprocessor_config.json")
    );
}

#[test]
fn paths_that_are_no_model() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        inspect(&folder.path().join("gone")),
        Err(CheckpointError::NotFound { .. })
    ));
    assert!(matches!(
        inspect(folder.path()),
        Err(CheckpointError::NoModel { .. })
    ));
    let file = folder.path().join("picture.png");
    std::fs::write(&file, [0x89, b'P', b'N', b'G']).unwrap();
    assert!(matches!(
        inspect(&file),
        Err(CheckpointError::NoModel { .. })
    ));
}

mod gguf_files {
    use super::support::gguf::{Gguf, plain, write};
    use super::*;

    #[test]
    fn a_quantised_file_is_described() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("small-Q4_K_M.gguf");
        write(&path, &plain());
        for place in [path.as_path(), folder.path()] {
            let checkpoint = inspect(place).unwrap();
            assert_eq!(checkpoint.form, Form::Gguf);
            assert_eq!(
                (checkpoint.parameters, checkpoint.stored.as_str()),
                (2048, "Q4K")
            );
            assert_eq!(checkpoint.quants, [Quant::None]);
            assert!(checkpoint.can_run(), "{:?}", checkpoint.blocking);
            assert_eq!(checkpoint.vision, Vision::None);
        }
    }

    #[test]
    fn unsupported_ones_say_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        for (gguf, word) in [
            (
                Gguf {
                    kind: 23,
                    ..plain()
                },
                "IQ4_XS",
            ),
            (
                Gguf {
                    architecture: "llama4",
                    ..plain()
                },
                "llama4",
            ),
            (
                Gguf {
                    tokenizer: None,
                    ..plain()
                },
                "no tokenizer",
            ),
            (
                Gguf {
                    tokenizer: Some("bert"),
                    ..plain()
                },
                "bert",
            ),
            (
                Gguf {
                    template: false,
                    ..plain()
                },
                "chat template",
            ),
        ] {
            write(&path, &gguf);
            let checkpoint = inspect(&path).unwrap();
            assert!(
                checkpoint.blocking.unwrap().message.contains(word),
                "{word}"
            );
        }
        write(
            &path,
            &Gguf {
                architecture: "clip",
                ..plain()
            },
        );
        assert!(
            inspect(&path)
                .unwrap_err()
                .to_string()
                .contains("projector")
        );
    }

    #[test]
    fn a_projector_beside_it_is_no_second_model() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("m-Q4_K_M.gguf"), &plain());
        write(
            &folder.path().join("mmproj-f16.gguf"),
            &Gguf {
                architecture: "clip",
                ..plain()
            },
        );
        // Whether the folder was chosen or the file.
        for place in [
            folder.path().to_owned(),
            folder.path().join("m-Q4_K_M.gguf"),
        ] {
            let checkpoint = inspect(&place).unwrap();
            assert!(matches!(checkpoint.vision, Vision::Unsupported { .. }));
            assert!(checkpoint.can_run());
            let note = &checkpoint.notes[0];
            assert!(note.message.contains("text only"), "{note:?}");
        }
    }

    #[test]
    fn split_files_are_one_model_and_need_every_part() {
        let folder = tempfile::tempdir().unwrap();
        let part = |n: u16| folder.path().join(format!("m-{n:05}-of-00002.gguf"));
        write(
            &part(1),
            &Gguf {
                split: Some((0, 2, 3)),
                ..plain()
            },
        );
        write(
            &part(2),
            &Gguf {
                split: Some((1, 2, 3)),
                names: &["output.weight"],
                ..plain()
            },
        );
        for place in [part(1), part(2), folder.path().to_owned()] {
            let checkpoint = inspect(&place).unwrap();
            assert_eq!(checkpoint.parameters, 3072, "{}", place.display());
            let why = checkpoint.blocking.unwrap().message;
            assert!(why.contains("comes in 2"), "{why}");
        }
        std::fs::remove_file(part(2)).unwrap();
        assert!(
            inspect(&part(1))
                .unwrap_err()
                .to_string()
                .contains("m-00002-of-00002.gguf")
        );
    }

    #[test]
    fn a_cut_file_is_incomplete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.gguf");
        write(&path, &plain());
        super::cut(&path);
        assert!(matches!(
            inspect(&path),
            Err(CheckpointError::Truncated { .. })
        ));
    }
}
