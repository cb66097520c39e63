//! Support for the integration tests (to be written).

pub mod fake_engine;
pub mod webdriver;
