//! The owner of the models: the list one line at a time, what an id may name, adding and forgetting.
#![allow(clippy::unwrap_used)] // a test may fail

#[path = "../../checkpoint/tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt as _;
use paddock_models::fit::{FitModel, FitRequest, Hardware, plan, tiling_of};
use paddock_models::{
    FitSubject, FitTarget, LoadChoice, ModelFolders, ModelId, ModelPlaces, ModelSource, Models,
    ModelsError, Quant, inspect, inspect_headers, runnable,
};
use paddock_store::Store;
use serde_json::{Value, json};
use support::{catalogue_config, gguf, small_config, write_checkpoint};

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../resources/demo-model")
}

fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../tests/fixtures")
        .join(name)
}

struct Setup {
    folder: tempfile::TempDir,
    models: Models,
}

impl Setup {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let folders = ModelFolders {
            demo_model: demo(),
            data_folder: data.clone(),
            places: ModelPlaces {
                lm_studio: vec![folder.path().join("studio")],
                ..ModelPlaces::default()
            },
        };
        let store = Arc::new(Store::open(&data, 0).unwrap());
        Self {
            models: Models::new(store, folders),
            folder,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn small(&self, name: &str) -> PathBuf {
        let path = self.at(name);
        write_checkpoint(&path, &small_config(), 1);
        path
    }

    fn ids(&self) -> Vec<String> {
        let lines = self.models.list_now().unwrap();
        lines.map(|line| line.id.to_string()).collect()
    }
}

fn rewrite(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(path, config.to_string()).unwrap();
}

#[test]
fn the_demo_model_is_a_line_with_eyes() {
    let s = Setup::new();
    let line = s.models.list_now().unwrap().next().unwrap();
    assert!(line.ready && line.vision && line.demo && line.problem.is_none());
    assert_eq!(line.quants, ["none", "q8_0", "q6k", "q5k", "q4k"]);
    let model = s.models.resolve(&ModelId::demo()).unwrap();
    assert!(model.tiling.is_some() && model.name == line.name);
}

#[tokio::test]
async fn broken_folders_are_lines_with_their_reasons_and_hide_nothing() {
    let s = Setup::new();
    let mut added = Vec::new();
    for name in ["one", "cut", "odd", "huge", "two"] {
        let path = s.small(name);
        s.models.add(&path).unwrap();
        added.push(path);
    }
    std::fs::write(added[1].join("config.json"), "{\"a\":").unwrap();
    rewrite(&added[2], |config| config["hidden_size"] = json!(-7));
    rewrite(&added[3], |config| {
        config["num_hidden_layers"] = json!(4_000_000_000_u64)
    });
    let lines: Vec<_> = s.models.list().collect().await;
    let lines: Vec<_> = lines.into_iter().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 6);
    assert!(lines[0].demo);
    for line in &lines[1..] {
        let expected = ["one", "two"].contains(&line.name.as_str());
        assert_eq!(line.ready, expected, "{line:?}");
    }
    // The order stays.
    let ids: Vec<String> = lines.iter().map(|line| line.id.to_string()).collect();
    assert_eq!(ids, s.ids());
    for line in lines.iter().filter(|line| !line.ready) {
        let problem = line.problem.as_ref().unwrap();
        assert_eq!(problem.code, "modelFileBroken", "{problem:?}");
        assert!(problem.message.contains("config.json"), "{problem:?}");
    }
}

