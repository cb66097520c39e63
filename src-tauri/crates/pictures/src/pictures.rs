//! The owner of the user's pictures: the store's files, the decoders, the samples.
//!
//! Outside: taking in (`intake.rs`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use paddock_conversation::ImageId;
use paddock_decode::Tiling;
use paddock_decoder::{Decoders, Job, Turn};
use paddock_store::{Rendition, Store};

use crate::renditions::only;
use crate::{Picture, PictureForm, PicturesError};

/// Longest description of a picture that is kept, in characters.
const MAX_ALT_CHARS: usize = 500;

/// Takes pictures in and gives them out. Cheap to clone; needs a tokio runtime.
#[derive(Clone, Debug)]
pub struct Pictures(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<Store>,
    decoders: Decoders,
    /// The folder of the example pictures, `<name>.png`.
    samples: PathBuf,
    /// Renditions that are being made: who comes second finds what the first one made.
    making: Mutex<HashMap<ImageId, Weak<tokio::sync::Mutex<()>>>>,
}

impl Pictures {
    #[must_use]
    pub fn new(store: Arc<Store>, decoders: Decoders, samples: PathBuf) -> Self {
        Self(Arc::new(Inner {
            store,
            decoders,
            samples,
            making: Mutex::default(),
        }))
    }

    /// Ends the decoders; pictures that wait for one are refused.
    pub fn close(&self) {
        self.0.decoders.close();
    }

    #[must_use]
    pub fn decoders(&self) -> &Decoders {
        &self.0.decoders
    }

    pub(crate) fn samples(&self) -> &Path {
        &self.0.samples
    }

