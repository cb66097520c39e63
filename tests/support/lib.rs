//! What the integration tests share: an engine driven by hand, a Hub of our own, a window to press, files that bite, data
//! looked at from outside.
//!
//! Outside: what a test expects.

pub mod database;
pub mod fake_engine;
pub mod hostile;
pub mod hub_repo;
pub mod hub_server;
pub mod webdriver;
