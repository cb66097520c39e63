//! The system clipboard, read and written in Rust: WebKitGTK hands a page an empty clipboard for pictures
//! and copied files.
//!
//! Outside: pasted text, which the page gets from its own paste event.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use image::{ImageFormat, RgbaImage};

use crate::error::{CommandError, Result};

/// What a paste brings besides text.
#[derive(Debug)]
pub enum Pasted {
    /// Files copied in a file manager.
    Files(Vec<PathBuf>),
    /// A bitmap, as PNG.
    Picture(Vec<u8>),
    Nothing,
}

/// Blocks while the owner of the clipboard answers; call it off the UI thread.
///
/// # Errors
/// If the clipboard cannot be opened at all; an empty one is [`Pasted::Nothing`].
pub fn read() -> Result<Pasted> {
    let mut clipboard = open()?;
    if let Ok(files) = clipboard.get().file_list()
        && !files.is_empty()
    {
        return Ok(Pasted::Files(files));
    }
    let Ok(bitmap) = clipboard.get_image() else {
        return Ok(Pasted::Nothing);
    };
    let unreadable = || {
        CommandError::new(
            "clipboard_unreadable",
            "The picture on the clipboard could not be read.",
            "Save it as a file and drop that into the window.",
        )
    };
    let size = |edge: usize| u32::try_from(edge).map_err(|_| unreadable());
    let picture = RgbaImage::from_raw(
        size(bitmap.width)?,
        size(bitmap.height)?,
        bitmap.bytes.into_owned(),
    )
    .ok_or_else(unreadable)?;
    let mut png = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut png, ImageFormat::Png)
        .map_err(|_| unreadable())?;
    Ok(Pasted::Picture(png.into_inner()))
}

/// Keeps what was copied: on X11 the text is gone with the program object that offered it. Cheap to clone.
#[derive(Clone, Default)]
pub struct Offer(Arc<Mutex<Option<arboard::Clipboard>>>);

impl Offer {
    /// Blocks while the desktop answers; call it off the UI thread and off the runtime's workers.
    ///
    /// # Errors
    /// If the clipboard cannot be opened or written.
    pub fn text(&self, text: String) -> Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let clipboard = match held.as_mut() {
            Some(clipboard) => clipboard,
            None => held.insert(open()?),
        };
        clipboard.set_text(text).map_err(|_| {
            CommandError::new(
                "clipboard_unwritable",
                "The text could not be copied.",
                "Select it and copy it by hand.",
            )
        })
    }
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offer").finish_non_exhaustive()
    }
}

fn open() -> Result<arboard::Clipboard> {
    arboard::Clipboard::new().map_err(|_| {
        CommandError::new(
            "clipboard_unavailable",
            "The clipboard of this desktop could not be opened.",
            "Drop the picture into the window, or choose it with the button.",
        )
    })
}
