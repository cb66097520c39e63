//! What the user chose, and the one who writes it down.
//!
//! Outside: what the choices resolve to (a device, a context length); that is decided at use and never written back.

mod change;
mod document;
mod error;
mod live;
mod settings;

pub use change::SettingsChange;
pub use error::SettingsError;
pub use live::{LiveSettings, SettingsReader, settings_in};
pub use settings::{Settings, Theme};
