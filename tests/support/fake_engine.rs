//! An engine driven by hand: a real HTTP server that speaks as the test tells it to, and a real program that
//! reports its address as `paddock-engine` does.
//!
//! Outside: any thought of its own. The server answers nothing that a test did not say.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// How long a test waits for something that has to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The server. Requests are handed out in the order in which they came.
#[derive(Debug)]
pub struct FakeEngine {
    port: u16,
    requests: mpsc::UnboundedReceiver<Exchange>,
    health: Arc<Health>,
    accept: tokio::task::JoinHandle<()>,
}

/// What it says of itself at `GET /health`, which it answers by itself.
#[derive(Debug, Default)]
struct Health {
    busy: AtomicBool,
    asked: AtomicU32,
}

/// One request and the hand that answers it. Dropping it breaks the connection off.
#[derive(Debug)]
pub struct Exchange {
    pub path: String,
    /// Header lines as they came, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Value,
    stream: TcpStream,
}

impl FakeEngine {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (sender, requests) = mpsc::unbounded_channel();
        let health = Arc::new(Health::default());
        let told = health.clone();
        let accept = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, told) = (sender.clone(), told.clone());
                tokio::spawn(async move {
                    match read_request(stream).await {
                        Some(exchange) if exchange.path == "/health" => {
                            let busy = told.busy.load(Ordering::SeqCst);
                            told.asked.fetch_add(1, Ordering::SeqCst);
                            let body = json!({"status": "ok", "busy": busy}).to_string();
                            exchange.reply(200, &body).await;
                        }
                        Some(exchange) => drop(sender.send(exchange)),
                        None => {}
                    }
                });
            }
        });
        Self {
            port,
            requests,
            health,
            accept,
        }
    }

    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The next request; panics if none comes.
    pub async fn next(&mut self) -> Exchange {
        tokio::time::timeout(PATIENCE, self.requests.recv())
            .await
            .expect("no request came in time")
            .expect("the server is gone")
    }

    /// What it says from now on when it is asked whether it works on something.
    pub fn set_busy(&self, busy: bool) {
        self.health.busy.store(busy, Ordering::SeqCst);
    }

    /// How often it was asked that.
    pub fn health_asked(&self) -> u32 {
        self.health.asked.load(Ordering::SeqCst)
    }

    /// Whether no request is waiting.
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    /// The line with which a program says that this server is ready.
    pub fn ready_line(&self, context_tokens: u32) -> Value {
        json!({
            "event": "ready", "address": format!("127.0.0.1:{}", self.port), "model": "fake", "device": "cpu",
            "dtype": "f32", "quant": "none", "context_tokens": context_tokens, "vision": true,
            "resident_bytes": 1_000_000, "load_ms": 12.5
        })
    }

    /// A program for the supervisor: reports loading and this server, and lives until its standard input closes.
    /// It writes its process id into `<folder>/pids`, its arguments into `<folder>/arguments` and its environment
    /// into `<folder>/environment`.
    pub fn program(&self, folder: &Path) -> PathBuf {
        let loading =
            json!({"event": "loading", "stage": "weights", "bytes_read": 5, "bytes_total": 10});
        let ready = self.ready_line(4096);
        program(
            folder,
            &format!("echo '{loading}'\necho '{ready}'\ncat > /dev/null\n"),
        )
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

/// A shell script in `folder` that notes its process id, arguments and environment and then runs `body`.
pub fn program(folder: &Path, body: &str) -> PathBuf {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.join("fake-engine");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o755)
        .open(&path)
        .expect("a script");
    let folder = folder.display();
    write!(
        file,
        "#!/bin/sh\necho $$ >> '{folder}/pids'\nprintf '%s\\n' \"$@\" > '{folder}/arguments'\nenv > '{folder}/environment'\n{body}"
    )
    .expect("a script");
    path
}

/// The process ids of the programs started so far.
pub fn pids(folder: &Path) -> Vec<i32> {
    std::fs::read_to_string(folder.join("pids"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect()
}

/// Sends SIGKILL, as the kernel does when memory runs out.
pub fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("a living process");
}

/// Whether the process is there and not a zombie.
pub fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .trim_start()
            .starts_with('Z')
    })
}

async fn read_request(mut stream: TcpStream) -> Option<Exchange> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut chunk = [0u8; 8192];
        let count = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = bytes.split_off(head + 4);
    while body.len() < length {
        let mut chunk = vec![0u8; 1 << 16];
        let count = stream
            .read(&mut chunk)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        body.extend_from_slice(&chunk[..count]);
    }
    Some(Exchange {
        path,
        headers,
        body: match length {
            0 => Value::Null,
            _ => serde_json::from_slice(&body).ok()?,
        },
        stream,
    })
}

impl Exchange {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Answers with a status and a JSON body, and ends.
    pub async fn reply(mut self, status: u16, body: &str) {
        let head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        self.write(head.as_bytes()).await;
    }

    /// Begins a stream of events.
    pub async fn begin(&mut self) {
        self.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        )
        .await;
    }

    /// Sends bytes as one network chunk.
    pub async fn raw(&mut self, bytes: &[u8]) {
        self.write(format!("{:x}\r\n", bytes.len()).as_bytes())
            .await;
        self.write(bytes).await;
        self.write(b"\r\n").await;
    }

    pub async fn event(&mut self, event: &Value) {
        self.raw(format!("data: {event}\n\n").as_bytes()).await;
    }

    pub async fn text(&mut self, text: &str) {
        self.event(&json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
            .await;
    }

    /// Ends the answer well; `paddock` is the last chunk's own part.
    pub async fn finish(mut self, reason: &str, usage: (u32, u32), paddock: &Value) {
        self.event(&json!({
            "choices": [{"index": 0, "delta": {}, "finish_reason": reason}],
            "usage": {"prompt_tokens": usage.0, "completion_tokens": usage.1, "total_tokens": usage.0 + usage.1},
            "paddock": paddock
        }))
        .await;
        self.raw(b"data: [DONE]\n\n").await;
        self.write(b"0\r\n\r\n").await;
    }

    /// Waits until the client closes the connection; panics if it does not.
    pub async fn closed(mut self) {
        let mut byte = [0u8; 1];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut byte))
            .await
            .expect("still open");
        assert!(matches!(read, Ok(0) | Err(_)), "the client sent more");
    }

    async fn write(&mut self, bytes: &[u8]) {
        // A client that went away is part of some tests.
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }
}
