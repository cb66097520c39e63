//! Models of other programs: found where they lie, whatever else lies there.
#![allow(clippy::unwrap_used)] // a test may fail
#![cfg(unix)] // the caches are made of links

#[path = "../../checkpoint/tests/support/mod.rs"]
mod support;

use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use paddock_models::{
    Discovery, FoundModel, ModelEntry, ModelPlaces, ModelSource, Readings, discover, found_line,
};
use support::{gguf, small_config, write_checkpoint};

fn found_entry(found: &FoundModel) -> Option<ModelEntry> {
    found_line(&Readings::default(), found)
}

/// A cached repository as huggingface_hub lays it out: blobs, and a snapshot of links to them.
fn cached(hub: &Path, repository: &str, revision: &str, write: impl FnOnce(&Path)) -> PathBuf {
    let folder = hub.join(format!("models--{}", repository.replace('/', "--")));
    let (blobs, snapshot) = (
        folder.join("blobs"),
        folder.join("snapshots").join(revision),
    );
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(folder.join("refs")).unwrap();
    std::fs::write(folder.join("refs/main"), revision).unwrap();
    let made = tempfile::tempdir().unwrap();
    write(made.path());
    for entry in std::fs::read_dir(made.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let blob = blobs.join(format!("{revision}-{}", name.to_string_lossy()));
        std::fs::copy(entry.path(), &blob).unwrap();
        symlink(&blob, snapshot.join(name)).unwrap();
    }
    snapshot
}

/// A model in an Ollama folder.
fn pulled(models: &Path, manifest: &str, number: u8, projector: bool) -> PathBuf {
    let digest = format!("{number:02x}").repeat(32);
    let blob = models.join("blobs").join(format!("sha256-{digest}"));
    std::fs::create_dir_all(blob.parent().unwrap()).unwrap();
    gguf::write(&blob, &gguf::plain());
    let mut layers = vec![
        serde_json::json!({"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:00"}),
        serde_json::json!({"mediaType": "application/vnd.ollama.image.model", "digest": format!("sha256:{digest}")}),
    ];
    if projector {
        layers.push(serde_json::json!({"mediaType": "application/vnd.ollama.image.projector", "digest": format!("sha256:{digest}")}));
    }
    let path = models.join("manifests").join(manifest);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = serde_json::json!({"schemaVersion": 2, "layers": layers}).to_string();
    std::fs::write(path, text).unwrap();
    blob
}

fn hugging_face(hub: &Path) -> Discovery {
    discover(&ModelPlaces {
        hugging_face: vec![hub.to_owned()],
        ..ModelPlaces::default()
    })
}

fn ollama(models: &Path) -> Discovery {
    discover(&ModelPlaces {
        ollama: vec![models.to_owned()],
        ..ModelPlaces::default()
    })
}

fn small(folder: &Path) {
    write_checkpoint(folder, &small_config(), 2);
}

fn names(discovery: &Discovery) -> Vec<&str> {
    discovery
        .models
        .iter()
        .map(|model| model.name.as_str())
        .collect()
}

#[test]
fn the_newest_whole_snapshot_of_a_cached_model_is_found_through_its_links() {
    let hub = tempfile::tempdir().unwrap();
    cached(hub.path(), "org/Small-1B", "old", small);
    let snapshot = cached(hub.path(), "org/Small-1B", "new", small);
    let discovery = hugging_face(hub.path());
    assert_eq!(
        discovery.models,
        [FoundModel {
            path: snapshot.clone(),
            name: "Small-1B".into(),
            source: ModelSource::HuggingFace,
            repository: Some("org/Small-1B".into()),
            projector: false,
        }]
    );
    let entry = found_entry(&discovery.models[0]).unwrap();
    assert!(entry.ready, "{:?}", entry.problem);
    assert_eq!(
        (entry.name.as_str(), entry.source),
        ("Small-1B", ModelSource::HuggingFace)
    );
    assert_eq!(entry.id.local_path(), snapshot.to_str());

    // The new one loses a blob: the old one is whole.
    std::fs::remove_file(
        hub.path()
            .join("models--org--Small-1B/blobs/new-model-00002-of-00002.safetensors"),
    )
    .unwrap();
    let discovery = hugging_face(hub.path());
    assert!(
        discovery.models[0].path.ends_with("snapshots/old"),
        "{discovery:?}"
    );
    assert!(
        discovery.notes[0].contains("weights is missing"),
        "{discovery:?}"
    );
}

