//! Pictures on their way in and out: attach, show, hand to a model.
//!
//! Outside: decoding itself (the media crate) and where files lie (the store).

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use paddock_conversation::{Attachment, Failure, ImageId, ImageSize, Pages};
use paddock_decode::{
    Limits, MediaError, Probe, RgbImage, Tiling, decode_frame, decode_upright, encode_jpeg,
    encode_png, thumbnail,
};
use paddock_engines::ImageData;
use paddock_store::{Blobs, Rendition, Store};

use crate::chat::{Chat, now_ms};
use crate::{AttachOutcome, ChatError, Picture, PictureForm};

/// Longest side of a thumbnail: twice what the page shows, for dense screens.
const THUMB_EDGE_PX: u32 = 512;
const THUMB_QUALITY: u8 = 85;
/// Most pixels of the copy that is shown and sent. No model's tiling looks at more; a larger one only costs time.
const MAX_KEPT_PIXELS: u64 = 16 << 20;
/// Longest description of a picture that is kept, in characters.
const MAX_ALT_CHARS: usize = 500;
/// The same in bytes of a decoded picture.
pub const MAX_KEPT_BYTES: u64 = 3 * MAX_KEPT_PIXELS;

impl Chat {
    /// Takes a picture in. A file that cannot be taken is an outcome, not an error.
    pub async fn attach(&self, name: String, bytes: Vec<u8>) -> AttachOutcome {
        let keep_original = self.settings().await.keep_originals;
        let _turn = self.decoder().await;
        let file = name.clone();
        let attached = self
            .blocking(move |chat| take_in(chat.store(), &file, &bytes, keep_original, now_ms()))
            .await;
        match attached {
            Ok(attachment) => {
                if keep_original {
                    self.make_upright_later(attachment.id.clone());
                }
                AttachOutcome::Attached { attachment }
            }
            Err(error) => AttachOutcome::Refused {
                name,
                failure: error.failure(),
            },
        }
    }

    /// Of a photograph the upright copy takes longer than all the rest, and only the model and who enlarges the picture
    /// need it. It is made after the pictures that wait already; whoever needs it sooner makes it.
    fn make_upright_later(&self, id: ImageId) {
        let chat = self.downgrade();
        tokio::spawn(async move {
            let Some(chat) = chat.upgrade() else { return };
            // When the window closes, it is left for the next time.
            let Some(_turn) = chat.decoder().await else {
                return;
            };
            let made = chat
                .blocking(move |chat| {
                    if chat.store().blobs().contains(&id, Rendition::Upright) {
                        return Ok(());
                    }
                    read_or_make(chat.store(), &id, Rendition::Upright).map(drop)
                })
                .await;
            if let Err(error) = made {
                tracing::warn!(%error, "a picture's upright copy will be made when it is needed");
            }
        });
    }

    /// Takes in a file that the user chose or dropped.
    pub async fn attach_file(&self, path: PathBuf) -> AttachOutcome {
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let read = self
            .blocking(move |_| read_file(&path).map_err(ChatError::Refused))
            .await;
        match read {
            Ok(bytes) => self.attach(name, bytes).await,
            Err(error) => AttachOutcome::Refused {
                name,
                failure: error.failure(),
            },
        }
    }

    /// Takes in one of the example pictures.
    pub async fn attach_sample(&self, name: String) -> AttachOutcome {
        let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        let path = self.config().samples_folder.join(format!("{name}.png"));
        if !valid || !path.is_file() {
            let failure = ChatError::NoSample { name: name.clone() }.failure();
            return AttachOutcome::Refused { name, failure };
        }
        self.attach_file(path).await
    }

    /// Takes another page or frame of the file that a picture is from, counted from 1. What cannot be taken is an
    /// outcome, not an error.
    pub async fn attach_page(&self, of: ImageId, number: u32) -> AttachOutcome {
        let _turn = self.decoder().await;
        let named = of.clone();
        let taken = self
            .blocking(move |chat| take_page(chat.store(), &of, number, now_ms()))
            .await;
        match taken {
            Ok(attachment) => AttachOutcome::Attached { attachment },
            Err(error) => self.refused(named, &error).await,
        }
    }

    /// Keeps what is on a picture, for those who hear the window; an empty text forgets it.
    ///
    /// # Errors
    /// There is no such picture, or the store fails.
    pub async fn describe_picture(&self, id: ImageId, text: String) -> Result<(), ChatError> {
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text: String = text.chars().take(MAX_ALT_CHARS).collect();
        self.blocking(move |chat| {
            let alt = Some(text.as_str()).filter(|text| !text.is_empty());
            Ok(chat.store().describe_image(&id, alt)?)
        })
        .await
    }

