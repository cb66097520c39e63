//! Downloads that end with a reason, leave no model behind, and go on when the reason is gone.

use paddock_tests::hub_repo::small_model;
use paddock_tests::hub_server::{Fault, HubServer};

use super::*;

const FIRST: &str = "model-00001-of-00002.safetensors";

async fn server() -> (Repo, HubServer, tempfile::TempDir) {
    let repo = small_model("owner/small", 400_000);
    let server = HubServer::start(vec![repo.clone()]).await;
    (repo, server, tempfile::tempdir().unwrap())
}

/// Tries, expects the code of the failure and no model, then tries again at a server that behaves.
async fn fails_then_works(
    repo: &Repo,
    server: &HubServer,
    models: &Path,
    faults: &[Fault],
) -> String {
    let plan = survey(server, "owner/small", models).await.unwrap().plan;
    for fault in faults {
        server.fault(FIRST, fault.clone(), 200);
    }
    let throttle = Arc::new(Throttle::new(None));
    let error = download_repository(
        &hub(server),
        &plan,
        &ModelsFolder::new(models),
        throttle,
        &Progress::default(),
    )
    .await
    .unwrap_err();
    assert!(!is_model(models, "owner/small"), "{error}");
    let good = HubServer::start(vec![repo.clone()]).await;
    let present = survey(&good, "owner/small", models)
        .await
        .unwrap()
        .preflight
        .present_bytes;
    let (path, received) = fetch(&good, "owner/small", models).await.unwrap();
    assert_whole(repo, &path);
    assert!(
        received <= plan.bytes() - present,
        "what came before was used"
    );
    error.code().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_without_end_are_told_apart() {
    for (fault, code) in [
        (Fault::WrongByte(200), "hubWrongContent"),
        (Fault::DropAfter(0), "hubNoProgress"),
        (Fault::StallAfter(0), "hubNoProgress"),
        (Fault::WrongTotal(12), "hubWrongLength"),
        (Fault::Status(500, vec![]), "hubServer"),
        (Fault::Status(429, vec![]), "hubTooManyRequests"),
        (
            Fault::Status(429, vec![("Retry-After", "86400".into())]),
            "hubTooManyRequests",
        ),
        (Fault::Status(403, vec![]), "hubLinkRefused"),
        (Fault::Status(404, vec![]), "hubLinkRefused"),
    ] {
        let (repo, server, folder) = server().await;
        let models = folder.path().join("models");
        let found = fails_then_works(&repo, &server, &models, std::slice::from_ref(&fault)).await;
        assert_eq!(found, code, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gated_repository_is_told_before_anything_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let gated = Repo {
        gated: Some("manual"),
        token: Some("hf_of_somebody".into()),
        licence: Some("llama4".into()),
        ..small_model("owner/gated", 400_000)
    };
    let server = HubServer::start(vec![gated.clone()]).await;
    let found = survey(&server, "owner/gated", folder.path())
        .await
        .unwrap()
        .preflight;
    assert_eq!(found.gate, paddock_hub::Gate::Manual);
    assert_eq!(found.licence.as_deref(), Some("llama4"));
    let problem = found.problem.unwrap();
    assert_eq!(problem.code, "hubGated");
    assert!(
        problem
            .next_step
            .contains(&format!("{}/owner/gated", server.endpoint())),
        "{problem}"
    );
    assert!(!format!("{problem:?}").contains("hf_very_secret"));
    assert!(
        found.bytes > 400_000,
        "its size is known all the same: {}",
        found.bytes
    );
    let hub = Hub::new(HubOptions {
        token: Token::new("hf_of_somebody"),
        ..options(&server)
    })
    .unwrap();
    let survey = paddock_hub::survey(&hub, &reference("owner/gated"), folder.path())
        .await
        .unwrap();
    assert_eq!(survey.preflight.problem, None);
    let throttle = Arc::new(Throttle::new(None));
    let path = download_repository(
        &hub,
        &survey.plan,
        &ModelsFolder::new(folder.path()),
        throttle,
        &Progress::default(),
    )
    .await
    .unwrap();
    assert_whole(&gated, &path);
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.server == "hub" || seen.authorization.is_none())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keychain_that_could_not_be_asked_is_said_where_it_matters() {
    let gated = Repo {
        gated: Some("manual"),
        token: Some("hf_of_somebody".into()),
        ..small_model("owner/gated", 300_000)
    };
    let server = HubServer::start(vec![gated, small_model("owner/open", 300_000)]).await;
    let folder = tempfile::tempdir().unwrap();
    let reason = TokenError::Refused {
        detail: "it is locked".into(),
    };
    let hub = Hub::new(HubOptions {
        token: None,
        token_problem: Some(reason.clone()),
        ..options(&server)
    })
    .unwrap();
    let look = async |text: &str| paddock_hub::survey(&hub, &reference(text), folder.path()).await;
    let problem = look("owner/gated").await.unwrap().preflight.problem;
    let problem = problem.expect("a reason");
    assert_eq!(problem.code, "hubTokenUnreadable");
    assert!(
        problem.message.contains("accepted its licence") && problem.message.contains("is locked"),
        "{problem:?}"
    );
    assert!(problem.next_step.contains("Unlock"), "{problem:?}");
    // The Hub hides what is not open behind 401.
    let hidden = look("owner/nothing").await.unwrap_err();
    assert!(
        matches!(&hidden, HubError::TokenUnreadable { reason: said, .. } if *said == reason),
        "{hidden:?}"
    );
    assert!(hidden.is_bad_input(), "the name may be wrong");
    assert_eq!(look("owner/open").await.unwrap().preflight.problem, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn access_that_is_taken_away_in_the_middle_is_a_reason_of_its_own() {
    let (repo, server, folder) = server().await;
    let plan = survey(&server, "owner/small", folder.path())
        .await
        .unwrap()
        .plan;
    let refusal = |code: &str| vec![("X-Error-Code", code.to_owned())];
    // Small files come from the Hub itself, which says why.
    for (status, headers, code) in [
        (403, refusal("GatedRepo"), "hubGated"),
        (404, refusal("EntryNotFound"), "hubFileNotFound"),
        (401, vec![], "hubBadToken"),
    ] {
        server.fault("tokenizer.json", Fault::Status(status, headers), 1);
        let throttle = Arc::new(Throttle::new(None));
        let error = download_repository(
            &hub(&server),
            &plan,
            &ModelsFolder::new(folder.path()),
            throttle,
            &Progress::default(),
        )
        .await
        .unwrap_err();
        assert_eq!(error.code(), code);
        assert!(!error.failure().to_string().contains("hf_very_secret"));
    }
    let (path, _) = fetch(&server, "owner/small", folder.path()).await.unwrap();
    assert_whole(&repo, &path);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_said_at_once() {
    let (_, server, folder) = server().await;
    let code = |text: &'static str| {
        let (server, folder) = (server.clone(), folder.path().to_owned());
        async move { survey(&server, text, &folder).await.unwrap_err().code() }
    };
    assert_eq!(code("owner/nothing").await, "hubNotFound");
    assert_eq!(
        code("https://hub.example/owner/small/blob/main/no.gguf").await,
        "hubFileNotFound"
    );
    let nobody = Hub::new(HubOptions {
        endpoint: "http://127.0.0.1:9".into(),
        attempts: 2,
        ..options(&server)
    })
    .unwrap();
    let error = nobody.search("x").await.unwrap_err();
    assert_eq!(error.code(), "hubUnreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_verified_are_not_taken() {
    let (_, server, folder) = server().await;
    server.hide_hashes();
    let found = survey(&server, "owner/small", folder.path()).await.unwrap();
    assert_eq!(found.preflight.problem.unwrap().code, "hubUnverifiable");
    let throttle = Arc::new(Throttle::new(None));
    let error = download_repository(
        &hub(&server),
        &found.plan,
        &ModelsFolder::new(folder.path()),
        throttle,
        &Progress::default(),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), "hubUnverifiable");
    assert!(!is_model(folder.path(), "owner/small"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_files_that_leaves_its_folder_is_refused() {
    for path in [
        "../outside.json",
        "a/../../outside",
        "/etc/outside",
        "a\\..\\outside",
    ] {
        let mut repo = small_model("owner/evil", 300_000);
        repo.files.push((path.into(), Arc::new(b"{}".to_vec())));
        let server = HubServer::start(vec![repo]).await;
        let folder = tempfile::tempdir().unwrap();
        let error = survey(&server, "owner/evil", folder.path())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "hubBadAnswer", "{path}");
    }
}
