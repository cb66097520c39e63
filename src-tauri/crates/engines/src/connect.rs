//! The way to an engine that says it is ready: its address is tried before it is believed.
//!
//! Outside: the process (the supervisor), and what is asked.

use std::net::SocketAddr;
use std::time::Duration;

use paddock_protocol::engine::Ready;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::{Endpoint, EngineError, LocalEngine, OpenAiClient};

/// How long an engine that says it is ready may take to accept a connection.
const REACHING: Duration = Duration::from_secs(5);

/// Whether something accepts connections at `address`, and only this computer can reach it.
pub async fn reach(address: &str) -> Result<(), String> {
    let address: SocketAddr = address
        .parse()
        .map_err(|_| format!("it names no address, but {address:?}"))?;
    if !address.ip().is_loopback() {
        return Err(format!("{address} is not an address of this computer"));
    }
    match tokio::time::timeout(REACHING, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it does not accept connections".into()),
    }
}

/// A client for it; `ended` says how its process ended.
pub fn connect(
    token: &str,
    ready: &Ready,
    ended: watch::Receiver<Option<EngineError>>,
) -> Result<LocalEngine, EngineError> {
    let client = OpenAiClient::new(Endpoint {
        base_url: format!("http://{}/v1", ready.address),
        bearer: Some(token.to_owned()),
        model: ready.model.clone(),
        place: "The engine".into(),
    })?;
    Ok(LocalEngine::new(
        client,
        ready.context_tokens,
        ready.vision,
        ended,
    ))
}

/// 32 random bytes as hexadecimal digits.
pub fn random_token() -> Result<String, EngineError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| EngineError::NotStarted {
        detail: format!("no random numbers: {e}"),
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