/// Configurations that made the tiling divide by zero or ask for terabytes.
#[test]
fn no_configuration_of_a_family_that_sees_breaks_reading_or_planning() {
    let folder = tempfile::tempdir().unwrap();
    write_checkpoint(folder.path(), &catalogue_config("smolvlm-256m"), 1);
    for (pointer, value) in [
        ("/scale_factor", json!(65_536)),
        ("/scale_factor", json!(256)),
        ("/vision_config/image_size", json!(65_536)),
        ("/vision_config/patch_size", json!(65_536)),
        ("/vision_config/patch_size", json!(1)),
        ("/vision_config/image_size", json!(1)),
    ] {
        let mut config = catalogue_config("smolvlm-256m");
        *config.pointer_mut(pointer).unwrap() = value.clone();
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let Ok(checkpoint) = inspect(folder.path()) else {
            continue;
        };
        let model = FitModel::from(&checkpoint);
        if let Some(tiling) = tiling_of(&checkpoint) {
            let plan = tiling.plan(paddock_decode::ImageSize::new(4000, 3000));
            let pixels = u64::from(plan.canvas.width_px) * u64::from(plan.canvas.height_px);
            assert!(pixels <= 1 << 28, "{pointer} {value}: {pixels}");
        }
        let fit = plan(
            &model,
            &Hardware::of_memory(16 << 30),
            &FitRequest::default(),
            &[],
        );
        assert!(fit.total_bytes.high >= fit.total_bytes.low);
    }
}

/// Every number of a configuration at the edges of what is believed, through the whole plan.
#[test]
fn planning_never_overflows() {
    for id in [
        "smolvlm-256m",
        "llama-4-scout",
        "gemma-3-4b",
        "qwen2.5-vl-3b",
        "qwen3-vl-8b",
    ] {
        let Some(entry) = paddock_models::catalogue::find(id) else {
            panic!("{id}")
        };
        let mut model = entry.fit_model().unwrap();
        let most = u32::MAX >> 1;
        model.shape.max_context_tokens = most + 1;
        model.shape.layers = 1 << 12;
        model.shape.hidden = 1 << 20;
        model.shape.heads = 1 << 11;
        model.shape.head_dim = 1 << 11;
        model.shape.kv_heads = 1 << 11;
        model.shape.feed_forward = 1 << 22;
        model.shape.vocab = 1 << 26;
        model.shape.experts = 1 << 14;
        if let Some(vision) = &mut model.shape.vision {
            vision.layers = 1 << 12;
            vision.hidden = 1 << 20;
            vision.heads = 1 << 14;
            vision.feed_forward = 1 << 22;
            vision.patch_px = 1;
            vision.tile_px = vision.tile_px.map(|_| 1 << 14);
        }
        for group in &mut model.weights {
            group.elements = 1 << 62;
            group.row = 1 << 40;
        }
        for hardware in ["24GiB", "8xH100", "RTX 4090"] {
            for quant in Quant::ALL {
                let request = FitRequest {
                    quant: Some(quant),
                    context_tokens: Some(most),
                    images: Some(u32::MAX),
                    ..FitRequest::default()
                };
                let hardware = Hardware::imagined(hardware).unwrap();
                let fit = plan(&model, &hardware, &request, &[]);
                assert_eq!(fit.max_context, 0, "{id}");
            }
        }
    }
}

#[test]
fn an_id_names_a_listed_model_and_no_other_file() {
    let s = Setup::new();
    let path = s.small("mine");
    let id = ModelId::local(path.to_str().unwrap());
    for id in [
        id.clone(),
        ModelId::local("/etc/passwd"),
        ModelId::new("server:x"),
    ] {
        let error = s.models.resolve(&id).unwrap_err();
        assert!(matches!(error, ModelsError::NotListed { .. }), "{error:?}");
        assert_eq!(error.failure().code, "noModel");
        let asked = s.models.fit_subject(&FitTarget::Model { id });
        assert!(asked.is_err());
    }
    let line = s.models.add(&path).unwrap();
    assert_eq!((&line.id, line.source), (&id, ModelSource::Added));
    let model = s.models.resolve(&id).unwrap();
    assert_eq!(model.name, "mine");
    let choice = LoadChoice {
        quant: Quant::Q4K,
        context_tokens: Some(1 << 20),
        ..LoadChoice::default()
    };
    assert_eq!(model.label(&choice).quant, "q4k");
    assert_eq!(model.context_tokens(&choice), 2048);
    assert!(matches!(
        s.models.fit_subject(&FitTarget::Model { id: id.clone() }),
        Ok(FitSubject::Known { .. })
    ));
    let forgotten = s.models.forget(&id).unwrap();
    assert_eq!(forgotten.choose_instead, Some(ModelId::demo()));
    assert!(s.models.resolve(&id).is_err());
}

