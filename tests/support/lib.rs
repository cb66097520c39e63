//! Support for the integration tests: servers and engines that misbehave on demand, the window driven as by a hand, data looked at
//! from outside.
//!
//! Outside: what a test expects.

pub mod database;
pub mod fake_engine;
pub mod hub_repo;
pub mod hub_server;
pub mod webdriver;
