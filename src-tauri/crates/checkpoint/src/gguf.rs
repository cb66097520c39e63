//! GGUF files: header, metadata and tensor list.
//!
//! Outside: what a loaded GGUF model can do (`family`), split files (`read`), tensors' values.

mod header;

pub(crate) use header::read;
pub use header::{Header, Meta};
