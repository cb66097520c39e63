//! The one who changes settings, and those who read them.
//!
//! Outside: what a change means for engines or downloads; whoever cares subscribes.
//!
//! A change names the revision that it was made on. It is refused only if the same setting was changed since: the theme
//! that somebody chooses on an old page never brings back a model that was forgotten meanwhile.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use paddock_conversation::{Failure, ModelId};
use paddock_store::Store;
use tokio::sync::watch;

use crate::document::{self, Document};
use crate::{Settings, SettingsChange, SettingsError};

/// Says whether an address of the Hub can be used.
pub type CheckEndpoint = fn(&str) -> Result<(), Failure>;

/// The settings as they are now. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SettingsReader(watch::Receiver<Settings>);

impl SettingsReader {
    #[must_use]
    pub fn current(&self) -> Settings {
        self.0.borrow().clone()
    }

    /// Hears every change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Settings> {
        self.0.clone()
    }

    /// Settings that nobody changes, for whoever has no data folder.
    #[must_use]
    pub fn fixed(settings: Settings) -> Self {
        Self(watch::channel(settings).1)
    }
}

/// The one writer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LiveSettings(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<Store>,
    check_endpoint: CheckEndpoint,
    /// Held while something is written, so that changes come one after the other.
    kept: Mutex<Kept>,
    current: watch::Sender<Settings>,
}

#[derive(Debug)]
struct Kept {
    document: Document,
    /// The revision at which each setting was changed last.
    changed_at: HashMap<(&'static str, Option<ModelId>), u32>,
}

/// What a data folder's settings are, without opening it: a window may be using it. Blocks.
///
/// # Errors
/// There is a database and it cannot be read.
pub fn settings_in(folder: &Path) -> Result<Settings, SettingsError> {
    let document = paddock_store::document_in(folder, document::NAME)?;
    Ok(document.map_or_else(Settings::default, |(version, json)| {
        Document::read(version, &json).settings
    }))
}

impl LiveSettings {
    /// Reads what was kept. Blocks.
    ///
    /// # Errors
    /// The store fails.
    pub fn open(store: Arc<Store>, check_endpoint: CheckEndpoint) -> Result<Self, SettingsError> {
        let document = match store.document(document::NAME)? {
            Some((version, json)) => Document::read(version, &json),
            None => Document::default(),
        };
        let (current, _) = watch::channel(document.settings.clone());
        Ok(Self(Arc::new(Inner {
            store,
            check_endpoint,
            kept: Mutex::new(Kept {
                document,
                changed_at: HashMap::new(),
            }),
            current,
        })))
    }

    #[must_use]
    pub fn current(&self) -> Settings {
        self.0.current.borrow().clone()
    }

    #[must_use]
    pub fn reader(&self) -> SettingsReader {
        SettingsReader(self.0.current.subscribe())
    }

    /// Makes all changes or none, and returns the whole. `revision`: what they were made on; none: whatever is now, for
    /// changes that are no person's choice from a page. Blocks.
    ///
    /// # Errors
    /// A number is out of range, a setting was changed since that revision, or the store fails: nothing is changed.
    pub fn change(
        &self,
        revision: Option<u32>,
        changes: Vec<SettingsChange>,
    ) -> Result<Settings, SettingsError> {
        self.change_with(revision, |_| changes)
    }

    /// As [`Self::change`] on whatever is now, with changes that depend on it. Blocks.
    ///
    /// # Errors
    /// As [`Self::change`].
    pub fn change_with(
        &self,
        revision: Option<u32>,
        changes: impl FnOnce(&Settings) -> Vec<SettingsChange>,
    ) -> Result<Settings, SettingsError> {
        // A panic between two changes leaves what was kept before.
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = kept.document.clone();
        let changes = changes(&next.settings);
        let mut touched = Vec::with_capacity(changes.len());
        for change in changes {
            let key = (change.name(), change.model().cloned());
            if let (Some(revision), Some(changed)) = (revision, kept.changed_at.get(&key))
                && *changed > revision
            {
                return Err(SettingsError::ChangedElsewhere { name: key.0 });
            }
            if let SettingsChange::HubEndpoint { value: Some(value) } = &change {
                (self.0.check_endpoint)(value).map_err(SettingsError::Refused)?;
            }
            change.apply(&mut next.settings);
            touched.push(key);
        }
        next.settings.check()?;
        if next == kept.document {
            return Ok(next.settings);
        }
        next.settings.revision = next.settings.revision.wrapping_add(1);
        let (version, json) = next.write();
        self.0.store.put_document(document::NAME, version, &json)?;
        for key in touched {
            kept.changed_at.insert(key, next.settings.revision);
        }
        kept.document = next.clone();
        self.0.current.send_replace(next.settings.clone());
        Ok(next.settings)
    }
}

#[cfg(test)]
mod tests {
    use paddock_models::LoadChoice;