    /// Runs what blocks where nobody waits for the thread.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, PicturesError> + Send + 'static,
    ) -> Result<T, PicturesError> {
        let store = self.0.store.clone();
        tokio::task::spawn_blocking(move || work(&store))
            .await
            .map_err(|e| PicturesError::TaskEnded {
                detail: e.to_string(),
            })?
    }

    /// Keeps what is on a picture, for those who hear the window; an empty text forgets it.
    ///
    /// # Errors
    /// There is no such picture, or the store fails.
    pub async fn describe(&self, id: ImageId, text: String) -> Result<(), PicturesError> {
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text: String = text.chars().take(MAX_ALT_CHARS).collect();
        self.blocking(move |store| {
            let alt = Some(text.as_str()).filter(|text| !text.is_empty());
            Ok(store.describe_image(&id, alt)?)
        })
        .await
    }

    /// A kept picture as the page shows it; `tiling` is the chosen model's way of seeing, needed for
    /// [`PictureForm::Seen`] only.
    ///
    /// # Errors
    /// It is gone, or the model's way of seeing is not known.
    pub async fn show(
        &self,
        id: ImageId,
        form: PictureForm,
        tiling: Option<Tiling>,
    ) -> Result<Picture, PicturesError> {
        match form {
            PictureForm::Thumb => self.rendition(id, Rendition::Thumb).await,
            PictureForm::Full => self.rendition(id, Rendition::Upright).await,
            PictureForm::Seen => {
                let Some(tiling) = tiling else {
                    let size = self
                        .blocking(move |store| Ok(store.attachment(&id)?.upright))
                        .await?;
                    return Err(PicturesError::NoPlan { size });
                };
                let upright = self.rendition(id, Rendition::Upright).await?;
                let job = Job::Seen { tiling };
                let output = self.0.decoders.run(&job, &upright.bytes).await?;
                only(output.pictures).map(Picture::png)
            }
        }
    }

    /// A kept picture as an engine gets it.
    ///
    /// # Errors
    /// It is gone, or cannot be decoded any more.
    pub async fn for_engine(&self, id: ImageId) -> Result<Picture, PicturesError> {
        self.rendition(id, Rendition::Upright).await
    }

    /// Makes the upright copy of a picture that was taken in, if nobody did so yet. Of a photograph it takes longer than
    /// all the rest, and only the model and who enlarges the picture need it: it is made after the pictures that wait
    /// already. Whoever needs it sooner makes it.
    pub(crate) fn make_upright_later(&self, id: ImageId) {
        // The owner is not kept alive for it: when the window closes, it is left for the next time.
        let inner = Arc::downgrade(&self.0);
        let decoders = self.0.decoders.clone();
        tokio::spawn(async move {
            let Ok(turn) = decoders.turn().await else {
                return;
            };
            let Some(pictures) = inner.upgrade().map(Self) else {
                return;
            };
            if let Err(error) = pictures.make(&id, Rendition::Upright, Some(turn)).await {
                tracing::warn!(%error, "a picture's upright copy will be made when it is needed");
            }
        });
    }

    async fn rendition(&self, id: ImageId, rendition: Rendition) -> Result<Picture, PicturesError> {
        let bytes = match self.kept(&id, rendition).await? {
            Some(bytes) => bytes,
            None => match self.make(&id, rendition, None).await? {
                Some(made) => made,
                // Somebody else has made it meanwhile.
                None => {
                    let id = id.clone();
                    self.blocking(move |store| Ok(store.blobs().read(&id, rendition)?))
                        .await?
                }
            },
        };
        Ok(match rendition {
            Rendition::Thumb => Picture::jpeg(bytes),
            Rendition::Upright | Rendition::Original => Picture::png(bytes),
        })
    }

    /// A rendition as it lies in the store; none if it is not there and can be made.
    async fn kept(
        &self,
        id: &ImageId,
        rendition: Rendition,
    ) -> Result<Option<Vec<u8>>, PicturesError> {
        let id = id.clone();
        self.blocking(move |store| {
            let blobs = store.blobs();
            if blobs.contains(&id, rendition) || !blobs.contains(&id, Rendition::Original) {
                return Ok(Some(blobs.read(&id, rendition)?));
            }
            Ok(None)
        })
        .await
    }

    /// Makes a rendition from the original and keeps it; none if it is there meanwhile.
    async fn make(
        &self,
        id: &ImageId,
        rendition: Rendition,
        turn: Option<Turn>,
    ) -> Result<Option<Vec<u8>>, PicturesError> {
        let lock = self.lock(id);
        // A turn is never waited for under the lock by one and the lock under a turn by another: whoever comes with a
        // turn gives it back if somebody is at it.
        let _making = match &turn {
            Some(_) => match lock.try_lock() {
                Ok(making) => making,
                Err(_) => return Ok(None),
            },
            None => lock.lock().await,
        };
        let of = id.clone();
        let there = self
            .blocking(move |store| Ok(store.blobs().contains(&of, rendition)))
            .await?;
        if there {
            return Ok(None);
        }
        let turn = match turn {
            Some(turn) => turn,
            None => self.0.decoders.turn().await?,
        };
        let of = id.clone();
        let original = self
            .blocking(move |store| Ok(store.blobs().read(&of, Rendition::Original)?))
            .await?;
        let job = Job::Take {
            page: 1,
            thumb: rendition == Rendition::Thumb,
            upright: rendition == Rendition::Upright,
        };
        let made = only(turn.run(&job, &original).await?.pictures)?;
        drop(original);
        let of = id.clone();
        self.blocking(move |store| {
            // It can be made again: a full disk keeps nobody from showing or sending the picture.
            if let Err(error) = store.blobs().put(&of, rendition, &made) {
                tracing::warn!(%error, "what was made of a picture could not be kept");
            }
            Ok(Some(made))
        })
        .await
    }

    fn lock(&self, id: &ImageId) -> Arc<tokio::sync::Mutex<()>> {
        let mut making = self.0.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = making.get(id).and_then(Weak::upgrade) {
            return lock;
        }
        making.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        making.insert(id.clone(), Arc::downgrade(&lock));
        lock
    }
}
