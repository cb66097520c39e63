//! Where the window's page may go: to itself. A link is opened in the browser, after a question; nothing else opens or
//! replaces anything.
//!
//! Outside: opening a link (`commands::app::open_link`), and what the page may load (its content security policy).

use tauri::Url;

/// The page's own addresses: Tauri's scheme, its form on Windows, and where the pages are worked on the development server.
pub fn is_own(url: &Url, development: Option<&Url>) -> bool {
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "tauri" => host == "localhost",
        "http" | "https" if host == "tauri.localhost" => url.port().is_none(),
        _ => development.is_some_and(|server| server.origin() == url.origin()),
    }
}

/// The web view's own menu offers to reload, to go back and to open pictures elsewhere. It stays where text is written or
/// marked: there it offers to copy and paste.
pub const MENU_GUARD: &str = r#"
addEventListener("contextmenu", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const writes = target?.closest("input, textarea, [contenteditable]:not([contenteditable=false])");
  const marked = getSelection();
  const reads = marked && !marked.isCollapsed && target && marked.containsNode(target, true) && !target.closest("a, img");
  if (!writes && !reads) event.preventDefault();
}, { capture: true });
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_app_itself_is_its_own() {
        let server = Url::parse("http://localhost:5173").unwrap();
        let own = |text: &str, server: Option<&Url>| is_own(&Url::parse(text).unwrap(), server);
        for text in [
            "tauri://localhost",
            "tauri://localhost/index.html#x",
            "http://tauri.localhost/",
            "https://tauri.localhost/a",
        ] {
            assert!(own(text, None), "{text}");
        }
        for text in [
            "https://example.org",
            "http://tauri.localhost.example.org",
            "http://tauri.localhost:8080",
            "tauri://elsewhere",
            "http://localhost:5173",
            "http://127.0.0.1",
            "about:blank",
            "data:text/html,x",
            "blob:tauri://localhost/1",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "attachment://localhost/x/full",
        ] {
            assert!(!own(text, None), "{text}");
        }
        assert!(own("http://localhost:5173/src/app.ts", Some(&server)));
        assert!(!own("http://localhost:5174", Some(&server)));
    }
}
