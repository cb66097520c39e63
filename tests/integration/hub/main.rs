//! The Hub: what is known before a download, downloads from a server that misbehaves, the queue over restarts. Every
//! byte comes from a real server on this computer.

#![allow(clippy::unwrap_used)] // helpers of tests, too

mod app;
mod download;
#[cfg(target_os = "linux")]
mod keychain;
mod process;
mod queue;
mod refusals;
mod survey;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use paddock_hub::{
    Hub, HubError, HubOptions, ModelsFolder, Progress, Reference, Survey, Throttle, Token,
    TokenError, download_repository,
};
use paddock_tests::hub_repo::Repo;
use paddock_tests::hub_server::HubServer;

/// Parts are small so that small files have many.
const PART_BYTES: u64 = 32 << 10;

fn options(server: &HubServer) -> HubOptions {
    HubOptions {
        endpoint: server.endpoint(),
        token: Token::new("hf_very_secret"),
        token_problem: None,
        connections: 4,
        part_bytes: PART_BYTES,
        run_parts: 4,
        stall: Duration::from_millis(400),
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_secs(5),
        attempts: 5,
    }
}

fn hub(server: &HubServer) -> Hub {
    Hub::new(options(server)).unwrap()
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

async fn survey(server: &HubServer, text: &str, models: &Path) -> Result<Survey, HubError> {
    paddock_hub::survey(&hub(server), &reference(text), models).await
}

/// Surveys and downloads; the number is of bytes that came through the network.
async fn fetch(server: &HubServer, text: &str, models: &Path) -> Result<(PathBuf, u64), HubError> {
    let plan = survey(server, text, models).await?.plan;
    let progress = Progress::default();
    let throttle = Arc::new(Throttle::new(None));
    let path = download_repository(
        &hub(server),
        &plan,
        &ModelsFolder::new(models),
        throttle,
        &progress,
    )
    .await?;
    assert_eq!(
        progress.done_bytes(),
        plan.bytes(),
        "progress ends at the end"
    );
    Ok((path, progress.received_bytes()))
}

fn content<'a>(repo: &'a Repo, path: &str) -> &'a [u8] {
    let file = repo.files.iter().find(|(found, _)| found == path);
    &file.unwrap().1
}

/// Every file of the model's folder is the publisher's, and nothing else is there.
fn assert_whole(repo: &Repo, folder: &Path) {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // The manifest is written once more when everything is on the disk.
        .filter(|name| name != "paddock.json.new")
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "config.json",
            "generation_config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "paddock.json",
            "tokenizer.json",
            "tokenizer_config.json",
        ]
    );
    for name in names.iter().filter(|name| *name != "paddock.json") {
        let here = std::fs::read(folder.join(name)).unwrap();
        assert!(here == content(repo, name), "{name} differs");
    }
    assert!(paddock_models::inspect(folder).unwrap().can_run());
}

/// Whether anything is where a model is expected.
fn is_model(models: &Path, repository: &str) -> bool {
    models.join(repository).exists()
}
