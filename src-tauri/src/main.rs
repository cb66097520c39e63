//! The `paddock` program: the window without a subcommand, the command line with one.
//!
//! Outside: everything else; see the library `paddock_shell`.

#![cfg_attr(windows, windows_subsystem = "windows")]

fn main() -> std::process::ExitCode {
    paddock_shell::main()
}
