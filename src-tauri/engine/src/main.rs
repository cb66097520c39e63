//! The `paddock-engine` program; see the library for what it is made of.

/// Every operation of a forward pass allocates its result: glibc gives large ones back to the system at once and clears
/// fresh pages for the next.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    paddock_engine::main()
}