#[test]
fn a_download_that_is_under_way_is_no_model_yet() {
    let hub = tempfile::tempdir().unwrap();
    let snapshot = cached(hub.path(), "org/Small-1B", "a", small);
    std::fs::remove_file(snapshot.join("model-00001-of-00002.safetensors")).unwrap();
    let discovery = hugging_face(hub.path());
    assert!(discovery.models.is_empty(), "{discovery:?}");
    assert!(
        discovery.notes[0].contains("model-00001-of-00002.safetensors is missing"),
        "{discovery:?}"
    );
}

#[test]
fn each_gguf_file_of_a_snapshot_is_a_model_but_projectors_and_later_parts_are_not() {
    let hub = tempfile::tempdir().unwrap();
    cached(hub.path(), "org/Small-GGUF", "a", |folder| {
        for name in [
            "small-Q4_K_M.gguf",
            "small-Q8_0.gguf",
            "mmproj-f16.gguf",
            "big-00001-of-00002.gguf",
            "big-00002-of-00002.gguf",
        ] {
            gguf::write(&folder.join(name), &gguf::plain());
        }
    });
    let discovery = hugging_face(hub.path());
    assert_eq!(names(&discovery), ["big", "small-Q4_K_M", "small-Q8_0"]);
    assert!(discovery.models.iter().all(|model| model.projector));
    let entry = found_entry(&discovery.models[1]).unwrap();
    assert!(entry.ready && !entry.vision);
    assert!(entry.problem.unwrap().message.contains("text only"));
}

#[test]
fn what_cannot_hold_a_conversation_is_left_out() {
    let hub = tempfile::tempdir().unwrap();
    for (repository, architecture) in [
        ("org/embedder", "BertModel"),
        ("org/eyes", "CLIPModel"),
        ("org/talks", "SomethingNewForCausalLM"),
    ] {
        cached(hub.path(), repository, "a", |folder| {
            let mut config = small_config();
            config["architectures"] = serde_json::json!([architecture]);
            write_checkpoint(folder, &small_config(), 1);
            std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
            if architecture == "CLIPModel" {
                std::fs::remove_file(folder.join("tokenizer.json")).unwrap();
            }
        });
    }
    let listed: Vec<_> = hugging_face(hub.path())
        .models
        .iter()
        .filter_map(found_entry)
        .collect();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert!(listed[0].name == "talks" && !listed[0].ready);
}

#[test]
fn lm_studios_folders_are_read_by_publisher_and_model() {
    let models = tempfile::tempdir().unwrap();
    let folder = models.path().join("lmstudio-community/Small-GGUF");
    std::fs::create_dir_all(&folder).unwrap();
    gguf::write(&folder.join("Small-Q4_K_M.gguf"), &gguf::plain());
    small(&models.path().join("org/Small-1B"));
    std::fs::write(models.path().join(".DS_Store"), "").unwrap();
    let discovery = discover(&ModelPlaces {
        lm_studio: vec![models.path().to_owned(), models.path().join("gone")],
        ..ModelPlaces::default()
    });
    assert_eq!(names(&discovery), ["Small-Q4_K_M", "Small-1B"]);
    assert!(discovery.notes.is_empty(), "{discovery:?}");
    assert_eq!(
        discovery.models[1].repository.as_deref(),
        Some("org/Small-1B")
    );
    assert!(
        discovery
            .models
            .iter()
            .filter_map(found_entry)
            .all(|entry| { entry.ready && entry.source == ModelSource::LmStudio })
    );
}

