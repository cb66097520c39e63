//! The Hub as the app and its command line use it: a download becomes a model of the list, a verdict needs no download.

use std::process::{Command, Output};
use std::time::Duration;

use paddock_chat::{Chat, ChatConfig, HubWish};
use paddock_hub::DownloadState;
use paddock_models::ModelSource;
use paddock_settings::SettingsChange;
use paddock_tests::hub_repo::small_model;
use paddock_tests::hub_server::HubServer;

use super::*;

async fn open(folder: &Path) -> Chat {
    let resources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/resources");
    Chat::open(ChatConfig {
        decoder_program: env!("CARGO_BIN_EXE_decode-worker").into(),
        data_folder: folder.join("data"),
        engine_program: "no-engine".into(),
        engine_builds: paddock_devices::EngineBuilds::default(),
        demo_model: resources.join("demo-model"),
        samples_folder: resources.join("samples"),
        model_places: paddock_models::ModelPlaces::default(),
    })
    .await
    .unwrap()
}

async fn use_endpoint(chat: &Chat, endpoint: String) {
    let value = Some(endpoint);
    chat.change_settings(None, vec![SettingsChange::HubEndpoint { value }])
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_becomes_a_model_of_the_list() {
    let server = HubServer::start(vec![small_model("owner/small", 300_000)]).await;
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path()).await;
    use_endpoint(&chat, server.endpoint()).await;
    assert!(server.seen().is_empty(), "nothing was asked for yet");
    let hits = chat.hub_search("small").await.unwrap();
    let wish = HubWish::default();
    let found = chat
        .hub_preflight(&hits[0].repository, &wish)
        .await
        .unwrap();
    assert_eq!((found.problem, found.on_disk), (None, None));
    assert_eq!(format!("http://{}", found.host), server.endpoint());
    let id = chat
        .start_download("owner/small", false, &wish)
        .await
        .unwrap();
    let mut changes = chat.download_changes();
    let done = changes.wait_for(|list| {
        list.iter()
            .any(|line| matches!(line.state, DownloadState::Done { .. }))
    });
    tokio::time::timeout(Duration::from_secs(30), done)
        .await
        .unwrap()
        .unwrap();
    let list = chat.list_downloads().await.unwrap();
    let DownloadState::Done { model } = list[0].state.clone() else {
        unreachable!()
    };
    assert_eq!(list[0].id, id);
    let models = chat.list_models().await.unwrap();
    let entry = models.iter().find(|entry| entry.id == model).unwrap();
    assert!(entry.ready && entry.problem.is_none(), "{entry:?}");
    assert_eq!(entry.source, ModelSource::Downloaded);
    let again = chat.hub_preflight("owner/small", &wish).await.unwrap();
    assert_eq!(again.on_disk, Some(model.clone()));
    chat.remove_download(id).await.unwrap();
    assert!(
        chat.list_models()
            .await
            .unwrap()
            .iter()
            .any(|entry| entry.id == model)
    );
    let checkpoint = chat.hub_checkpoint("owner/small").await.unwrap();
    assert!(checkpoint.parameters > 100_000);
    chat.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_is_accepted_before_a_gated_download() {
    let gated = Repo {
        gated: Some("auto"),
        ..small_model("owner/gated", 300_000)
    };
    // Who has accepted it on the Hub may read it; here that is everybody.
    let server = HubServer::start(vec![gated]).await;
    server.open_gates();
    let folder = tempfile::tempdir().unwrap();
    let chat = open(folder.path()).await;
    use_endpoint(&chat, server.endpoint()).await;
    let wish = HubWish::default();
    let refused = chat
        .start_download("owner/gated", false, &wish)
        .await
        .unwrap_err();
    assert_eq!(refused.failure().code, "hubLicenceNotAccepted");
    assert!(chat.list_downloads().await.unwrap().is_empty());
    assert!(
        chat.start_download("owner/gated", true, &wish)
            .await
            .is_ok()
    );
    let nonsense = chat
        .start_download("not a name", true, &wish)
        .await
        .unwrap_err();
    assert_eq!(nonsense.failure().code, "hubBadName");
    let value = Some("mirror".into());
    let refused = chat
        .change_settings(None, vec![SettingsChange::HubEndpoint { value }])
        .await
        .unwrap_err();
    assert_eq!(refused.failure().code, "hubBadEndpoint");
    chat.shutdown().await;
}

/// The program under test, as `./test` builds it.
async fn paddock(data: &Path, arguments: &[&str]) -> Output {
    paddock_with(data, arguments, &[]).await
}

async fn paddock_with(data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let program = std::env::var_os("PADDOCK_APP")
        .expect("PADDOCK_APP names the program to test; ./test sets it");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PADDOCK_DATA_DIR", data)
        .env_remove("HF_TOKEN")
        .env_remove("HF_ENDPOINT")
        .env("HF_HOME", data.join("no-hub-of-others"))
        .envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_downloads_and_plans() {
    let gated = Repo {
        gated: Some("manual"),
        token: Some("hf_x".into()),
        ..small_model("owner/gated", 300_000)
    };
    let repos = vec![small_model("owner/small", 2 << 20), gated];
    let server = HubServer::start(repos).await;
    let endpoint = server.endpoint();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let json = |output: &Output| -> serde_json::Value {
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let fit = paddock(
        &data,
        &[
            "fit",
            "owner/small",
            "--endpoint",
            &endpoint,
            "--memory",
            "8GiB",
            "--json",
        ],
    )
    .await;
    assert_eq!(json(&fit)["verdict"], "fits");
    assert!(
        server.sent(None) < 200_000 && !data.exists(),
        "headers only, nothing kept"
    );
    let arguments = [
        "models",
        "download",
        "owner/small",
        "--endpoint",
        &endpoint,
        "--json",
    ];
    let done = json(&paddock(&data, &arguments).await);
    let path = std::fs::canonicalize(data.join("models/owner/small")).unwrap();
    assert_eq!(done["id"], format!("local:{}", path.display()));
    let listed = json(&paddock(&data, &["models", "--json"]).await);
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .any(|model| model["id"] == done["id"])
    );
    for (name, code, word) in [
        ("owner/nothing", 2, "does not exist"),
        ("no name", 2, "names no model"),
        ("owner/gated", 2, "accepted its licence"),
    ] {
        let output = paddock(
            &data,
            &["models", "download", name, "--endpoint", &endpoint],
        )
        .await;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{name}: {words}");
        assert!(words.contains(word), "{name}: {words}");
    }
    let output = paddock(
        &data,
        &[
            "models",
            "download",
            "owner/small",
            "--endpoint",
            "http://127.0.0.1:9",
        ],
    );
    assert_eq!(output.await.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_token_goes_to_the_environments_endpoint_alone() {
    let server = HubServer::start(vec![small_model("owner/small", 300_000)]).await;
    let endpoint = server.endpoint();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let login = folder.path().join("token");
    std::fs::write(&login, "hf_login").unwrap();
    let login = login.to_str().unwrap().to_owned();
    let plan = [
        "fit",
        "owner/small",
        "--memory",
        "8GiB",
        "--endpoint",
        &endpoint,
    ];
    let token = ("HF_TOKEN", "hf_very_secret");
    let tokens = [token, ("HF_TOKEN_PATH", login.as_str())];
    let output = paddock_with(&data, &plan, &tokens).await;
    assert!(output.status.success(), "{output:?}");
    let seen = server.seen();
    assert!(!seen.is_empty());
    for request in &seen {
        assert_eq!(request.authorization, None, "{request:?}");
    }
    // The same address, but now it is the one that the token is for.
    let output = paddock_with(&data, &plan, &[token, ("HF_ENDPOINT", &endpoint)]).await;
    assert!(output.status.success(), "{output:?}");
    for request in &server.seen()[seen.len()..] {
        let bearer = (request.server == "hub").then(|| "Bearer hf_very_secret".to_owned());
        assert_eq!(request.authorization, bearer, "{request:?}");
    }
}
