//! Paddock's own engine as an [`Engine`]: the protocol client, plus the supervisor's word on why a stream broke.
//!
//! Outside: starting and ending the process.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use crate::engine::{Engine, EventStream, GenerateRequest};
use crate::{EngineError, OpenAiClient};

/// How long a broken stream waits to learn how the process ended. The kernel needs a moment to free the memory
/// of a large one.
const OBITUARY: Duration = Duration::from_secs(5);

/// A loaded model in the engine process. Valid until the process ends. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalEngine {
    client: OpenAiClient,
    context_tokens: u32,
    vision: bool,
    ended: watch::Receiver<Option<EngineError>>,
}

impl LocalEngine {
    pub(crate) fn new(
        client: OpenAiClient,
        context_tokens: u32,
        vision: bool,
        ended: watch::Receiver<Option<EngineError>>,
    ) -> Self {
        Self {
            client,
            context_tokens,
            vision,
            ended,
        }
    }

    /// Says how the process ended, once it has.
    pub(crate) fn ended(&self) -> watch::Receiver<Option<EngineError>> {
        self.ended.clone()
    }

    /// As [`OpenAiClient::is_busy`].
    pub(crate) async fn is_busy(&self, patience: Duration) -> bool {
        self.client.is_busy(patience).await
    }

    /// Tokens of prompt and answer together.
    #[must_use]
    pub fn context_tokens(&self) -> u32 {
        self.context_tokens
    }

    /// Whether images are accepted.
    #[must_use]
    pub fn vision(&self) -> bool {
        self.vision
    }
}

impl Engine for LocalEngine {
    fn generate(&self, request: GenerateRequest) -> EventStream {
        let events = self.client.generate(request);
        let ended = self.ended.clone();
        stream::unfold((events, ended), |(mut events, mut ended)| async move {
            let event = match events.next().await? {
                Err(error @ (EngineError::Died { .. } | EngineError::Unreachable { .. })) => {
                    let known =
                        tokio::time::timeout(OBITUARY, ended.wait_for(Option::is_some)).await;
                    let explained = match known {
                        Ok(Ok(end)) => end.clone(),
                        // It lives on (or nobody watches it any more).
                        _ => None,
                    };
                    Err(explained.unwrap_or(error))
                }
                event => event,
            };
            Some((event, (events, ended)))
        })
        .boxed()
    }
}
