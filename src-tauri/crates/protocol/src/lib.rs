//! What crosses between Paddock and a model server: the OpenAI chat-completions protocol, and the life
//! of Paddock's own engine process as JSON lines.
//!
//! Outside: transport, retries, image decoding. This crate is plain data, shared by the app's client and
//! by `paddock-engine` (a workspace of its own), so that the two cannot drift apart.

pub mod chat;
pub mod engine;
