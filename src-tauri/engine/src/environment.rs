//! The two things that the environment is changed for, before there are threads.
//!
//! Outside: reading it anywhere else.

use paddock_protocol::engine::TOKEN_VARIABLE;

/// The bearer token, taken out of the environment: nothing that this program starts or prints finds it there.
///
/// # Errors
/// A sentence, if it is not there or too short to be a secret.
pub fn take_token() -> Result<String, String> {
    let token = std::env::var(TOKEN_VARIABLE)
        .map_err(|_| format!("The environment variable {TOKEN_VARIABLE} is not set."))?;
    // SAFETY: called at the start of `main`, before any other thread exists.
    unsafe { std::env::remove_var(TOKEN_VARIABLE) };
    if token.len() < 16 {
        return Err(format!("{TOKEN_VARIABLE} needs at least 16 characters."));
    }
    Ok(token)
}

/// Sets the size of every thread pool of the engine: our kernels' own, and the one that candle, rayon and mistral.rs share,
/// who read this variable once.
/// The default is the number of physical cores; hyper-threads only compete for the same multipliers.
pub fn set_threads(threads: Option<usize>) {
    let threads = threads.unwrap_or_else(num_cpus::get_physical).max(1);
    paddock_kernels::pool::set_threads(threads);
    // SAFETY: called at the start of `main`, before any other thread exists.
    unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
}
