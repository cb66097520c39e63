//! What is kept: deleted conversations, settings, and who owns the folder.

use super::*;

#[tokio::test]
async fn deleting_hides_and_undo_brings_back() {
    let mut s = scene().await;
    let id = turn(&mut s, request("Keep me"), "Yes")
        .await
        .assistant
        .conversation_id;
    s.chat.delete_conversation(id).await.unwrap();
    assert_eq!(s.chat.list_conversations(None).await.unwrap(), []);
    assert_eq!(
        s.chat
            .open_conversation(id)
            .await
            .unwrap_err()
            .failure()
            .code,
        "noConversation"
    );
    assert_eq!(
        s.chat.restore_conversation(id).await.unwrap().title,
        "Keep me"
    );
    assert_eq!(
        s.chat
            .rename_conversation(id, "  Kept \n well ".into())
            .await
            .unwrap()
            .title,
        "Kept well"
    );
    assert_eq!(
        s.chat
            .list_conversations(Some("kept WELL".into()))
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        s.chat
            .list_conversations(Some("keep me".into()))
            .await
            .unwrap()
            .len(),
        1,
        "the question is still found"
    );
    assert_eq!(
        s.chat
            .list_conversations(Some("kept badly".into()))
            .await
            .unwrap()
            .len(),
        0
    );
    assert!(s.chat.rename_conversation(id, " ".into()).await.is_err());
}

#[tokio::test]
async fn settings_are_checked_and_survive_a_restart() {
    let s = scene().await;
    let temperature = |value| SettingsChange::Temperature { value };
    let changes = vec![
        temperature(0.7),
        SettingsChange::SystemPrompt {
            value: "Be brief.".into(),
        },
    ];
    let wanted = s.chat.change_settings(Some(0), changes).await.unwrap();
    assert_eq!((wanted.revision, wanted.temperature), (1, 0.7));
    let error = s
        .chat
        .change_settings(Some(1), vec![temperature(9.0)])
        .await
        .unwrap_err();
    assert_eq!(error.failure().code, "settingOutOfRange");
    drop(s.chat);
    let program = s.fake.program(s.folder.path());
    let mut s = Scene {
        chat: open(s.folder.path(), &program).await,
        ..s
    };
    let kept = Settings {
        revision: 0,
        ..wanted
    };
    assert_eq!(s.chat.settings().await, kept);
    let (sent, _) = send(&s.chat, request("Hi"));
    let exchange = s.fake.next().await;
    assert_eq!(
        exchange.body["messages"][0],
        json!({"role": "system", "content": "Be brief."})
    );
    answer(exchange, "Hello").await;
    sent.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_data_folder_has_one_owner() {
    let s = scene().await;
    let second = Chat::open(ChatConfig {
        decoder_program: env!("CARGO_BIN_EXE_decode-worker").into(),
        data_folder: s.folder.path().join("data"),
        engine_program: "x".into(),
        demo_model: "x".into(),
        samples_folder: "x".into(),
        model_places: paddock_models::ModelPlaces::default(),
        engine_builds: paddock_devices::EngineBuilds::default(),
    })
    .await;
    assert_eq!(second.unwrap_err().failure().code, "inUse");
}