    /// A picture that was taken in and could not be changed.
    pub(crate) async fn refused(&self, id: ImageId, error: &ChatError) -> AttachOutcome {
        let name = self
            .blocking(move |chat| Ok(chat.store().attachment(&id)?.name))
            .await
            .unwrap_or_else(|_| "Picture".into());
        AttachOutcome::Refused {
            name,
            failure: error.failure(),
        }
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
        self.blocking(move |chat| show(chat.store(), &id, form, tiling.as_ref()))
            .await
    }
}

/// Decodes a file and keeps it: a thumbnail, and the original or else an upright copy, which could not be made later. Blocks.
pub fn take_in(
    store: &Store,
    name: &str,
    bytes: &[u8],
    keep_original: bool,
    now_ms: u64,
) -> Result<Attachment, ChatError> {
    let derived = Derived::from_file(bytes, 1)?;
    let (id, blobs) = (Blobs::id_of(bytes), store.blobs());
    if keep_original {
        blobs.put(&id, Rendition::Original, bytes)?;
    } else {
        blobs.put(&id, Rendition::Upright, &derived.upright_png()?)?;
    }
    blobs.put(&id, Rendition::Thumb, &derived.thumb_jpeg()?)?;
    let file = keep_original.then(|| id.clone());
    let attachment = derived.attachment(id, name, bytes.len(), file, 1);
    store.put_attachment(&attachment, now_ms)?;
    Ok(attachment)
}

/// Takes another page or frame of a file that was taken in: a picture of its own, beside the one that keeps the file.
/// Blocks.
fn take_page(
    store: &Store,
    of: &ImageId,
    number: u32,
    now_ms: u64,
) -> Result<Attachment, ChatError> {
    let shown = store.attachment(of)?;
    let file = shown.pages.map_or_else(|| of.clone(), |pages| pages.file);
    if !store.blobs().contains(&file, Rendition::Original) {
        return Err(ChatError::Refused(Failure::new(
            "originalNotKept",
            "The file of this picture was not kept, so its other pages cannot be had.",
            "Attach the file again.",
        )));
    }
    let bytes = store.blobs().read(&file, Rendition::Original)?;
    let derived = Derived::from_file(&bytes, number)?;
    let upright_png = derived.upright_png()?;
    let id = if number == 1 {
        file.clone()
    } else {
        Blobs::id_of(&upright_png)
    };
    let blobs = store.blobs();
    blobs.put(&id, Rendition::Upright, &upright_png)?;
    blobs.put(&id, Rendition::Thumb, &derived.thumb_jpeg()?)?;
    let attachment = derived.attachment(id, &shown.name, bytes.len(), Some(file), number);
    store.put_attachment(&attachment, now_ms)?;
    Ok(attachment)
}

/// What is made of a file once, and could be made of it again.
struct Derived {
    probe: Probe,
    upright: RgbImage,
    notes: Vec<String>,
}

impl Derived {
    fn from_file(bytes: &[u8], page: u32) -> Result<Self, ChatError> {
        let upright = decode_frame(bytes, &Limits::DEFAULT, page).map_err(|e| refusal(&e))?;
        let mut notes: Vec<String> = upright
            .notes
            .iter()
            .map(paddock_decode::Note::sentence)
            .collect();
        let (image, note) = within_kept_size(upright.image);
        notes.extend(note);
        Ok(Self {
            probe: upright.probe,
            upright: image,
            notes,
        })
    }

    fn upright_png(&self) -> Result<Vec<u8>, ChatError> {
        encode_png(&self.upright).map_err(|e| refusal(&e))
    }

    fn thumb_jpeg(&self) -> Result<Vec<u8>, ChatError> {
        encode_jpeg(&thumbnail(&self.upright, THUMB_EDGE_PX), THUMB_QUALITY)
            .map_err(|e| refusal(&e))
    }

    /// `file` is the picture that keeps the file, if that is kept.
    fn attachment(
        self,
        id: ImageId,
        name: &str,
        bytes: usize,
        file: Option<ImageId>,
        number: u32,
    ) -> Attachment {
        let total = self.probe.frames;
        let pages = file.filter(|_| total > 1).map(|file| Pages {
            file,
            number,
            total,
            unit: self.probe.format.frame_unit().to_owned(),
        });
        Attachment {
            id,
            name: name.to_owned(),
            format: self.probe.format.name().to_owned(),
            stored: self.probe.stored,
            upright: ImageSize::new(self.upright.width(), self.upright.height()),
            bytes: bytes as u64,
            notes: self.notes,
            alt: None,
            pages,
        }
    }
}

