//! Support for the integration tests (to be written).

pub mod webdriver;
