//! The list of downloads: one at a time, paused, resumed, over restarts; and what the app makes of it.

use std::time::{Duration, Instant};

use paddock_conversation::ModelId;
use paddock_hub::{Arrived, Download, DownloadState, Downloads};
use paddock_tests::hub_repo::small_model;
use paddock_tests::hub_server::HubServer;

use super::*;

fn open(models: &Path) -> Downloads {
    let arrived: Arrived = Arc::new(|path: PathBuf| {
        Box::pin(async move { Ok(ModelId::local(path.to_str().unwrap())) })
    });
    Downloads::open(models, Arc::new(Throttle::new(None)), arrived)
}

async fn reach(downloads: &Downloads, id: &str, wanted: impl Fn(&Download) -> bool) -> Download {
    let mut changes = downloads.subscribe();
    let found = changes.wait_for(|list| list.iter().any(|line| line.id == id && wanted(line)));
    let list = tokio::time::timeout(Duration::from_secs(30), found)
        .await
        .unwrap_or_else(|_| panic!("{:?}", downloads.list()))
        .unwrap();
    list.iter().find(|line| line.id == id).unwrap().clone()
}

fn is_done(line: &Download) -> bool {
    matches!(line.state, DownloadState::Done { .. })
}

/// Two to be paused and removed, and a small one beside them.
async fn two_models(weight_bytes: usize) -> (HubServer, tempfile::TempDir) {
    let mut models: Vec<_> = ["owner/one", "owner/two"]
        .map(|name| small_model(name, weight_bytes))
        .into();
    models.push(small_model("owner/other", 300_000));
    (HubServer::start(models).await, tempfile::tempdir().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_after_the_other_paused_resumed_and_removed() {
    let (server, folder) = two_models(8 << 20).await;
    let models = folder.path();
    let downloads = open(models);
    let hub = hub(&server);
    server.pace(16 << 10, Duration::from_millis(10));
    for name in ["owner/one", "owner/two"] {
        let plan = survey(&server, name, models).await.unwrap().plan;
        assert_eq!(downloads.start(&hub, plan).await, name);
    }
    let state = |id: &str| {
        let list = downloads.list();
        list.into_iter().find(|line| line.id == id).unwrap().state
    };
    assert_eq!(state("owner/two"), DownloadState::Waiting);
    let moving = reach(&downloads, "owner/one", |line| {
        line.bytes_done > 300_000 && line.seconds_left.is_some()
    })
    .await;
    assert!(moving.bytes_per_second > 0 && moving.bytes_done < moving.bytes_total);
    downloads.pause("owner/one").await.unwrap();
    assert_eq!(state("owner/one"), DownloadState::Paused);
    assert_eq!(state("owner/two"), DownloadState::Running);
    server.full_speed();
    reach(&downloads, "owner/two", is_done).await;
    let kept = downloads.list()[0].bytes_done;
    assert!(kept >= 300_000);
    downloads.resume("owner/one", &hub).await.unwrap();
    let done = reach(&downloads, "owner/one", is_done).await;
    let model = ModelId::local(models.join("owner/one").to_str().unwrap());
    assert_eq!(done.state, DownloadState::Done { model });
    assert_eq!(done.bytes_done, done.bytes_total);
    downloads.remove("owner/one").await.unwrap();
    assert!(
        is_model(models, "owner/one"),
        "a whole model is not what is removed"
    );
    assert_eq!(downloads.list().len(), 1);
    assert_eq!(
        downloads.pause("owner/one").await.unwrap_err().code(),
        "hubNoDownload"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_it_is_there_paused_and_nothing_is_asked_of_the_network() {
    let (server, folder) = two_models(24 << 20).await;
    let models = folder.path();
    server.pace(16 << 10, Duration::from_millis(10));
    let plan = survey(&server, "owner/one", models).await.unwrap().plan;
    // After a restart, before anybody asked for the Hub, the list counts with the usual parts.
    let usual = HubOptions::default().part_bytes;
    let hub = Hub::new(HubOptions {
        part_bytes: usual,
        ..options(&server)
    })
    .unwrap();
    let before = open(models);
    before.start(&hub, plan).await;
    reach(&before, "owner/one", |line| line.bytes_done > 5 * usual).await;
    before.pause("owner/one").await.unwrap();
    drop(before);
    server.full_speed();
    let asked = server.seen().len();
    let after = open(models);
    let line = &after.list()[0];
    assert_eq!(
        (line.id.as_str(), &line.state),
        ("owner/one", &DownloadState::Paused)
    );
    assert!(line.bytes_done >= usual, "{line:?}");
    // Another one comes and is done, and still nobody asked for this one.
    let other = survey(&server, "owner/other", models).await.unwrap().plan;
    after.start(&hub, other).await;
    reach(&after, "owner/other", is_done).await;
    let since = &server.seen()[asked..];
    assert!(
        since.iter().all(|seen| !seen.target.contains("owner/one")),
        "{since:?}"
    );
    after.resume("owner/one", &hub).await.unwrap();
    reach(&after, "owner/one", is_done).await;
    drop(after);
    assert!(
        open(models).list().is_empty(),
        "what is done is not a download any more"
    );
    // Removed before it is whole: nothing stays.
    server.pace(16 << 10, Duration::from_millis(10));
    let downloads = open(models);
    let plan = survey(&server, "owner/two", models).await.unwrap().plan;
    downloads.start(&hub, plan).await;
    reach(&downloads, "owner/two", |line| line.bytes_done > 200_000).await;
    downloads.remove("owner/two").await.unwrap();
    let left: Vec<_> = std::fs::read_dir(models.join("owner")).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_disk_lost_when_the_power_went_is_loaded_again() {
    let repo = small_model("owner/small", 400_000);
    let server = HubServer::start(vec![repo.clone()]).await;
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = fetch(&server, "owner/small", folder.path()).await.unwrap();
    let manifest = path.join("paddock.json");
    let read = || -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap()
    };
    let begun = Instant::now();
    while !read()["unsettled"].is_null() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "never on the disk"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // As if the system had been started anew before that; first nothing was lost, then a piece was.
    let mut unsettled = read();
    unsettled["unsettled"] = "another start".into();
    std::fs::write(&manifest, unsettled.to_string()).unwrap();
    let downloads = open(folder.path());
    while !read()["unsettled"].is_null() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "never looked after"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(downloads.list().is_empty() && is_model(folder.path(), "owner/small"));
    drop(downloads);
    std::fs::write(&manifest, unsettled.to_string()).unwrap();
    let weights = path.join("model-00002-of-00002.safetensors");
    let bytes = std::fs::metadata(&weights).unwrap().len();
    std::fs::write(&weights, vec![0; bytes as usize]).unwrap();
    let downloads = open(folder.path());
    let failed = reach(&downloads, "owner/small", |_| true).await;
    assert!(
        matches!(failed.state, DownloadState::Failed { failure } if failure.code == "hubDamaged")
    );
    assert!(!is_model(folder.path(), "owner/small"));
    let before = server.sent(None);
    downloads
        .resume("owner/small", &hub(&server))
        .await
        .unwrap();
    reach(&downloads, "owner/small", is_done).await;
    assert_whole(&repo, &path);
    assert_eq!(server.sent(None) - before, bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_stay_in_the_list_and_progress_is_told_four_times_a_second() {
    let (server, folder) = two_models(8 << 20).await;
    let models = folder.path();
    let downloads = open(models);
    let plan = survey(&server, "owner/one", models).await.unwrap().plan;
    let fault = paddock_tests::hub_server::Fault::Status(500, vec![]);
    server.fault("model-00001-of-00002.safetensors", fault, 40);
    downloads.start(&hub(&server), plan).await;
    let failed = reach(&downloads, "owner/one", |line| {
        matches!(line.state, DownloadState::Failed { .. })
    })
    .await;
    let DownloadState::Failed { failure } = failed.state else {
        unreachable!()
    };
    assert_eq!(failure.code, "hubServer");
    drop(downloads);
    let downloads = open(models);
    assert!(matches!(
        downloads.list()[0].state,
        DownloadState::Failed { .. }
    ));
    let good = HubServer::start(vec![small_model("owner/one", 8 << 20)]).await;
    good.pace(16 << 10, Duration::from_millis(40));
    downloads.resume("owner/one", &hub(&good)).await.unwrap();
    let (mut changes, begun) = (downloads.subscribe(), Instant::now());
    let mut told = 0_u32;
    while !is_done(&downloads.list()[0]) {
        changes.changed().await.unwrap();
        told += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    assert!(
        f64::from(told) <= seconds * 4.0 + 4.0,
        "{told} in {seconds} s"
    );
    assert!(seconds < 1.0 || told >= 3, "{told} in {seconds} s");
}
