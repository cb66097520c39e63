//! How fast a model is downloaded, beside `curl` that loads the same bytes from the same server on this computer: in turns,
//! printed, not judged (the machine that runs this may be busy). Ours is timed until every byte is verified; curl does not
//! verify, so its time is given with `sha256sum`, too. Neither waits for the disk; what that costs, `sync` shows.
//! `cargo bench -p paddock-tests --bench download`; `PADDOCK_BENCH_BYTES` and `PADDOCK_BENCH_FOLDER` change size and disk.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use paddock_hub::{
    Hub, HubOptions, ModelsFolder, Progress, Survey, Throttle, download_repository, survey,
};
use paddock_tests::hub_repo::small_model;
use paddock_tests::hub_server::{COMMIT, HubServer};

const RUNS: usize = 5;
const USUAL_BYTES: usize = 1 << 30;
const FILE: &str = "model-00001-of-00002.safetensors";

fn main() {
    let bytes = std::env::var("PADDOCK_BENCH_BYTES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(USUAL_BYTES);
    let folder = match std::env::var_os("PADDOCK_BENCH_FOLDER") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    }
    .expect("a folder");
    // The server has a runtime of its own, as it would have a computer of its own.
    let servers = tokio::runtime::Runtime::new().expect("a runtime");
    let repo = small_model("owner/large", bytes);
    let file_bytes = repo
        .files
        .iter()
        .find(|(path, _)| path == FILE)
        .map(|(_, c)| c.len());
    let file_bytes = file_bytes.expect("its largest file");
    let server = servers.block_on(HubServer::start(vec![repo]));
    let client = tokio::runtime::Runtime::new().expect("a runtime");
    let hub = Hub::new(HubOptions {
        endpoint: server.endpoint(),
        ..HubOptions::default()
    })
    .expect("an endpoint");

    let (mut curl, mut with_sum, mut with_sync, mut ours) = (vec![], vec![], vec![], vec![]);
    for _ in 0..RUNS {
        let target = folder.path().join("curl");
        let begun = Instant::now();
        load_with_curl(&server, &target);
        curl.push(rate(file_bytes, begun.elapsed()));
        run(Command::new("sha256sum").arg(&target));
        with_sum.push(rate(file_bytes, begun.elapsed()));
        std::fs::remove_file(&target).expect("it is there");

        let begun = Instant::now();
        load_with_curl(&server, &target);
        run(Command::new("sync").arg(&target));
        with_sync.push(rate(file_bytes, begun.elapsed()));
        std::fs::remove_file(&target).expect("it is there");

        let models = folder.path().join("models");
        let begun = Instant::now();
        let bytes = client.block_on(download(&hub, &models));
        ours.push(rate(bytes, begun.elapsed()));
        std::fs::remove_dir_all(&models).expect("it is there");
    }
    println!("{file_bytes} bytes, {RUNS} runs each, median (least to most) in MB/s:");
    let plain = report("curl", curl);
    let summed = report("curl and sha256sum", with_sum);
    report("curl and sync", with_sync);
    let ours = report("Paddock, verified", ours);
    println!("Paddock / curl: {:.2}", ours / plain);
    println!("Paddock / curl and sha256sum: {:.2}", ours / summed);
}

async fn download(hub: &Hub, models: &Path) -> usize {
    let reference = "owner/large".parse().expect("a name");
    let Survey { plan, .. } = survey(hub, &reference, models).await.expect("a survey");
    let throttle = Arc::new(Throttle::new(None));
    download_repository(
        hub,
        &plan,
        &ModelsFolder::new(models),
        throttle,
        &Progress::default(),
    )
    .await
    .expect("a model");
    plan.bytes() as usize
}

fn load_with_curl(server: &HubServer, target: &Path) {
    let address = format!("{}/owner/large/resolve/{COMMIT}/{FILE}", server.endpoint());
    run(Command::new("curl")
        .args([
            "--silent",
            "--fail",
            "--location",
            "--noproxy",
            "*",
            "--output",
        ])
        .arg(target)
        .arg(address));
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program is installed");
    assert!(output.status.success(), "{output:?}");
}

/// Megabytes a second.
fn rate(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

fn report(what: &str, mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    let median = rates[rates.len() / 2];
    let (least, most) = (rates[0], rates[rates.len() - 1]);
    println!("{what:>30}: {median:.0} ({least:.0} to {most:.0})");
    median
}