    use super::*;
    use crate::Theme;

    fn any(_: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn open(folder: &tempfile::TempDir) -> LiveSettings {
        LiveSettings::open(Arc::new(Store::open(folder.path(), 0).unwrap()), any).unwrap()
    }

    #[test]
    fn a_change_touches_what_it_names_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let big = ModelId::local("/models/big");
        {
            let settings = open(&folder);
            let page = settings
                .change(None, vec![SettingsChange::Chosen { value: big.clone() }])
                .unwrap();
            // Elsewhere the model is forgotten.
            settings
                .change(
                    None,
                    vec![SettingsChange::Chosen {
                        value: ModelId::demo(),
                    }],
                )
                .unwrap();
            let dark = SettingsChange::Theme { value: Theme::Dark };
            let after = settings.change(Some(page.revision), vec![dark]).unwrap();
            assert_eq!(
                (after.chosen.clone(), after.theme),
                (ModelId::demo(), Theme::Dark)
            );
            assert_eq!(settings.reader().current(), after);
            // Had the page chosen a model on what it knew, it would have been asked to look again.
            let refused = settings
                .change(
                    Some(page.revision),
                    vec![SettingsChange::Chosen { value: big }],
                )
                .unwrap_err();
            assert_eq!(refused.failure().code, "settingChanged");
        }
        let kept = open(&folder).current();
        assert_eq!(
            (kept.chosen, kept.theme, kept.revision),
            (ModelId::demo(), Theme::Dark, 0)
        );
    }

    #[test]
    fn ways_of_loading_two_models_are_two_settings() {
        let folder = tempfile::tempdir().unwrap();
        let settings = open(&folder);
        let choice = |tokens| LoadChoice {
            context_tokens: Some(tokens),
            ..LoadChoice::default()
        };
        let for_model = |id: &str, tokens| SettingsChange::LoadChoice {
            model: ModelId::local(id),
            value: choice(tokens),
        };
        settings
            .change(Some(0), vec![for_model("/a", 512)])
            .unwrap();
        let after = settings
            .change(Some(0), vec![for_model("/b", 1024)])
            .unwrap();
        assert_eq!(after.load_choice(&ModelId::local("/a")), choice(512));
        assert_eq!(after.load_choice(&ModelId::local("/b")), choice(1024));
        assert!(
            settings
                .change(Some(0), vec![for_model("/a", 600)])
                .is_err()
        );
    }

    #[test]
    fn all_changes_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let settings = open(&folder);
        let before = settings.current();
        let refused = settings.change(
            Some(0),
            vec![
                SettingsChange::Theme { value: Theme::Dark },
                SettingsChange::Temperature { value: 7.0 },
            ],
        );
        assert_eq!(refused.unwrap_err().failure().code, "settingOutOfRange");
        assert_eq!(settings.current(), before);
    }

    #[test]
    fn writers_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let settings = open(&folder);
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let settings = &settings;
                scope.spawn(move || {
                    for number in 0..10 {
                        let model = ModelId::local(&format!("/{writer}/{number}"));
                        let value = LoadChoice::default();
                        settings
                            .change(None, vec![SettingsChange::LoadChoice { model, value }])
                            .unwrap();
                    }
                });
            }
        });
        assert_eq!(settings.current().per_model.len(), 40);
        assert_eq!(settings.current().revision, 40);
    }
}
