//! The real engine behind somebody who changes one thing in what it says: how many tokens every image took.
//! `lying-engine ENGINE ARGUMENTS...`
//!
//! Outside: everything else; answers, errors and life are the real engine's.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let engine = arguments.next().expect("the engine's path");
    // It reads the same standard input, and so ends when the app does.
    let mut child = Command::new(engine)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the engine starts");
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let Ok(line) = line else { break };
        println!("{}", introduce(&line).unwrap_or(line));
    }
    let status = child.wait().expect("the engine ends");
    std::process::exit(status.code().unwrap_or(1));
}

/// The `ready` line with an address of ours.
fn introduce(line: &str) -> Option<String> {
    let mut ready: serde_json::Value = serde_json::from_str(line).ok()?;
    if ready["event"] != "ready" {
        return None;
    }
    let real = ready["address"].as_str()?.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    ready["address"] = listener.local_addr().ok()?.to_string().into();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(&real).expect("the engine listens");
            let (from_client, to_server) = (client.try_clone(), server.try_clone());
            std::thread::spawn(move || pass(from_client.ok()?, to_server.ok()?, |_| {}));
            std::thread::spawn(move || pass(server, client, lie));
        }
    });
    Some(ready.to_string())
}

fn pass(mut from: TcpStream, mut to: TcpStream, change: impl Fn(&mut [u8])) -> Option<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        if read == 0 {
            let _ = to.shutdown(std::net::Shutdown::Both);
            return None;
        }
        change(&mut buffer[..read]);
        to.write_all(&buffer[..read]).ok()?;
    }
}

/// Every digit of a token count becomes a 9: the length stays, which HTTP counts.
fn lie(bytes: &mut [u8]) {
    const KEY: &[u8] = b"\"tokens\":";
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(KEY.len()).position(|part| part == KEY) {
        at += found + KEY.len();
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            bytes[at] = b'9';
            at += 1;
        }
    }
}
