//! The token in a real Secret Service: GNOME's, on a session bus and in a home folder of its own.

use std::process::Command;

use paddock_hub::{Keychain, Token, TokenStore as _};

#[test]
fn a_token_outlives_the_program_and_is_kept_for_its_endpoint_alone() {
    const NAME: &str = "keychain::a_token_outlives_the_program_and_is_kept_for_its_endpoint_alone";
    let (hub, mirror) = ("https://huggingface.co", "https://mirror.example");
    let token = |text| Token::new(text).unwrap();
    // Set inside the session that the test begins.
    match std::env::var("PADDOCK_TEST_SESSION").as_deref() {
        Err(_) => {
            let home = tempfile::tempdir().unwrap();
            // Two programs, one after the other.
            let script = r#"printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null || exit 1
                PADDOCK_TEST_SESSION=keep "$0" "$1" --exact --nocapture || exit 1
                PADDOCK_TEST_SESSION=read "$0" "$1" --exact --nocapture || exit 1"#;
            let program = std::env::current_exe().unwrap();
            let session = Command::new("dbus-run-session")
                .args(["--", "sh", "-c", script])
                .arg(program)
                .arg(NAME)
                .env("HOME", home.path())
                .env("XDG_RUNTIME_DIR", home.path())
                .env("XDG_DATA_HOME", home.path().join("share"))
                .env_remove("DBUS_SESSION_BUS_ADDRESS")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&session.stdout);
            let errors = String::from_utf8_lossy(&session.stderr);
            assert!(session.status.success(), "{said}\n{errors}");
            assert_eq!(said.matches("1 passed").count(), 2, "{said}\n{errors}");
        }
        Ok("keep") => {
            assert_eq!(Keychain.token(hub), Ok(None));
            Keychain.forget(hub).unwrap();
            Keychain.keep(hub, &token("hf_first")).unwrap();
            Keychain.keep(hub, &token("hf_second")).unwrap();
            Keychain.keep(mirror, &token("hf_mirror")).unwrap();
        }
        Ok(_) => {
            assert_eq!(Keychain.token(hub), Ok(Some(token("hf_second"))));
            Keychain.forget(hub).unwrap();
            assert_eq!(Keychain.token(hub), Ok(None));
            assert_eq!(Keychain.token(mirror), Ok(Some(token("hf_mirror"))));
        }
    }
}
