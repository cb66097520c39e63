//! The `paddock-engine` program; see the library for what it is made of.

fn main() -> std::process::ExitCode {
    paddock_engine::main()
}
