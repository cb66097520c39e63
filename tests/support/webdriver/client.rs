//! A WebDriver client for WebKitWebDriver: sessions, elements, script and screenshots. Not a general one: only what the
//! window tests use of <https://www.w3.org/TR/webdriver2/>.

use base64::Engine as _;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// The key under which WebDriver answers with an element (W3C WebDriver, section 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// No request may take longer, or a page that hangs would hang the test.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// What the driver answered instead of a value: its error code and sentence, or why there was no answer.
#[derive(Debug, Clone)]
pub struct DriverError(pub String);

impl std::fmt::Display for DriverError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An element of the page, as the driver names it.
#[derive(Debug, Clone)]
pub struct Element(String);

/// One open window under the driver's control.
#[derive(Debug)]
pub struct Session {
    agent: ureq::Agent,
    base: String,
}

impl Session {
    /// Opens the program `binary` and takes control of its window.
    ///
    /// # Errors
    /// The driver's own words if the program did not open a window in time.
    pub fn open(port: u16, binary: &Path) -> Result<Self, DriverError> {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(REQUEST_LIMIT))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .new_agent();
        let root = format!("http://127.0.0.1:{port}");
        let options = json!({ "binary": binary, "args": [] });
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "webkitgtk:browserOptions": options } } });
        let answer = post(&agent, &format!("{root}/session"), &wanted)?;
        let id = answer["sessionId"]
            .as_str()
            .ok_or_else(|| DriverError(format!("no session in {answer}")))?;
        Ok(Self {
            base: format!("{root}/session/{id}"),
            agent,
        })
    }

    /// Runs `script` as the body of a function in the page and returns what it returns.
    ///
    /// # Errors
    /// The exception, or the driver's error.
    pub fn script(&self, script: &str, arguments: Value) -> Result<Value, DriverError> {
        post(
            &self.agent,
            &format!("{}/execute/sync", self.base),
            &json!({ "script": script, "args": arguments }),
        )
    }

    /// The elements that match a CSS selector, in document order.
    ///
    /// # Errors
    /// The driver's error; no match is an empty list.
    pub fn find_all(&self, css: &str) -> Result<Vec<Element>, DriverError> {
        let query = json!({ "using": "css selector", "value": css });
        let answer = post(&self.agent, &format!("{}/elements", self.base), &query)?;
        let found = answer.as_array().into_iter().flatten();
        Ok(found
            .filter_map(|element| element[ELEMENT].as_str())
            .map(|id| Element(id.to_owned()))
            .collect())
    }

    /// Clicks in the middle of the element, which must be visible and not covered.
    ///
    /// # Errors
    /// The driver's error.
    pub fn click(&self, element: &Element) -> Result<(), DriverError> {
        self.on(element, "click", &json!({})).map(drop)
    }

    /// Types into the element.
    ///
    /// # Errors
    /// The driver's error.
    pub fn send_keys(&self, element: &Element, text: &str) -> Result<(), DriverError> {
        self.on(element, "value", &json!({ "text": text }))
            .map(drop)
    }

    /// A picture of the page as PNG.
    ///
    /// # Errors
    /// The driver's error.
    pub fn screenshot(&self) -> Result<Vec<u8>, DriverError> {
        let answer = read(self.agent.get(format!("{}/screenshot", self.base)).call())?;
        let text = answer
            .as_str()
            .ok_or_else(|| DriverError("the screenshot is no text".to_owned()))?;
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|error| DriverError(error.to_string()))
    }

    /// Closes the window and lets the program end by itself.
    ///
    /// # Errors
    /// The driver's error.
    pub fn close(&self) -> Result<(), DriverError> {
        read(self.agent.delete(&self.base).call()).map(drop)
    }

    fn on(&self, element: &Element, action: &str, body: &Value) -> Result<Value, DriverError> {
        post(
            &self.agent,
            &format!("{}/element/{}/{action}", self.base, element.0),
            body,
        )
    }
}

fn post(agent: &ureq::Agent, url: &str, body: &Value) -> Result<Value, DriverError> {
    read(agent.post(url).send_json(body))
}

fn read(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value, DriverError> {
    let mut response = answer.map_err(|error| DriverError(error.to_string()))?;
    // A full-window screenshot is larger than the client's default limit of 10 MB only on huge displays.
    let mut body: Value = response
        .body_mut()
        .read_json()
        .map_err(|error| DriverError(error.to_string()))?;
    let value = body["value"].take();
    if response.status().is_success() {
        return Ok(value);
    }
    Err(DriverError(format!(
        "{}: {}",
        value["error"].as_str().unwrap_or("error"),
        value["message"].as_str().unwrap_or("")
    )))
}