/// Reads a rendition; a derived one that is not there yet, or was lost, is made if the original was kept. Blocks.
fn read_or_make(store: &Store, id: &ImageId, rendition: Rendition) -> Result<Vec<u8>, ChatError> {
    // Who comes second finds what the first one made. It guards nothing that a panic could leave broken.
    static MAKING: Mutex<()> = Mutex::new(());
    let blobs = store.blobs();
    if blobs.contains(id, rendition) || !blobs.contains(id, Rendition::Original) {
        return Ok(blobs.read(id, rendition)?);
    }
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if blobs.contains(id, rendition) {
        return Ok(blobs.read(id, rendition)?);
    }
    let original = blobs.read(id, Rendition::Original)?;
    let derived = Derived::from_file(&original, 1)?;
    let bytes = match rendition {
        Rendition::Original => return Ok(original),
        Rendition::Upright => derived.upright_png()?,
        Rendition::Thumb => derived.thumb_jpeg()?,
    };
    // It can be made again: a full disk keeps nobody from showing or sending the picture.
    if let Err(error) = blobs.put(id, rendition, &bytes) {
        tracing::warn!(%error, "what was made of a picture could not be kept");
    }
    Ok(bytes)
}

/// Decodes a picture for a question that is not kept. Blocks.
pub fn for_one_question(bytes: &[u8]) -> Result<ImageData, ChatError> {
    let upright = decode_upright(bytes, &Limits::DEFAULT).map_err(|e| refusal(&e))?;
    let (image, _) = within_kept_size(upright.image);
    let png = encode_png(&image).map_err(|e| refusal(&e))?;
    Ok(ImageData {
        mime: "image/png",
        bytes: png.into(),
    })
}

fn within_kept_size(image: RgbImage) -> (RgbImage, Option<String>) {
    let size = ImageSize::new(image.width(), image.height());
    if size.pixels() <= MAX_KEPT_PIXELS {
        return (image, None);
    }
    let scale = (MAX_KEPT_PIXELS as f64 / size.pixels() as f64).sqrt();
    let edge = (f64::from(size.width_px.max(size.height_px)) * scale).floor() as u32;
    let image = thumbnail(&image, edge.max(1));
    let note = format!(
        "Scaled from {size} to {} × {} pixels to be shown and sent.",
        image.width(),
        image.height()
    );
    (image, Some(note))
}

/// Reads a file that the user chose, never more than the limit. Blocks.
pub fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let limit = Limits::DEFAULT.max_file_bytes;
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(
            "fileNotFound",
            format!("{name} does not exist any more."),
            "Check where the file is, then attach it again.",
        ),
        std::io::ErrorKind::PermissionDenied => Failure::new(
            "fileNotAllowed",
            format!("{name} may not be read."),
            "Allow yourself to read the file, or attach a copy of it.",
        ),
        _ => Failure::new(
            "fileUnreadable",
            format!("{name} cannot be read ({error})."),
            "Attach a copy of the file.",
        ),
    };
    if path.is_dir() {
        return Err(Failure::new(
            "folder",
            format!("{name} is a folder."),
            "Attach the pictures in it.",
        ));
    }
    // A pipe or a device may never end.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Failure::new(
            "fileUnreadable",
            format!("{name} is not a file with a picture in it."),
            "Attach a picture file.",
        ));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // What the system says of the length is not trusted: the file may be growing.
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        let error = MediaError::FileTooLong {
            bytes: bytes.len() as u64,
            max_bytes: limit,
        };
        return Err(error.failure());
    }
    Ok(bytes)
}

/// A kept picture as a page shows it. `tiling` is needed for [`PictureForm::Seen`]. Blocks.
pub fn show(
    store: &Store,
    id: &ImageId,
    form: PictureForm,
    tiling: Option<&Tiling>,
) -> Result<Picture, ChatError> {
    match form {
        PictureForm::Thumb => Ok(Picture {
            mime: "image/jpeg",
            bytes: read_or_make(store, id, Rendition::Thumb)?,
        }),
        PictureForm::Full => Ok(Picture {
            mime: "image/png",
            bytes: read_or_make(store, id, Rendition::Upright)?,
        }),
        PictureForm::Seen => {
            let upright = decode_upright(
                &read_or_make(store, id, Rendition::Upright)?,
                &Limits::DEFAULT,
            )
            .map_err(|e| refusal(&e))?
            .image;
            let size = ImageSize::new(upright.width(), upright.height());
            let plan = tiling.ok_or(ChatError::NoPlan { size })?.plan(size);
            let bytes = encode_png(&plan.render(&upright)).map_err(|e| refusal(&e))?;
            Ok(Picture {
                mime: "image/png",
                bytes,
            })
        }
    }
}

/// A kept picture as an engine gets it. Blocks.
pub fn for_engine(store: &Store, id: &ImageId) -> Result<ImageData, ChatError> {
    let bytes = read_or_make(store, id, Rendition::Upright)?;
    Ok(ImageData {
        mime: "image/png",
        bytes: bytes.into(),
    })
}

fn refusal(error: &MediaError) -> ChatError {
    ChatError::Refused(error.failure())
}
