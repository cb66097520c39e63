//! The real window: what a user does with Paddock, done with real mouse, keyboard, clipboard and drag and drop, with the
//! real engine and the demo model. Logic that needs no window is tested in the crates and in `ui/`.
//!
//! `PADDOCK_APP` names the program and `PADDOCK_ENGINE` the engine; `./test` builds and sets both. Screenshots and the
//! app's own output land in `tests/output`.
#![allow(clippy::unwrap_used)] // a test may fail

mod breakage;
mod fitting;
mod guard;
mod looking;
mod models;
mod pictures;
mod scene;
mod settings;
mod words;
