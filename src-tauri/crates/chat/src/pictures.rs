//! The pictures' use cases as the window calls them today: each hands on to their owner with what the settings say.
//!
//! Outside: everything else about pictures (the pictures crate).

use std::path::PathBuf;

use futures_util::StreamExt as _;
use paddock_conversation::ImageId;
use paddock_engines::ImageData;

use crate::chat::Chat;
use crate::{AttachOutcome, ChatError, Picture, PictureEdit, PictureForm};

impl Chat {
    /// Takes a picture in. A file that cannot be taken is an outcome, not an error.
    pub async fn attach(&self, name: String, bytes: Vec<u8>) -> AttachOutcome {
        let keep = self.settings().await.keep_originals;
        self.pictures().attach(name, bytes, keep).await
    }

    /// Takes in a file that the user chose or dropped.
    pub async fn attach_file(&self, path: PathBuf) -> AttachOutcome {
        let keep = self.settings().await.keep_originals;
        self.pictures().attach_file(path, keep).await
    }

    /// Takes in several files; the outcomes are in their order.
    pub async fn attach_many(&self, paths: Vec<PathBuf>) -> Vec<AttachOutcome> {
        let keep = self.settings().await.keep_originals;
        self.pictures().attach_many(paths, keep).collect().await
    }

    /// Takes in one of the example pictures.
    pub async fn attach_sample(&self, name: String) -> AttachOutcome {
        let keep = self.settings().await.keep_originals;
        self.pictures().attach_sample(name, keep).await
    }

    /// Takes another page or frame of the file that a picture is from, counted from 1.
    pub async fn attach_page(&self, of: ImageId, number: u32) -> AttachOutcome {
        self.pictures().attach_page(of, number).await
    }

    /// Makes a changed copy of a picture.
    pub async fn edit_picture(&self, id: ImageId, edit: PictureEdit) -> AttachOutcome {
        self.pictures().edit(id, edit).await
    }

    /// Keeps what is on a picture, for those who hear the window; an empty text forgets it.
    ///
    /// # Errors
    /// There is no such picture, or the store fails.
    pub async fn describe_picture(&self, id: ImageId, text: String) -> Result<(), ChatError> {
        Ok(self.pictures().describe(id, text).await?)
    }

    /// A kept picture as the page shows it.
    ///
    /// # Errors
    /// It is gone, or the chosen model's way of seeing is not known ([`PictureForm::Seen`]).
    pub async fn picture(&self, id: ImageId, form: PictureForm) -> Result<Picture, ChatError> {
        let tiling = match form {
            PictureForm::Seen => self
                .resolve(self.settings().await.chosen)
                .await?
                .tiling
                .clone(),
            PictureForm::Thumb | PictureForm::Full => None,
        };
        Ok(self.pictures().show(id, form, tiling).await?)
    }
}

/// An encoded picture on its way to an engine.
pub(crate) fn image_data(picture: Picture) -> ImageData {
    ImageData {
        mime: picture.mime,
        bytes: picture.bytes.into(),
    }
}
