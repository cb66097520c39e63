//! The decoder of tests that use the crates as libraries; and what a decoder that a file has taken over could do.
//!
//! Outside: the `paddock` program, which starts itself.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(paddock_decoder::WORKER) => paddock_decoder::worker::main(),
        // Tells of everything whether it worked: `trespass FOLDER`.
        Some("trespass") => {
            let folder = std::path::PathBuf::from(std::env::args().nth(2).unwrap_or_default());
            let port = std::net::TcpListener::bind("127.0.0.1:0");
            let port = port.and_then(|listener| listener.local_addr());
            let confinement = paddock_decoder::worker::shut_in();
            let tried = [
                ("confined", confinement),
                ("read", std::fs::read(folder.join("secret")).is_ok()),
                ("list", std::fs::read_dir(&folder).is_ok()),
                ("write", std::fs::write(folder.join("new"), "x").is_ok()),
                ("append", append(&folder.join("secret"))),
                (
                    "remove",
                    std::fs::remove_file(folder.join("secret")).is_ok(),
                ),
                (
                    "rename",
                    std::fs::rename(folder.join("secret"), folder.join("s")).is_ok(),
                ),
                (
                    "run",
                    std::process::Command::new("/bin/true").status().is_ok(),
                ),
                ("listen", std::net::TcpListener::bind("127.0.0.1:0").is_ok()),
                (
                    "connect",
                    port.is_ok_and(|port| std::net::TcpStream::connect(port).is_ok()),
                ),
                (
                    "signal",
                    rustix::process::kill_process(
                        rustix::process::getppid().unwrap_or(rustix::process::getpid()),
                        rustix::process::Signal::CONT,
                    )
                    .is_ok(),
                ),
                // What must go on working
                (
                    "thread",
                    std::thread::Builder::new()
                        .spawn(|| ())
                        .is_ok_and(|t| t.join().is_ok()),
                ),
                ("memory", vec![1_u8; 64 << 20].iter().all(|byte| *byte == 1)),
            ];
            let all: serde_json::Map<_, _> = tried
                .into_iter()
                .map(|(name, worked)| (name.to_owned(), worked.into()))
                .collect();
            let told = writeln!(std::io::stdout(), "{}", serde_json::Value::from(all));
            if told.is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        _ => ExitCode::FAILURE,
    }
}

fn append(path: &std::path::Path) -> bool {
    let file = std::fs::OpenOptions::new().append(true).open(path);
    file.and_then(|mut file| file.write_all(b"x")).is_ok()
}
