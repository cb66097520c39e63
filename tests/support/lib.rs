//! Support for the integration tests (to be written).

pub mod fake_engine;
pub mod hub_repo;
pub mod hub_server;
pub mod webdriver;
