//! How a checkpoint of each form is read.
//!
//! Outside: which form it is (`inspect`), the binary formats.

pub mod folder;
pub mod gguf_file;
pub mod text_files;
pub mod weights;
