//! Pictures on their way in: files, pasted pictures, samples, other pages, changed copies.
//!
//! Outside: giving them out (`pictures.rs`).

use std::path::PathBuf;
use std::time::SystemTime;

use futures_util::{Stream, StreamExt as _, stream};
use paddock_conversation::{Attachment, Failure, ImageId, Pages};
use paddock_decoder::{Job, KEPT_PIXELS, Output, PictureEdit, Taken, Turn};
use paddock_store::{Blobs, Rendition, Store};
use serde::{Deserialize, Serialize};
use specta::Type;

use crate::renditions::{incomplete, only};
use crate::{Pictures, PicturesError, file_name, read_file};

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Type)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum AttachOutcome {
    Attached { attachment: Attachment },
    Refused { name: String, failure: Failure },
}

impl AttachOutcome {
    fn of(name: String, attached: Result<Attachment, PicturesError>) -> Self {
        match attached {
            Ok(attachment) => Self::Attached { attachment },
            Err(error) => Self::Refused {
                name,
                failure: error.failure(),
            },
        }
    }
}

impl Pictures {
    /// Takes a picture in, with its file if `keep_original`. A file that cannot be taken is an outcome, not an error.
    pub async fn attach(&self, name: String, bytes: Vec<u8>, keep_original: bool) -> AttachOutcome {
        let attached = async {
            let turn = self.decoders().turn().await?;
            self.take(&turn, &name, bytes, keep_original).await
        }
        .await;
        self.taken(name, attached, keep_original)
    }

    /// Takes in a file that the user chose or dropped. It is read when a decoder is free, never before.
    pub async fn attach_file(&self, path: PathBuf, keep_original: bool) -> AttachOutcome {
        let name = file_name(&path);
        let attached = async {
            let turn = self.decoders().turn().await?;
            let bytes = self
                .blocking(move |_| read_file(&path).map_err(PicturesError::File))
                .await?;
            self.take(&turn, &name, bytes, keep_original).await
        }
        .await;
        self.taken(name, attached, keep_original)
    }

    /// Takes in many files; the outcomes come in their order, each as soon as it and those before it are done. However
    /// many there are, no more of them are in memory than there are decoders.
    pub fn attach_many(
        &self,
        paths: Vec<PathBuf>,
        keep_original: bool,
    ) -> impl Stream<Item = AttachOutcome> + Send + use<> {
        let pictures = self.clone();
        // Some more than are decoded, so that one that waits to be told does not hold up the next.
        let at_once = 4 * self.decoders().processes();
        stream::iter(paths)
            .map(move |path| {
                let pictures = pictures.clone();
                async move { pictures.attach_file(path, keep_original).await }
            })
            .buffered(at_once)
    }

    /// Takes in one of the example pictures.
    pub async fn attach_sample(&self, name: String, keep_original: bool) -> AttachOutcome {
        let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let path = self.samples().join(format!("{name}.png"));
        if !valid || !path.is_file() {
            let failure = PicturesError::NoSample { name: name.clone() }.failure();
            return AttachOutcome::Refused { name, failure };
        }
        self.attach_file(path, keep_original).await
    }

    /// Takes another page or frame of the file that a picture is from, counted from 1: a picture of its own, beside the
    /// one that keeps the file. What cannot be taken is an outcome, not an error.
    pub async fn attach_page(&self, of: ImageId, number: u32) -> AttachOutcome {
        let taken = self.take_page(of.clone(), number).await;
        self.changed(of, taken).await
    }

    /// Makes a changed copy of a picture. A part is cut from the original file if that was kept, so that it has all the
    /// detail there is. What cannot be done is an outcome, not an error.
    pub async fn edit(&self, id: ImageId, edit: PictureEdit) -> AttachOutcome {
        let edited = self.take_edited(id.clone(), edit).await;
        self.changed(id, edited).await
    }

    fn taken(
        &self,
        name: String,
        attached: Result<Attachment, PicturesError>,
        original_kept: bool,
    ) -> AttachOutcome {
        if let Ok(attachment) = &attached
            && original_kept
        {
            self.make_upright_later(attachment.id.clone());
        }
        AttachOutcome::of(name, attached)
    }

    /// The outcome for a picture that was taken in before.
    async fn changed(&self, id: ImageId, made: Result<Attachment, PicturesError>) -> AttachOutcome {
        let name = match &made {
            Ok(attachment) => attachment.name.clone(),
            Err(_) => self
                .blocking(move |store| Ok(store.attachment(&id)?.name))
                .await
                .unwrap_or_else(|_| "Picture".into()),
        };
        AttachOutcome::of(name, made)
    }

