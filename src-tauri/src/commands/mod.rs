//! The commands of the page, by subject.
//!
//! Outside: decisions. Each command unpacks, calls one use case and maps the error.

pub mod app;
pub mod attachments;
pub mod conversations;
pub mod fit;
pub mod generation;
pub mod hub;
pub mod models;
pub mod settings;