/// A disk that is not connected, and files as deep as publishers nest them.
#[test]
fn a_dead_link_hides_no_neighbour_and_files_in_subfolders_are_found() {
    let models = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = models.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    for name in [
        "pub/two/Q4.gguf",
        "pub/deep/UD-Q4_K_XL/d-00001-of-00002.gguf",
        "pub/deep/UD-Q4_K_XL/d-00002-of-00002.gguf",
        "pub/deep/UD-Q8/half-00001-of-00002.gguf",
        "pub/mixed/m.gguf",
        "pub/by-hand.gguf",
    ] {
        gguf::write(&at(name), &gguf::plain());
    }
    symlink("/mnt/unplugged/Q8.gguf", at("pub/two/Q8.gguf")).unwrap();
    symlink(
        "/mnt/unplugged/x",
        at("pub/deep/UD-Q8/half-00002-of-00002.gguf"),
    )
    .unwrap();
    // A configuration whose weights are gone beside a file that is there.
    std::fs::write(at("pub/mixed/config.json"), "{}").unwrap();
    symlink("/mnt/unplugged/m", at("pub/mixed/model.safetensors")).unwrap();
    // Parts of a pipeline are no models of their own.
    small(&at("pub/pipeline/text_encoder"));
    let discovery = discover(&ModelPlaces {
        lm_studio: vec![models.path().to_owned()],
        ..ModelPlaces::default()
    });
    assert_eq!(names(&discovery), ["by-hand", "d", "m", "Q4"]);
    assert_eq!(discovery.notes.len(), 3, "{:?}", discovery.notes);
}

#[test]
fn ollamas_models_are_files_without_an_ending() {
    let models = tempfile::tempdir().unwrap();
    let blob = pulled(
        models.path(),
        "registry.ollama.ai/library/small/1b",
        1,
        false,
    );
    pulled(
        models.path(),
        "registry.ollama.ai/someone/other/latest",
        2,
        true,
    );
    pulled(models.path(), "hf.co/org/name-GGUF/Q4_K_M", 3, false);
    // Another name of the first.
    pulled(
        models.path(),
        "registry.ollama.ai/library/small/latest",
        1,
        false,
    );
    let discovery = ollama(models.path());
    assert_eq!(
        names(&discovery),
        [
            "hf.co/org/name-GGUF:Q4_K_M",
            "small:1b",
            "someone/other:latest"
        ]
    );
    assert_eq!(discovery.models[1].path, blob);
    let entries: Vec<_> = discovery.models.iter().filter_map(found_entry).collect();
    assert!(entries.iter().all(|entry| entry.ready), "{entries:?}");
    assert_eq!(entries[1].name, "small:1b");
    assert_eq!(entries[1].problem, None);
    assert!(
        entries[2]
            .problem
            .as_ref()
            .unwrap()
            .message
            .contains("text only")
    );
}

#[test]
fn broken_manifests_missing_blobs_and_adapters_are_noted_and_passed_over() {
    let models = tempfile::tempdir().unwrap();
    let library = models.path().join("manifests/registry.ollama.ai/library");
    let write = |name: &str, text: &[u8]| {
        std::fs::create_dir_all(library.join(name)).unwrap();
        std::fs::write(library.join(name).join("latest"), text).unwrap();
    };
    let layer = |kind: &str, digest: &str| {
        format!(
            r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.{kind}","digest":"{digest}"}}]}}"#
        )
    };
    write("half", b"{\"layers\":");
    write("binary", &[0xff, 0x00]);
    write("deep", "[".repeat(100_000).as_bytes());
    write("long", " ".repeat(2 << 20).as_bytes());
    write("cloud", b"{\"layers\":[]}");
    write(
        "outside",
        layer("model", "sha256:../../../../etc/passwd").as_bytes(),
    );
    write(
        "gone",
        layer("model", &format!("sha256:{}", "ab".repeat(32))).as_bytes(),
    );
    write("lora", layer("adapter", "sha256:00").as_bytes());
    let discovery = ollama(models.path());
    assert!(discovery.models.is_empty(), "{discovery:?}");
    assert_eq!(discovery.notes.len(), 8, "{discovery:#?}");
    for (name, why) in [
        ("lora", "adapter"),
        ("gone", "weights are missing"),
        ("cloud", "no model"),
    ] {
        assert!(
            discovery
                .notes
                .iter()
                .any(|note| note.contains(name) && note.contains(why)),
            "{discovery:#?}"
        );
    }
    assert!(discovery.notes.iter().all(|note| note.ends_with('.')));
}

