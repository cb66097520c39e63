//! The contract between the page and Rust: every command and event, and its TypeScript.
//!
//! Outside: what they do. The generated file is committed; a test fails when it is out of date.

use tauri::Wry;
use tauri_specta::{Builder, collect_commands, collect_events};

use crate::{commands::*, events};

pub fn contract() -> Builder<Wry> {
    Builder::new()
        // One TypeScript type a Rust type, and numbers for byte counts (exact up to 2^53).
        .disable_serde_phases()
        .dangerously_cast_bigints_to_number()
        .commands(collect_commands![
            app::app_snapshot,
            app::open_link,
            app::copy_text,
            app::diagnostics,
            conversations::list_conversations,
            conversations::open_conversation,
            conversations::rename_conversation,
            conversations::delete_conversation,
            conversations::restore_conversation,
            conversations::select_branch,
            conversations::save_draft,
            conversations::load_draft,
            attachments::attach_from_dialog,
            attachments::attach_from_clipboard,
            attachments::attach_sample,
            attachments::edit_picture,
            attachments::attach_page,
            attachments::describe_picture,
            attachments::plan_prompt,
            generation::send,
            generation::regenerate,
            generation::edit_message,
            generation::cancel,
            models::engine_snapshot,
            models::load_model,
            models::restart_engine,
            models::list_models,
            models::choose_model_folder,
            models::choose_model_file,
            models::forget_model,
            fit::model_catalogue,
            fit::fit,
            fit::fit_history,
            hub::hub_search,
            hub::hub_preflight,
            hub::start_download,
            hub::pause_download,
            hub::resume_download,
            hub::remove_download,
            hub::list_downloads,
            hub::hub_token_place,
            hub::keep_hub_token,
            hub::forget_hub_token,
            settings::device_report,
            settings::change_settings,
        ])
        .events(collect_events![
            events::AnswersUnkept,
            events::EngineChanged,
            events::ModelMissing,
            events::SightTested,
            events::DownloadsChanged,
            events::DropEvent
        ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui/src/lib/ipc/bindings.ts");

    #[test]
    fn the_committed_typescript_is_what_rust_says() {
        let folder = tempfile::tempdir().unwrap();
        let generated = folder.path().join("bindings.ts");
        let language = specta_typescript::Typescript::default()
            .header("// Generated from src-tauri/src/bindings.rs; do not edit. See README.md, \"Working on it\".\n");
        contract().export(language, &generated).unwrap();
        let generated = std::fs::read_to_string(generated).unwrap();
        if std::env::var_os("PADDOCK_UPDATE_BINDINGS").is_some() {
            std::fs::write(COMMITTED, &generated).unwrap();
        }
        let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
        assert!(
            committed == generated,
            "ui/src/lib/ipc/bindings.ts is out of date: run PADDOCK_UPDATE_BINDINGS=1 cargo test -p paddock bindings"
        );
    }
}
