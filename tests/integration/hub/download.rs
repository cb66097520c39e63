//! Downloads that end well, whatever the network does on the way.

use std::time::{Duration, Instant};

use paddock_tests::hub_repo::small_model;
use paddock_tests::hub_server::{Fault, HubServer};

use super::*;

const FIRST: &str = "model-00001-of-00002.safetensors";
const SECOND: &str = "model-00002-of-00002.safetensors";

async fn server(weight_bytes: usize) -> (Repo, HubServer, tempfile::TempDir) {
    let repo = small_model("owner/small", weight_bytes);
    let server = HubServer::start(vec![repo.clone()]).await;
    (repo, server, tempfile::tempdir().unwrap())
}

fn plan_bytes(repo: &Repo) -> u64 {
    let needed = |path: &str| {
        (path.ends_with(".json") || path.ends_with(".safetensors")) && !path.contains('/')
    };
    let files = repo.files.iter().filter(|(path, _)| needed(path));
    files.map(|(_, content)| content.len() as u64).sum()
}

/// Waits until no thread of this process has the file open.
async fn until_closed(path: &Path) {
    let path = std::fs::canonicalize(path).unwrap();
    let is_open = || {
        let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
        descriptors
            .flatten()
            .any(|descriptor| std::fs::read_link(descriptor.path()).is_ok_and(|to| to == path))
    };
    let begun = Instant::now();
    while is_open() {
        assert!(begun.elapsed() < Duration::from_secs(60), "still open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_comes_whole_and_the_token_stays_with_the_hub() {
    let (repo, server, folder) = server(1 << 20).await;
    let (path, received) = fetch(&server, "owner/small", folder.path()).await.unwrap();
    assert_eq!(path, folder.path().join("owner/small"));
    assert_whole(&repo, &path);
    assert_eq!(received, plan_bytes(&repo), "nothing came twice");
    let seen = server.seen();
    let (to_hub, to_cdn): (Vec<_>, Vec<_>) = seen.iter().partition(|seen| seen.server == "hub");
    assert!(to_cdn.len() > 10, "parts came from the other host");
    assert!(to_cdn.iter().all(|seen| seen.authorization.is_none()));
    assert!(
        to_hub
            .iter()
            .all(|seen| seen.authorization.as_deref() == Some("Bearer hf_very_secret"))
    );
    // Once more: everything is here.
    let again = survey(&server, "owner/small", folder.path()).await.unwrap();
    let real = std::fs::canonicalize(&path).unwrap();
    assert_eq!(again.preflight.on_disk.unwrap().local_path(), real.to_str());
    assert_eq!(again.preflight.present_bytes, again.preflight.bytes);
    let (_, received) = fetch(&server, "owner/small", folder.path()).await.unwrap();
    assert_eq!(received, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_and_stalled_connections_go_on_where_they_were() {
    let (repo, server, folder) = server(1 << 20).await;
    survey(&server, "owner/small", folder.path()).await.unwrap();
    for bytes in [0, 1, 5_000, 40_000, 100_000] {
        server.fault(FIRST, Fault::DropAfter(bytes), 2);
        server.fault(SECOND, Fault::StallAfter(bytes), 1);
    }
    let (path, received) = fetch(&server, "owner/small", folder.path()).await.unwrap();
    assert_whole(&repo, &path);
    // The survey's own reads met some of the faults; what came for the files came once.
    assert_eq!(received, plan_bytes(&repo));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_byte_is_found_and_only_its_part_is_written_again() {
    let (repo, server, folder) = server(1 << 20).await;
    let plan = survey(&server, "owner/small", folder.path())
        .await
        .unwrap()
        .plan;
    let at = content(&repo, SECOND).len() / 2;
    server.fault(SECOND, Fault::WrongByte(at), 1);
    let progress = Progress::default();
    let throttle = Arc::new(Throttle::new(None));
    let path = download_repository(
        &hub(&server),
        &plan,
        &ModelsFolder::new(folder.path()),
        throttle,
        &progress,
    )
    .await
    .unwrap();
    assert_whole(&repo, &path);
    let received = progress.received_bytes();
    let most = plan_bytes(&repo) + content(&repo, SECOND).len() as u64;
    assert!(
        received > plan_bytes(&repo) && received <= most,
        "{received}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_the_disk_spoiled_is_the_only_one_to_come_again() {
    use std::os::unix::fs::FileExt as _;
    let (repo, server, folder) = server(1 << 20).await;
    let plan = survey(&server, "owner/small", folder.path())
        .await
        .unwrap()
        .plan;
    server.pace(8 << 10, Duration::from_millis(20));
    let progress = Progress::default();
    let half = plan_bytes(&repo) / 2;
    let (hub, throttle) = (hub(&server), Arc::new(Throttle::new(None)));
    let models = ModelsFolder::new(folder.path());
    tokio::select! {
        ended = download_repository(&hub, &plan, &models, throttle, &progress) => panic!("{ended:?}"),
        () = async {
            while progress.done_bytes() < half {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } => {}
    }
    server.full_speed();
    assert!(!is_model(folder.path(), "owner/small"));
    let part = folder
        .path()
        .join(format!("owner/.small.partial/{FIRST}.part"));
    // What was being written when it was paused is written to its end.
    until_closed(&part).await;
    let file = std::fs::File::options().write(true).open(part).unwrap();
    file.write_all_at(&[0xaa; 100], 10).unwrap();
    let before = survey(&server, "owner/small", folder.path())
        .await
        .unwrap()
        .preflight;
    assert!(before.present_bytes > 0 && before.on_disk.is_none());
    let (path, received) = fetch(&server, "owner/small", folder.path()).await.unwrap();
    assert_whole(&repo, &path);
    assert_eq!(received, before.bytes - before.present_bytes + PART_BYTES);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_expire_are_asked_for_again() {
    let (repo, server, folder) = server(1 << 20).await;
    server.links_last(2);
    let (path, received) = fetch(&server, "owner/small", folder.path()).await.unwrap();
    assert_whole(&repo, &path);
    assert_eq!(received, plan_bytes(&repo));
    let refused = server
        .seen()
        .iter()
        .filter(|seen| seen.server == "cdn")
        .count();
    assert!(refused > 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ranges_serves_as_well_even_a_bad_one() {
    for fault in [
        None,
        Some((Fault::DropAfter(300_000), 1)),
        Some((Fault::WrongByte(70_000), 1)),
    ] {
        let (repo, server, folder) = server(1 << 20).await;
        let plan = survey(&server, "owner/small", folder.path())
            .await
            .unwrap()
            .plan;
        server.ignore_ranges();
        let wrong = fault.is_some();
        if let Some((fault, times)) = fault {
            server.fault(SECOND, fault, times);
        }
        let progress = Progress::default();
        let throttle = Arc::new(Throttle::new(None));
        let path = download_repository(
            &hub(&server),
            &plan,
            &ModelsFolder::new(folder.path()),
            throttle,
            &progress,
        )
        .await
        .unwrap();
        assert_whole(&repo, &path);
        assert_eq!(progress.done_bytes(), plan.bytes());
        assert!(wrong || progress.received_bytes() < 2 * plan.bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_ask_to_wait_are_waited_for() {
    let (repo, server, folder) = server(300_000).await;
    let plan = survey(&server, "owner/small", folder.path())
        .await
        .unwrap()
        .plan;
    let wait = || vec![("Retry-After", "1".to_owned())];
    server.fault(FIRST, Fault::Status(429, wait()), 1);
    server.fault(SECOND, Fault::Status(503, vec![]), 3);
    let begun = Instant::now();
    let progress = Progress::default();
    let throttle = Arc::new(Throttle::new(None));
    let path = download_repository(
        &hub(&server),
        &plan,
        &ModelsFolder::new(folder.path()),
        throttle,
        &progress,
    )
    .await
    .unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_whole(&repo, &path);
    server.api_fault(429, wait());
    server.api_fault(500, vec![]);
    let begun = Instant::now();
    survey(&server, "owner/small", folder.path()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_repository_is_followed_by_relative_redirects() {
    let (repo, _, folder) = server(300_000).await;
    let old = Repo {
        name: "owner/old-name".into(),
        moved_to: Some("owner/small".into()),
        ..Repo::default()
    };
    let server = HubServer::start(vec![old, repo.clone()]).await;
    let (path, _) = fetch(&server, "owner/old-name", folder.path())
        .await
        .unwrap();
    assert_whole(&repo, &path);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_holds_over_all_connections() {
    let (_, server, folder) = server(1 << 20).await;
    let plan = survey(&server, "owner/small", folder.path())
        .await
        .unwrap()
        .plan;
    let limit = 500_000;
    let begun = Instant::now();
    let throttle = Arc::new(Throttle::new(Some(limit)));
    download_repository(
        &hub(&server),
        &plan,
        &ModelsFolder::new(folder.path()),
        throttle,
        &Progress::default(),
    )
    .await
    .unwrap();
    let least = Duration::from_secs_f64(plan.bytes() as f64 / limit as f64 * 0.9);
    assert!(
        begun.elapsed() >= least,
        "{:?} < {least:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_loads_only_what_changed() {
    let (mut repo, server, folder) = server(300_000).await;
    let (path, _) = fetch(&server, "owner/small", folder.path()).await.unwrap();
    let config = repo
        .files
        .iter_mut()
        .find(|(path, _)| path == "generation_config.json");
    config.unwrap().1 = Arc::new(b"{\"temperature\": 0.5}".to_vec());
    let newer = HubServer::start(vec![repo.clone()]).await;
    let (_, received) = fetch(&newer, "owner/small", folder.path()).await.unwrap();
    assert_eq!(received, 20);
    assert_whole(&repo, &path);
}