    /// Decodes a file and keeps it: a thumbnail, and the original or else an upright copy, which could not be made later.
    async fn take(
        &self,
        turn: &Turn,
        name: &str,
        bytes: Vec<u8>,
        keep_original: bool,
    ) -> Result<Attachment, PicturesError> {
        let job = Job::Take {
            page: 1,
            thumb: true,
            upright: !keep_original,
        };
        let made = Made::of(turn.run(&job, &bytes).await?)?;
        let name = name.to_owned();
        self.blocking(move |store| {
            let id = Blobs::id_of(&bytes);
            if keep_original {
                store.blobs().put(&id, Rendition::Original, &bytes)?;
            }
            let file = keep_original.then(|| id.clone());
            made.keep(store, id, name, bytes.len(), file, 1)
        })
        .await
    }

    async fn take_page(&self, of: ImageId, number: u32) -> Result<Attachment, PicturesError> {
        let turn = self.decoders().turn().await?;
        let (name, file, bytes) = self
            .blocking(move |store| {
                let shown = store.attachment(&of)?;
                let file = shown.pages.map_or(of, |pages| pages.file);
                if !store.blobs().contains(&file, Rendition::Original) {
                    return Err(PicturesError::OriginalNotKept);
                }
                let bytes = store.blobs().read(&file, Rendition::Original)?;
                Ok((shown.name, file, bytes))
            })
            .await?;
        let job = Job::Take {
            page: number,
            thumb: true,
            upright: true,
        };
        let made = Made::of(turn.run(&job, &bytes).await?)?;
        let length = bytes.len();
        drop(bytes);
        self.blocking(move |store| {
            let upright = made.upright.as_deref().ok_or_else(incomplete)?;
            let id = if number == 1 {
                file.clone()
            } else {
                Blobs::id_of(upright)
            };
            made.keep(store, id, name, length, Some(file), number)
        })
        .await
    }

    async fn take_edited(
        &self,
        id: ImageId,
        edit: PictureEdit,
    ) -> Result<Attachment, PicturesError> {
        let turn = self.decoders().turn().await?;
        let (before, bytes) = self
            .blocking(move |store| {
                let before = store.attachment(&id)?;
                let rendition = if store.blobs().contains(&id, Rendition::Original) {
                    Rendition::Original
                } else {
                    Rendition::Upright
                };
                Ok((before, store.blobs().read(&id, rendition)?))
            })
            .await?;
        let png = only(turn.run(&Job::Edit { edit }, &bytes).await?.pictures)?;
        drop(bytes);
        let name = match edit.region {
            Some(_) if !before.name.starts_with("Part of ") => format!("Part of {}", before.name),
            _ => before.name,
        };
        // The original of the original is still there; of this one it is kept where the upright copy has less detail.
        let job = Job::Take {
            page: 1,
            thumb: true,
            upright: true,
        };
        let made = Made::of(turn.run(&job, &png).await?)?;
        self.blocking(move |store| {
            let id = Blobs::id_of(&png);
            let keep_original = made.taken.probe.upright.pixels() > KEPT_PIXELS;
            if keep_original {
                store.blobs().put(&id, Rendition::Original, &png)?;
            }
            let file = keep_original.then(|| id.clone());
            made.keep(store, id, name, png.len(), file, 1)
        })
        .await
    }
}

/// What was made of a file once, and could be made of it again.
struct Made {
    taken: Taken,
    thumb: Vec<u8>,
    upright: Option<Vec<u8>>,
}

impl Made {
    fn of(output: Output) -> Result<Self, PicturesError> {
        let mut pictures = output.pictures.into_iter();
        match (output.taken, pictures.next(), pictures.next()) {
            (Some(taken), Some(thumb), upright) => Ok(Self {
                taken,
                thumb,
                upright,
            }),
            _ => Err(incomplete()),
        }
    }

    /// Keeps the renditions and the row. `file` is the picture that keeps the file, if that is kept. Blocks.
    fn keep(
        self,
        store: &Store,
        id: ImageId,
        name: String,
        bytes: usize,
        file: Option<ImageId>,
        number: u32,
    ) -> Result<Attachment, PicturesError> {
        if let Some(upright) = &self.upright {
            store.blobs().put(&id, Rendition::Upright, upright)?;
        }
        store.blobs().put(&id, Rendition::Thumb, &self.thumb)?;
        let Taken {
            probe,
            upright,
            notes,
        } = self.taken;
        let total = probe.frames;
        let pages = file.filter(|_| total > 1).map(|file| Pages {
            file,
            number,
            total,
            unit: probe.format.frame_unit().to_owned(),
        });
        let attachment = Attachment {
            id,
            name,
            format: probe.format.name().to_owned(),
            stored: probe.stored,
            upright,
            bytes: bytes as u64,
            notes,
            alt: None,
            pages,
        };
        store.put_attachment(&attachment, now_ms())?;
        Ok(attachment)
    }
}

/// Milliseconds since 1970, UTC.
fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
