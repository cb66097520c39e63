//! Downloads in a process of their own: killed in the middle, on a disk that becomes full, through a proxy.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use paddock_tests::hub_repo::small_model;
use paddock_tests::hub_server::HubServer;

use super::*;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hub-download");

fn command(program: &str, endpoint: &str, models: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args([endpoint, "owner/small"])
        .arg(models)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn ended(child: Child) -> Output {
    tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
        .await
        .unwrap()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{what} did not come"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_program_goes_on_where_it_was() {
    let repo = small_model("owner/small", 4 << 20);
    let server = HubServer::start(vec![repo.clone()]).await;
    let folder = tempfile::tempdir().unwrap();
    server.pace(16 << 10, Duration::from_millis(8));
    let mut kills = 0;
    for share in [0.3, 0.6, 0.8] {
        let mut child = command(PROGRAM, &server.endpoint(), folder.path())
            .spawn()
            .unwrap();
        let enough = (share * (4 << 20) as f64) as u64;
        until("the bytes", || server.sent(None) > enough).await;
        // SIGKILL: no chance to tidy up.
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        assert!(!is_model(folder.path(), "owner/small"));
    }
    server.full_speed();
    let output = ended(
        command(PROGRAM, &server.endpoint(), folder.path())
            .spawn()
            .unwrap(),
    )
    .await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_whole(&repo, &folder.path().join("owner/small"));
    // Each kill costs the parts under way, what the network had taken, and the headers of another survey.
    let whole: u64 = repo
        .files
        .iter()
        .map(|(_, content)| content.len() as u64)
        .sum();
    let sent = server.sent(None);
    assert!(
        sent < whole + kills * 1_500_000 && sent > whole,
        "{sent} of {whole}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_becomes_full_is_a_reason_and_freeing_it_goes_on() {
    let repo = small_model("owner/small", 24 << 20);
    let server = HubServer::start(vec![repo.clone()]).await;
    server.pace(64 << 10, Duration::from_millis(20));
    let folder = tempfile::tempdir().unwrap();
    // A disk of its own in memory, which only this script sees; somebody else fills it during the download.
    let script = r#"
        set -u
        disk=$1; program=$2; endpoint=$3; out=$4
        mount -t tmpfs -o size=40m none "$disk" || exit 77
        "$program" "$endpoint" owner/small "$disk" 2> "$out/first" &
        parts=$disk/owner/.small.partial/model-00001-of-00002.safetensors.parts
        while [ "$(wc -l 2> /dev/null < "$parts" || echo 0)" -lt 40 ]; do sleep 0.02; done
        cat /dev/zero > "$disk/other" 2> /dev/null
        wait $!; echo $? > "$out/first-code"
        [ -e "$disk/owner/small" ] && exit 3
        rm "$disk/other"
        "$program" "$endpoint" owner/small "$disk" 2> "$out/second" || exit 4
        cp -r "$disk/owner/small" "$out/"
    "#;
    let disk = folder.path().join("disk");
    let out = folder.path().join("out");
    std::fs::create_dir_all(&disk).unwrap();
    std::fs::create_dir_all(&out).unwrap();
    let child = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .args([
            &disk,
            Path::new(PROGRAM),
            Path::new(&server.endpoint()),
            &out,
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = ended(child).await;
    let words = String::from_utf8_lossy(&output.stderr);
    assert_ne!(
        output.status.code(),
        Some(77),
        "no disk can be made here: {words}"
    );
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap_or_default();
    assert!(
        output.status.success(),
        "{words}{}{}",
        read("first"),
        read("second")
    );
    assert_eq!(read("first-code").trim(), "1");
    assert!(
        read("first").contains("The disk became full"),
        "{}",
        read("first")
    );
    assert!(read("first").contains("Free some space and resume"));
    assert_whole(&repo, &out.join("small"));
    let whole: u64 = repo
        .files
        .iter()
        .map(|(_, content)| content.len() as u64)
        .sum();
    let sent = server.sent(None);
    assert!(
        sent * 10 < 17 * whole,
        "what had come was used: {sent} of {whole}, {}",
        read("first")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_environment_is_used() {
    let repo = small_model("owner/small", 300_000);
    let server = HubServer::start(vec![repo.clone()]).await;
    let folder = tempfile::tempdir().unwrap();
    let child = command(PROGRAM, "http://hub.invalid", folder.path())
        .env("HTTP_PROXY", server.endpoint())
        .env("http_proxy", server.endpoint())
        .env("NO_PROXY", "127.0.0.1,127.0.0.2")
        .env("no_proxy", "127.0.0.1,127.0.0.2")
        .spawn()
        .unwrap();
    let output = ended(child).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_whole(&repo, &folder.path().join("owner/small"));
    let through =
        |seen: &paddock_tests::hub_server::Seen| seen.target.starts_with("http://hub.invalid/");
    assert!(server.seen().iter().any(through));
}
