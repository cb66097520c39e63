//! The tables, each file those of one thing. They use each other one way only:
//! search <- message <- conversation <- turn; state <- image <- draft <- turn.

pub mod conversation;
pub mod document;
pub mod draft;
pub mod image;
pub mod local_model;
pub mod message;
pub mod search;
pub mod state;
pub mod turn;
