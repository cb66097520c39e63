//! The Hub's protocol on this computer: a real HTTP server with search, repository facts, a file list in pages, and files
//! behind redirects to a second server with signed links that expire. It misbehaves when a test tells it to.
//!
//! Outside: any thought of its own about clients. It notes every request and every byte of content that it sends.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub use crate::hub_repo::Repo;
use crate::hub_repo::{git_hash, sha256};

/// The commit of every repository here.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Files of a page of the file list: few, so that lists have several pages.
const PAGE: usize = 3;
/// Larger files are kept and served as the Hub keeps large files: with a SHA-256, on the other server.
const LARGE_BYTES: usize = 4096;

/// One way to misbehave, for the content of one file.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Sends so many bytes of what was asked for, then closes.
    DropAfter(usize),
    /// Sends so many bytes, then nothing, with the connection open.
    StallAfter(usize),
    /// One byte of the file is another one; lasts until requests for that byte have come.
    WrongByte(usize),
    /// Answers with a status and headers instead.
    Status(u16, Vec<(&'static str, String)>),
    /// Says that the file has another length.
    WrongTotal(u64),
}

/// What a request asked for.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `hub` or `cdn`.
    pub server: &'static str,
    /// As it was sent: absolute for a proxy.
    pub target: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    repos: Vec<Repo>,
    /// By path: faults that are used up one by one, and how many requests each of them lasts.
    faults: HashMap<String, Vec<(Fault, u32)>>,
    api_faults: Vec<(u16, Vec<(&'static str, String)>)>,
    seen: Vec<Seen>,
    /// Checksums (SHA-256, git) by repository and path: made once, as the Hub does.
    sums: HashMap<(String, String), (String, String)>,
    /// Bytes of content sent, by path.
    sent: HashMap<String, u64>,
    /// Signatures made so far; those below `valid_from` have expired.
    signatures: u64,
    valid_from: u64,
    /// Requests that a link lasts.
    link_uses: HashMap<u64, u32>,
    link_lasts: Option<u32>,
    ignores_ranges: bool,
    gates_open: bool,
    without_hashes: bool,
    /// Before every piece of content.
    pace: Option<(usize, Duration)>,
}

/// The two servers.
#[derive(Debug, Clone)]
pub struct HubServer {
    hub: SocketAddr,
    cdn: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct Request {
    target: String,
    /// Scheme and host, if the target has them.
    origin: Option<String>,
    path: String,
    query: String,
    headers: HashMap<String, String>,
}

impl HubServer {
    /// # Panics
    /// If this computer has no free port.
    pub async fn start(repos: Vec<Repo>) -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        // Another address where the system has one (Linux), so that it is another host, not only another port.
        let cdn = match TcpListener::bind("127.0.0.2:0").await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("127.0.0.1:0").await.expect("a free port"),
        };
        let sums = repos
            .iter()
            .flat_map(|repo| repo.files.iter().map(move |file| (repo, file)))
            .map(|(repo, (path, content))| {
                let sums = (sha256(content), git_hash(content));
                ((repo.name.clone(), path.clone()), sums)
            })
            .collect();
        let server = Self {
            hub: hub.local_addr().expect("an address"),
            cdn: cdn.local_addr().expect("an address"),
            state: Arc::new(Mutex::new(State {
                repos,
                sums,
                ..State::default()
            })),
        };
        server.clone().listen("hub", hub);
        server.clone().listen("cdn", cdn);
        server
    }

    fn listen(self, name: &'static str, listener: TcpListener) {
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = self.clone();
                tokio::spawn(async move {
                    // A client that went away is no concern of the server.
                    let _ = server.serve(name, stream).await;
                });
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.hub)
    }

    /// The next `times` requests for the content of `path` go wrong, after the faults told before.
    pub fn fault(&self, path: &str, fault: Fault, times: u32) {
        let mut state = self.state();
        let faults = state.faults.entry(path.to_owned()).or_default();
        faults.push((fault, times));
    }

    /// The next request to the API is answered with this.
    pub fn api_fault(&self, status: u16, headers: Vec<(&'static str, String)>) {
        self.state().api_faults.push((status, headers));
    }

    /// Links made so far do not work any more.
    pub fn expire_links(&self) {
        let mut state = self.state();
        state.valid_from = state.signatures;
    }

    /// Every link works for so many requests.
    pub fn links_last(&self, requests: u32) {
        self.state().link_lasts = Some(requests);
    }

    pub fn ignore_ranges(&self) {
        self.state().ignores_ranges = true;
    }

    /// Gated repositories may be read by everybody.
    pub fn open_gates(&self) {
        self.state().gates_open = true;
    }

    pub fn hide_hashes(&self) {
        self.state().without_hashes = true;
    }

    /// So many bytes, then a pause, again and again.
    pub fn pace(&self, bytes: usize, pause: Duration) {
        self.state().pace = Some((bytes, pause));
    }

    pub fn full_speed(&self) {
        self.state().pace = None;
    }

    /// Everything that was asked so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// Bytes of content sent so far, of all files or of one.
    #[must_use]
    pub fn sent(&self, path: Option<&str>) -> u64 {
        let state = self.state();
        match path {
            Some(path) => state.sent.get(path).copied().unwrap_or(0),
            None => state.sent.values().sum(),
        }
    }

    async fn serve(&self, name: &'static str, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream).await? {
            self.state().seen.push(Seen {
                server: name,
                target: request.target.clone(),
                authorization: request.headers.get("authorization").cloned(),
                range: request.headers.get("range").cloned(),
            });
            let stream = stream.get_mut();
            let open = if name == "cdn" {
                self.cdn(stream, &request).await?
            } else if request.path.starts_with("/api/") {
                self.api(stream, &request).await?
            } else {
                self.resolve(stream, &request).await?
            };
            if !open {
                break;
            }
        }
        Ok(())
    }

    fn sums(&self, repo: &str, path: &str) -> (String, String) {
        let key = (repo.to_owned(), path.to_owned());
        self.state().sums.get(&key).cloned().unwrap_or_default()
    }

    /// The repository whose name a path begins with, and what follows.
    fn repo(&self, path: &str) -> Option<(Repo, String)> {
        let state = self.state();
        state.repos.iter().find_map(|repo| {
            let rest = path.strip_prefix(&repo.name)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| (repo.clone(), rest.to_owned()))
        })
    }

    async fn api(&self, stream: &mut TcpStream, request: &Request) -> std::io::Result<bool> {
        let fault = {
            let mut state = self.state();
            (!state.api_faults.is_empty()).then(|| state.api_faults.remove(0))
        };
        if let Some((status, headers)) = fault {
            return answer(stream, status, &headers, b"{}").await;
        }
        let Some(rest) = request.path.strip_prefix("/api/models") else {
            return answer(stream, 404, &[], b"{}").await;
        };
        let Some(rest) = rest.strip_prefix('/').filter(|rest| !rest.is_empty()) else {
            return json_answer(stream, &self.search(&request.query), &[]).await;
        };
        let Some((repo, rest)) = self.repo(rest) else {
            let code = vec![("X-Error-Code", "RepoNotFound".to_owned())];
            return answer(stream, 401, &code, b"{}").await;
        };
        if let Some(moved) = &repo.moved_to {
            let to = vec![("Location", format!("/api/models/{moved}{rest}"))];
            return answer(stream, 307, &to, b"").await;
        }
        if rest.starts_with("/revision/") {
            let facts = json!({
                "id": repo.name, "sha": COMMIT,
                "gated": repo.gated.map_or(json!(false), |gate| json!(gate)),
                "tags": ["transformers", format!("license:{}", repo.licence.as_deref().unwrap_or("mit"))],
            });
            return json_answer(stream, &facts, &[]).await;
        }
        if rest == format!("/tree/{COMMIT}") {
            return self.tree(stream, &repo, request).await;
        }
        answer(
            stream,
            404,
            &[("X-Error-Code", "RevisionNotFound".into())],
            b"{}",
        )
        .await
    }

    fn search(&self, query: &str) -> Value {
        let wanted = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("search="))
            .unwrap_or_default()
            .to_lowercase();
        let state = self.state();
        state
            .repos
            .iter()
            .filter(|repo| repo.name.to_lowercase().contains(&wanted))
            .map(|repo| {
                json!({
                    "id": repo.name, "downloads": 1000, "likes": 7, "pipeline_tag": "image-text-to-text",
                    "gated": repo.gated.map_or(json!(false), |gate| json!(gate)),
                })
            })
            .collect()
    }

    async fn tree(
        &self,
        stream: &mut TcpStream,
        repo: &Repo,
        request: &Request,
    ) -> std::io::Result<bool> {
        let from: usize = request
            .query
            .split('&')
            .find_map(|pair| pair.strip_prefix("cursor="))
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let hashes = !self.state().without_hashes;
        let mut entries: Vec<Value> = vec![];
        if from == 0 {
            entries.push(
                json!({"type": "directory", "path": "original", "size": 0, "oid": "0".repeat(40)}),
            );
        }
        for (path, content) in repo.files.iter().skip(from).take(PAGE) {
            let mut entry = json!({"type": "file", "path": path, "size": content.len()});
            if hashes {
                let (sha256, git) = self.sums(&repo.name, path);
                entry["oid"] = json!(git);
                if content.len() > LARGE_BYTES {
                    entry["lfs"] =
                        json!({"oid": sha256, "size": content.len(), "pointerSize": 134});
                }
            }
            entries.push(entry);
        }
        let mut headers = vec![];
        if from + PAGE < repo.files.len() {
            let origin = request.origin.clone().unwrap_or_else(|| self.endpoint());
            let (path, cursor) = (&request.path, from + PAGE);
            let next = format!("<{origin}{path}?recursive=true&cursor={cursor}>; rel=\"next\"");
            headers.push(("Link", next));
        }
        json_answer(stream, &Value::Array(entries), &headers).await
    }

    async fn resolve(&self, stream: &mut TcpStream, request: &Request) -> std::io::Result<bool> {
        let path = request.path.trim_start_matches('/');
        let refuse = |code: &str| vec![("X-Error-Code", code.to_owned())];
        let Some((repo, rest)) = self.repo(path) else {
            return answer(stream, 404, &refuse("RepoNotFound"), b"").await;
        };
        if let Some(moved) = &repo.moved_to {
            let to = vec![("Location", format!("/{moved}{rest}"))];
            return answer(stream, 307, &to, b"").await;
        }
        let bearer = repo.token.as_ref().map(|token| format!("Bearer {token}"));
        let closed = repo.gated.is_some() && !self.state().gates_open;
        if closed && request.headers.get("authorization") != bearer.as_ref() {
            return answer(stream, 403, &refuse("GatedRepo"), b"").await;
        }
        let Some(file) = rest.strip_prefix(&format!("/resolve/{COMMIT}/")) else {
            return answer(stream, 404, &refuse("RevisionNotFound"), b"").await;
        };
        let Some((file, content)) = repo.files.iter().find(|(path, _)| path == file) else {
            return answer(stream, 404, &refuse("EntryNotFound"), b"").await;
        };
        if content.len() <= LARGE_BYTES {
            return self.content(stream, request, file, content).await;
        }
        let signature = {
            let mut state = self.state();
            state.signatures += 1;
            state.signatures - 1
        };
        let headers = vec![
            (
                "Location",
                format!(
                    "http://{}/{}/{file}?Signature={signature}",
                    self.cdn, repo.name
                ),
            ),
            ("X-Repo-Commit", COMMIT.to_owned()),
            ("X-Linked-Size", content.len().to_string()),
            (
                "X-Linked-Etag",
                format!("\"{}\"", self.sums(&repo.name, file).0),
            ),
        ];
        answer(stream, 302, &headers, b"Found. Redirecting").await
    }

    async fn cdn(&self, stream: &mut TcpStream, request: &Request) -> std::io::Result<bool> {
        let signature: Option<u64> = request
            .query
            .strip_prefix("Signature=")
            .and_then(|text| text.parse().ok());
        let valid = {
            let mut state = self.state();
            signature.is_some_and(|signature| {
                let used = state.link_uses.entry(signature).or_default();
                *used += 1;
                let used = *used;
                signature >= state.valid_from && state.link_lasts.is_none_or(|most| used <= most)
            })
        };
        let path = request.path.trim_start_matches('/');
        let found = self.repo(path).and_then(|(repo, rest)| {
            let rest = rest.trim_start_matches('/').to_owned();
            repo.files.into_iter().find(|(path, _)| *path == rest)
        });
        match found {
            Some((file, content)) if valid => self.content(stream, request, &file, &content).await,
            _ => answer(stream, 403, &[], b"<Error>Request has expired</Error>").await,
        }
    }

    /// The content of a file, as well as the faults let it.
    async fn content(
        &self,
        stream: &mut TcpStream,
        request: &Request,
        path: &str,
        content: &Arc<Vec<u8>>,
    ) -> std::io::Result<bool> {
        let asked = request
            .headers
            .get("range")
            .and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
            .and_then(|(from, to)| Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?)));
        let (fault, ignores_ranges, pace) = {
            let mut state = self.state();
            let whole = state.ignores_ranges;
            let fault = state.faults.get_mut(path).and_then(|faults| {
                let (fault, times) = faults.first_mut()?;
                let fault = fault.clone();
                if let (Fault::WrongByte(at), Some((from, last)), false) = (&fault, asked, whole)
                    && !(from..=last).contains(at)
                {
                    return None;
                }
                *times -= 1;
                if *times == 0 {
                    faults.remove(0);
                }
                Some(fault)
            });
            (fault, state.ignores_ranges, state.pace)
        };
        if let Some(Fault::Status(status, headers)) = &fault {
            return answer(stream, *status, headers, b"").await;
        }
        let total = match fault {
            Some(Fault::WrongTotal(total)) => total,
            _ => content.len() as u64,
        };
        let range = asked.filter(|_| !ignores_ranges);
        let (from, to) = match range {
            Some((from, _)) if from >= content.len() => {
                let headers = [("Content-Range", format!("bytes */{total}"))];
                return answer(stream, 416, &headers, b"").await;
            }
            Some((from, last)) => (from, (last + 1).min(content.len())),
            None => (0, content.len()),
        };
        let mut head = match range {
            Some(_) => format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{total}\r\n",
                to - 1
            ),
            None => "HTTP/1.1 200 OK\r\n".to_owned(),
        };
        let length = if range.is_none() && total != content.len() as u64 {
            total
        } else {
            (to - from) as u64
        };
        head.push_str(&format!("Content-Length: {length}\r\n\r\n"));
        stream.write_all(head.as_bytes()).await?;
        let mut body = std::borrow::Cow::Borrowed(&content[from..to]);
        if let Some(Fault::WrongByte(at)) = fault
            && (from..to).contains(&at)
        {
            body.to_mut()[at - from] ^= 0xff;
        }
        let stop = match fault {
            Some(Fault::DropAfter(bytes) | Fault::StallAfter(bytes)) => bytes.min(body.len()),
            _ => body.len(),
        };
        let step = pace.map_or(256 << 10, |(bytes, _)| bytes);
        for piece in body[..stop].chunks(step) {
            stream.write_all(piece).await?;
            *self.state().sent.entry(path.to_owned()).or_default() += piece.len() as u64;
            if let Some((_, pause)) = pace {
                tokio::time::sleep(pause).await;
            }
        }
        match fault {
            Some(Fault::StallAfter(_)) => {
                stream.flush().await?;
                std::future::pending().await
            }
            Some(Fault::DropAfter(_)) => Ok(false),
            _ => Ok(true),
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? <= 2 {
            break;
        }
        if let Some((name, value)) = line.trim_end().split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }
    // A proxy is asked with a whole address.
    let slash = target
        .strip_prefix("http://")
        .and_then(|rest| rest.find('/'))
        .map_or(0, |at| at + "http://".len());
    let (origin, local) = target.split_at(slash);
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    Ok(Some(Request {
        path: path.replace("%20", " "),
        query: query.to_owned(),
        headers,
        origin: (slash > 0).then(|| origin.to_owned()),
        target: target.clone(),
    }))
}

async fn answer(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&'static str, String)],
    body: &[u8],
) -> std::io::Result<bool> {
    let mut head = format!("HTTP/1.1 {status} -\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    Ok(true)
}

async fn json_answer(
    stream: &mut TcpStream,
    body: &Value,
    headers: &[(&'static str, String)],
) -> std::io::Result<bool> {
    answer(stream, 200, headers, body.to_string().as_bytes()).await
}
