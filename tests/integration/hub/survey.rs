//! What is known before a download: by headers only.

use paddock_hub::remote_checkpoint;
use paddock_models::fit::{FitModel, FitRequest, Hardware, Verdict, plan};
use paddock_tests::hub_repo::small_model;
use paddock_tests::hub_server::HubServer;

use super::*;

#[path = "../../../src-tauri/crates/checkpoint/tests/support/gguf.rs"]
mod gguf;

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_costs_headers_not_weights() {
    let repo = small_model("owner/large", 40 << 20);
    let server = HubServer::start(vec![repo.clone()]).await;
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = remote_checkpoint(&hub(&server), &reference("owner/large"))
        .await
        .unwrap()
        .unwrap();
    let sent = server.sent(None);
    assert!(sent < 200_000, "{sent} bytes of content for a verdict");
    // The same as when everything is here.
    let (path, _) = fetch(&server, "owner/large", folder.path()).await.unwrap();
    let local = paddock_models::inspect(&path).unwrap();
    assert_eq!(checkpoint.parameters, local.parameters);
    assert!(local.parameters > 20_000_000);
    let verdict = |memory: u64| {
        let model = FitModel::from(&checkpoint);
        let request = FitRequest::default();
        plan(&model, &Hardware::of_memory(memory), &request, &[]).verdict
    };
    assert_eq!(verdict(32 << 30), Verdict::Fits);
    assert_eq!(verdict(16 << 20), Verdict::DoesNotFit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_tells_what_would_be_downloaded() {
    let repo = small_model("owner/small", 400_000);
    let server = HubServer::start(vec![repo]).await;
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{}/owner/small/tree/main?x=1", server.endpoint());
    let found = survey(&server, &text, folder.path())
        .await
        .unwrap()
        .preflight;
    assert_eq!(found.repository, "owner/small");
    assert_eq!(found.licence.as_deref(), Some("mit"));
    assert_eq!(found.gate, paddock_hub::Gate::Open);
    assert!(found.has_token && found.problem.is_none() && found.on_disk.is_none());
    assert!(found.free_bytes > 0);
    assert_eq!(
        found.bytes,
        found.files.iter().map(|file| file.bytes).sum::<u64>()
    );
    let names: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        names,
        [
            "config.json",
            "generation_config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ]
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "looking leaves nothing"
    );
    let hits = hub(&server).search("SMALL").await.unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(
        (hits[0].repository.as_str(), hits[0].gated),
        ("owner/small", false)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_is_told_before_the_download() {
    let mut strange = small_model("owner/strange", 300_000);
    let config = strange
        .files
        .iter_mut()
        .find(|(path, _)| path == "config.json")
        .unwrap();
    let text = String::from_utf8(config.1.to_vec()).unwrap();
    config.1 = Arc::new(
        text.replace("LlamaForCausalLM", "MambaForCausalLM")
            .into_bytes(),
    );
    let mut toothless = small_model("owner/toothless", 300_000);
    toothless.files.retain(|(path, _)| path != "tokenizer.json");
    let mut half = small_model("owner/half", 300_000);
    half.files
        .retain(|(path, _)| path != "model-00002-of-00002.safetensors");
    let mut mute = small_model("owner/mute", 300_000);
    for (path, content) in &mut mute.files {
        if path == "tokenizer_config.json" {
            *content = Arc::new(b"{}".to_vec());
        }
    }
    let server = HubServer::start(vec![strange, toothless, half, mute]).await;
    let folder = tempfile::tempdir().unwrap();
    for (name, code) in [
        ("owner/strange", "modelUnsupported"),
        ("owner/toothless", "modelFileMissing"),
        ("owner/half", "modelFileMissing"),
        ("owner/mute", "modelUnsupported"),
    ] {
        let found = survey(&server, name, folder.path()).await.unwrap();
        assert_eq!(found.preflight.problem.unwrap().code, code, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_gguf_models_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = |gguf: &gguf::Gguf<'_>| {
        let path = folder.path().join("made.gguf");
        gguf::write(&path, gguf);
        Arc::new(std::fs::read(path).unwrap())
    };
    let part = |number: u16, names: &'static [&'static str]| {
        model(&gguf::Gguf {
            split: Some((number - 1, 2, 2)),
            names,
            ..gguf::plain()
        })
    };
    let unread = model(&gguf::Gguf {
        kind: 23,
        ..gguf::plain()
    });
    let repo = Repo {
        name: "owner/many-GGUF".into(),
        files: vec![
            ("m-Q4_K_M.gguf".into(), model(&gguf::plain())),
            ("m-IQ4_XS.gguf".into(), unread),
            (
                "Q8/m-Q8-00001-of-00002.gguf".into(),
                part(1, &gguf::WEIGHTS[..1]),
            ),
            (
                "Q8/m-Q8-00002-of-00002.gguf".into(),
                part(2, &gguf::WEIGHTS[1..]),
            ),
            ("mmproj-f16.gguf".into(), Arc::new(b"GGUF".to_vec())),
            ("README.md".into(), Arc::new(b"#".to_vec())),
        ],
        ..Repo::default()
    };
    let server = HubServer::start(vec![repo.clone()]).await;
    let models = folder.path().join("models");
    let several = survey(&server, "owner/many-GGUF", &models)
        .await
        .unwrap()
        .preflight;
    let problem = several.problem.unwrap();
    assert_eq!(problem.code, "hubSeveralModels");
    assert!(
        problem.message.contains("m-Q4_K_M.gguf")
            && problem.message.contains("Q8/m-Q8-00001-of-00002.gguf")
    );
    let page = |file: &str| format!("https://huggingface.co/owner/many-GGUF/blob/main/{file}");
    let iq = survey(&server, &page("m-IQ4_XS.gguf"), &models)
        .await
        .unwrap()
        .preflight;
    assert_eq!(iq.problem.unwrap().code, "modelUnsupported");
    let (one, _) = fetch(&server, &page("m-Q4_K_M.gguf"), &models)
        .await
        .unwrap();
    assert_eq!(one, models.join("owner/many-GGUF/m-Q4_K_M.gguf"));
    let (split, _) = fetch(&server, &page("Q8/m-Q8-00002-of-00002.gguf"), &models)
        .await
        .unwrap();
    assert_eq!(
        split,
        models.join("owner/many-GGUF/Q8/m-Q8-00001-of-00002.gguf")
    );
    assert!(paddock_models::inspect(&one).unwrap().can_run());
    // Whole, but the engine wants one file; the window says so before it is downloaded.
    assert!(!paddock_models::inspect(&split).unwrap().can_run());
    assert!(!models.join("owner/many-GGUF/mmproj-f16.gguf").exists());
    for file in ["m-Q4_K_M.gguf", "Q8/m-Q8-00001-of-00002.gguf"] {
        let found = survey(&server, &page(file), &models)
            .await
            .unwrap()
            .preflight;
        assert!(
            found.on_disk.is_some(),
            "{file} is here, and the other still is"
        );
    }
}
