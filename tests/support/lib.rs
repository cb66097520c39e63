//! What the integration tests share: an engine driven by hand, a Hub of our own, a window to press, files that bite.

pub mod fake_engine;
pub mod hostile;
pub mod hub_repo;
pub mod hub_server;
pub mod webdriver;
