//! `attachment://localhost/<image id>/<thumb|full|seen>`: how the page shows pictures without ever seeing
//! their paths or holding their bytes.
//!
//! Outside: making those pictures (the pictures crate). The stored original is never served: an SVG
//! could carry script, and a browser may show a photo turned otherwise than the model sees it.

use paddock_chat::{Chat, PictureForm};
use paddock_conversation::ImageId;
use tauri::{
    Manager, Runtime, UriSchemeContext, UriSchemeResponder,
    http::{Request, Response, StatusCode, header},
};

pub const NAME: &str = "attachment";

pub fn handle<R: Runtime>(
    context: UriSchemeContext<'_, R>,
    request: Request<Vec<u8>>,
    responder: UriSchemeResponder,
) {
    let chat = context.app_handle().state::<Chat>().inner().clone();
    let path = request.uri().path().trim_start_matches('/').to_owned();
    tauri::async_runtime::spawn(async move { responder.respond(answer(&chat, &path).await) });
}

async fn answer(chat: &Chat, path: &str) -> Response<Vec<u8>> {
    let Some((id, form)) = parse(path) else {
        return plain(StatusCode::NOT_FOUND, "There is no such picture.");
    };
    match chat.picture(id, form).await {
        Ok(picture) => Response::builder()
            .header(header::CONTENT_TYPE, picture.mime)
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(header::CACHE_CONTROL, cache_rule(form))
            .body(picture.bytes)
            .unwrap_or_default(),
        Err(error) => plain(StatusCode::NOT_FOUND, &error.failure().message),
    }
}

/// An id is the hash of the content, so a picture under it can never change, but what the model sees of it
/// changes with the model.
const fn cache_rule(form: PictureForm) -> &'static str {
    match form {
        PictureForm::Thumb | PictureForm::Full => "private, max-age=31536000, immutable",
        PictureForm::Seen => "no-store",
    }
}

fn parse(path: &str) -> Option<(ImageId, PictureForm)> {
    let (id, form) = path.split_once('/')?;
    Some((id.parse().ok()?, form.parse().ok()?))
}

fn plain(status: StatusCode, sentence: &str) -> Response<Vec<u8>> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(sentence.as_bytes().to_vec())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_and_known_kinds_are_paths() {
        let id = "a".repeat(64);
        assert!(parse(&format!("{id}/thumb")).is_some());
        for path in [
            "",
            "/",
            "../etc/passwd/thumb",
            &id,
            &format!("{id}/raw"),
            &format!("{id}/thumb/.."),
        ] {
            assert!(parse(path).is_none(), "{path}");
        }
    }
}