#[test]
fn cycles_of_links_end_and_unreadable_folders_are_noted() {
    let root = tempfile::tempdir().unwrap();
    let hub = root.path().join("hub");
    cached(&hub, "org/Small-1B", "a", small);
    symlink(&hub, hub.join("models--org--loop")).unwrap();
    symlink(&hub, hub.join("snapshots")).unwrap();
    symlink(hub.join("self"), hub.join("self")).unwrap();
    let again = root.path().join("again");
    symlink(&hub, &again).unwrap();
    let manifests = root.path().join("ollama/manifests");
    std::fs::create_dir_all(&manifests).unwrap();
    symlink(&manifests, manifests.join("again")).unwrap();
    let locked = root.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
    let file = root.path().join("file");
    std::fs::write(&file, "").unwrap();
    let discovery = discover(&ModelPlaces {
        hugging_face: vec![hub, again, file],
        lm_studio: vec![locked.clone()],
        ollama: vec![root.path().join("ollama")],
    });
    assert_eq!(names(&discovery), ["Small-1B"], "each once: {discovery:?}");
    assert!(
        discovery
            .notes
            .iter()
            .any(|note| note.contains("file cannot be read")),
        "{discovery:?}"
    );
    // An administrator may read everything.
    if std::fs::read_dir(&locked).is_err() {
        assert!(
            discovery
                .notes
                .iter()
                .any(|note| note.contains("locked cannot be read"))
        );
    }
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_huge_folder_is_not_searched_to_its_end() {
    let hub = tempfile::tempdir().unwrap();
    for number in 0..6000 {
        std::fs::write(hub.path().join(format!("models--x--{number}")), "").unwrap();
    }
    let started = Instant::now();
    let discovery = hugging_face(hub.path());
    assert!(
        discovery.notes[0].contains("too many files"),
        "{discovery:?}"
    );
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn fifty_models_are_listed_quickly() {
    let hub = tempfile::tempdir().unwrap();
    for number in 0..50 {
        cached(hub.path(), &format!("org/model-{number}"), "a", small);
    }
    let started = Instant::now();
    let discovery = hugging_face(hub.path());
    let searched = started.elapsed();
    let entries = discovery.models.iter().filter_map(found_entry).count();
    println!(
        "50 models: search {:.1} ms, with headers {:.1} ms",
        searched.as_secs_f64() * 1e3,
        started.elapsed().as_secs_f64() * 1e3
    );
    assert_eq!(entries, 50);
    assert!(started.elapsed().as_millis() < 2000);
}

#[test]
fn places_follow_the_environment_and_nothing_else() {
    let home = Path::new("/home/x");
    let none = ModelPlaces::of_user(Some(home), |_| None);
    assert_eq!(none.hugging_face, [home.join(".cache/huggingface/hub")]);
    assert_eq!(none.lm_studio.len(), 2);
    assert!(none.ollama.contains(&home.join(".ollama/models")));
    let set = ModelPlaces::of_user(None, |name| {
        let value = match name {
            "HF_HOME" => "/hf",
            "OLLAMA_MODELS" => "/ollama",
            "HF_HUB_CACHE" => "",
            _ => return None,
        };
        Some(OsString::from(value))
    });
    assert_eq!(set.hugging_face, [Path::new("/hf/hub")]);
    assert_eq!(set.ollama[0], Path::new("/ollama"));
    assert!(set.lm_studio.is_empty());
}
