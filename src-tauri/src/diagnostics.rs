//! What the log and the report of diagnostics are made of here: which folder, which sections.
//!
//! Outside: writing, redacting, formatting (`paddock_diagnostics`).

use std::path::{Path, PathBuf};

use paddock_chat::Chat;
use paddock_devices::EngineBuilds;
use paddock_diagnostics::{Log, Redactor, Report, named_variables, system};
use paddock_settings::{Settings, settings_in};
use serde_json::{Value, json};

use crate::places::Places;

/// Files of the window's log begin so, those of the command line's likewise.
pub const WINDOW_LOG: &str = "window";
pub const COMMAND_LOG: &str = "command";
/// Lines of the log in a report.
const LINES: usize = 200;

/// Where the logs of a data folder are.
pub fn folder(data: &Path) -> PathBuf {
    data.join("logs")
}

/// Begins the log of this process. Without one the program goes on: it is said where it can be.
pub fn start(data: &Path, name: &'static str) {
    match paddock_diagnostics::start(&folder(data), name) {
        Ok(_) => tracing::info!(
            target: "paddock",
            version = env!("CARGO_PKG_VERSION"),
            os = std::env::consts::OS,
            "started"
        ),
        Err(error) => eprintln!("paddock: There is no log ({error})."),
    }
}

/// What the open window knows of itself.
pub async fn of_window(chat: &Chat, places: &Places) -> Report {
    let settings = chat.settings().await;
    let engine = chat.engine_snapshot();
    let conversations = match chat.list_conversations(None).await {
        Ok(list) => json!(list.len()),
        Err(error) => json!(error.failure().message),
    };
    let devices = match chat.device_report().await {
        Ok(report) => json!(report),
        Err(error) => json!(error.failure().message),
    };
    report(places, &settings, devices)
        .section("engine", json!(engine))
        .section("store", store(&places.data, conversations))
        .log(Log::last_lines(&folder(&places.data), WINDOW_LOG, LINES))
}

/// What can be said without a window, whatever state the data folder is in. Blocks.
pub fn of_folder(places: &Places) -> Report {
    let (settings, problem) = match settings_in(&places.data) {
        Ok(settings) => (settings, None),
        Err(error) => (Settings::default(), Some(error.failure().message)),
    };
    let device = settings.load_choice(&settings.chosen).device;
    let devices = json!(
        paddock_devices::report().with_preference_among(&device, &places.engine_builds.kinds())
    );
    let folder = folder(&places.data);
    let mut lines = Log::last_lines(&folder, WINDOW_LOG, LINES);
    if lines.is_empty() {
        lines = Log::last_lines(&folder, COMMAND_LOG, LINES);
    }
    report(places, &settings, devices)
        .section("store", store(&places.data, json!(problem)))
        .log(lines)
}

fn report(places: &Places, settings: &Settings, devices: Value) -> Report {
    let redactor = Redactor::of_this_computer(false);
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (
            name.into_string().ok()?,
            value.to_string_lossy().into_owned(),
        );
        Some((name, value))
    });
    Report::new(redactor)
        .section(
            "paddock",
            json!({
                "version": env!("CARGO_PKG_VERSION"),
                "build": if cfg!(debug_assertions) { "debug" } else { "release" },
                "data_folder": places.data,
            }),
        )
        .section("system", system())
        .section("variables", named_variables(variables))
        .section("devices", devices)
        .section(
            "engine_builds",
            engine_builds(&places.engine, &places.engine_builds),
        )
        .section("model", model(settings, &places.demo_model))
        .section("settings", public_settings(settings))
}

fn engine_builds(engine: &Path, builds: &EngineBuilds) -> Value {
    let program = |path: &Path| {
        json!({
            "path": path,
            "bytes": std::fs::metadata(path).ok().map(|meta| meta.len()),
        })
    };
    json!({
        "shipped": program(engine),
        "cuda": builds.cuda.as_deref().map(program),
        "metal": builds.metal.as_deref().map(program),
    })
}

/// The chosen model as its headers tell. Blocks for them.
fn model(settings: &Settings, demo: &Path) -> Value {
    let path = match settings.chosen.local_path() {
        Some(path) => PathBuf::from(path),
        None => demo.to_owned(),
    };
    let checkpoint = paddock_models::inspect_headers(&path);
    json!({
        "id": settings.chosen,
        "is_demo": settings.chosen.is_demo(),
        "is_there": path.exists(),
        "path": path,
        "checkpoint": match checkpoint {
            Ok(checkpoint) => json!({
                "family": checkpoint.family.name,
                "parameters": checkpoint.parameters,
                "stored": checkpoint.stored,
                "bytes": checkpoint.bytes,
                "vision": format!("{:?}", checkpoint.vision),
                "problem": checkpoint.blocking,
            }),
            Err(error) => json!(error.failure().message),
        },
    })
}

/// The settings without what the user wrote: of the system prompt its length.
fn public_settings(settings: &Settings) -> Value {
    let mut value = json!(settings);
    value["systemPrompt"] = json!(format!(
        "({} characters)",
        settings.system_prompt.chars().count()
    ));
    value
}

/// `found`: how many conversations there are, or why that cannot be said.
fn store(data: &Path, found: Value) -> Value {
    let bytes = |name: &str| {
        std::fs::metadata(data.join(name))
            .ok()
            .map(|meta| meta.len())
    };
    let files = std::fs::read_dir(data).map_or_else(
        |error| json!(error.to_string()),
        |entries| {
            let mut names: Vec<String> = entries
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            json!(names)
        },
    );
    json!({
        "conversations": found,
        "database_bytes": bytes("paddock.db"),
        "journal_bytes": bytes("paddock.db-wal"),
        "files": files,
    })
}

#[cfg(test)]
mod tests {
    use paddock_conversation::ModelId;

    use super::*;

    #[test]
    fn the_settings_of_a_report_hold_nothing_that_was_written_by_the_user() {
        let settings = Settings {
            chosen: ModelId::local("/models/x"),
            system_prompt: "You are my therapist.".into(),
            hub_endpoint: Some("https://anna:hunter2@mirror.example".into()),
            ..Settings::default()
        };
        let report = Report::new(Redactor::of_this_computer(false))
            .section("settings", public_settings(&settings));
        let text = report.text();
        assert!(
            !text.contains("therapist") && !text.contains("hunter2"),
            "{text}"
        );
        assert!(
            text.contains("(21 characters)") && text.contains("mirror.example"),
            "{text}"
        );
    }
}