#[test]
fn a_model_of_another_program_is_resolved_where_it_lies_and_not_forgotten() {
    let s = Setup::new();
    let file = s.at("studio/pub/Small-GGUF/Q4/small-Q4_K_M.gguf");
    gguf::write(&file, &gguf::plain());
    #[cfg(unix)]
    std::os::unix::fs::symlink("/nowhere/Q8.gguf", s.at("studio/pub/Small-GGUF/Q8.gguf")).unwrap();
    let id = ModelId::local(file.to_str().unwrap());
    // Before anything was listed, too.
    let model = s.models.resolve(&id).unwrap();
    assert_eq!(model.name, "small-Q4_K_M");
    assert_eq!(s.ids().last().unwrap(), id.as_str());
    let error = s.models.forget(&id).unwrap_err();
    assert_eq!(error.failure().code, "modelOfAnotherProgram");
    // Added as well, it stays listed when it is forgotten.
    s.models.add(&file).unwrap();
    assert_eq!(s.models.forget(&id).unwrap().choose_instead, None);
    assert!(s.models.resolve(&id).is_ok());
}

#[test]
fn a_changed_processor_file_is_read_again() {
    let s = Setup::new();
    let path = s.at("sees");
    write_checkpoint(&path, &catalogue_config("llama-4-scout"), 4);
    let id = s.models.add(&path).unwrap().id;
    let tokens = || {
        let model = s.models.resolve(&id).unwrap();
        let size = paddock_decode::ImageSize::new(1344, 1344);
        model.tiling.as_ref().unwrap().plan(size).tokens
    };
    assert_eq!(tokens(), 2448);
    std::fs::write(
        path.join("preprocessor_config.json"),
        r#"{"size":{"height":336,"width":336},"max_patches":4}"#,
    )
    .unwrap();
    assert_eq!(tokens(), 720);
}

/// What cannot run is never started, and says the same everywhere.
#[test]
fn a_model_without_a_template_is_no_model_to_load() {
    let s = Setup::new();
    let path = fixtures("gguf/no_template.gguf");
    let line = s.models.add(&path).unwrap();
    assert!(!line.ready);
    let problem = line.problem.unwrap();
    assert!(problem.message.contains("no chat template"), "{problem:?}");
    let refused = s.models.resolve(&line.id).unwrap_err().failure();
    assert_eq!(refused, problem);
    assert_eq!(runnable(&path).unwrap_err(), problem);
    for name in ["gguf/spm.gguf", "gguf/no_system.gguf", "gguf/harmony.gguf"] {
        assert!(runnable(&fixtures(name)).is_ok(), "{name}");
    }
}

/// The files as Scout and Maverick are published with, in the spellings of transformers 4 and 5.
#[test]
fn the_herds_own_files_cut_pictures_as_metas_card_says() {
    for name in ["scout", "maverick"] {
        for style in ["older", "newer"] {
            let files = fixtures("herd").join(name).join(style);
            let text = std::fs::read(files.join("config.json")).unwrap();
            let folder = tempfile::tempdir().unwrap();
            write_checkpoint(folder.path(), &serde_json::from_slice(&text).unwrap(), 8);
            std::fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
            for file in std::fs::read_dir(&files).unwrap() {
                let path = file.unwrap().path();
                std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
            let tiling = tiling_of(&inspect_headers(folder.path()).unwrap()).unwrap();
            for (width, height, tokens) in [(336, 336, 144), (672, 672, 720), (1344, 1344, 2448)] {
                let plan = tiling.plan(paddock_decode::ImageSize::new(width, height));
                assert_eq!(plan.tokens, tokens, "{name} {style}: {width}x{height}");
            }
        }
    }
}
