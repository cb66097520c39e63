//! What somebody who helps needs to know of this computer and this Paddock, as text or as JSON, without what is private.
//!
//! Outside: what the sections hold.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::redact::Redactor;

/// Prefixes of variables that change what Paddock does.
const PREFIXES: &[&str] = &[
    "PADDOCK_",
    "HF_",
    "CUDA_",
    "XDG_SESSION",
    "XDG_CURRENT",
    "WEBKIT_",
    "GDK_",
    "LC_",
    "LANG",
    "WAYLAND_DISPLAY",
    "DISPLAY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
];
/// Of these the value is said, too: it names no file and no person.
const HARMLESS: &[&str] = &[
    "PADDOCK_LOG",
    "PADDOCK_LOG_CONTENT",
    "CUDA_VISIBLE_DEVICES",
    "XDG_SESSION_TYPE",
    "XDG_CURRENT_DESKTOP",
    "LANG",
    "LC_ALL",
    "GDK_BACKEND",
    "WEBKIT_DISABLE_DMABUF_RENDERER",
    "WEBKIT_DISABLE_COMPOSITING_MODE",
];

/// Sections with titles, in the order in which they were added; then the log.
#[derive(Debug)]
pub struct Report {
    redactor: Redactor,
    sections: Vec<(&'static str, Value)>,
    log: Vec<String>,
}

impl Report {
    #[must_use]
    pub fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            sections: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Adds a section; what is private in it does not stay.
    #[must_use]
    pub fn section(mut self, title: &'static str, value: Value) -> Self {
        self.sections.push((title, self.redactor.value(value)));
        self
    }

    /// Adds lines of the log. They are redacted once more: the rules may have become better since they were written.
    #[must_use]
    pub fn log(mut self, lines: Vec<String>) -> Self {
        self.log = lines
            .iter()
            .map(|line| self.redactor.text(line).into_owned())
            .collect();
        self
    }

    /// One object, a field for each section, and `log`, a list of lines.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut object: Map<String, Value> = self
            .sections
            .iter()
            .map(|(title, value)| ((*title).to_owned(), value.clone()))
            .collect();
        object.insert("log".to_owned(), json!(self.log));
        Value::Object(object)
    }

    /// For people: titles, indented fields, then the log.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (title, value) in &self.sections {
            // Writing to a string cannot fail, here and below.
            let _ = writeln!(text, "== {title}");
            write_value(&mut text, value, 0);
            text.push('\n');
        }
        let _ = writeln!(text, "== log, the last {} lines", self.log.len());
        for line in &self.log {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

fn write_value(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if matches!(value, Value::Object(_) | Value::Array(_)) {
                    let _ = writeln!(text, "{indent}{name}:");
                    write_value(text, value, depth + 1);
                } else {
                    let _ = writeln!(text, "{indent}{name}: {}", plain(value));
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                if matches!(value, Value::Object(_) | Value::Array(_)) {
                    let _ = writeln!(text, "{indent}-");
                    write_value(text, value, depth + 1);
                } else {
                    let _ = writeln!(text, "{indent}- {}", plain(value));
                }
            }
        }
        value => {
            let _ = writeln!(text, "{indent}{}", plain(value));
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.replace('\n', "\\n"),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

/// The operating system.
#[must_use]
pub fn system() -> Value {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| name.trim_matches('"').to_owned());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .ok()
        .map(|text| text.trim().to_owned());
    json!({
        "os": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "name": name,
        "kernel": kernel,
    })
}

/// The variables that change what Paddock does: of most only that they are set.
#[must_use]
pub fn named_variables(all: impl IntoIterator<Item = (String, String)>) -> Value {
    let mut found: Vec<(String, String)> = all
        .into_iter()
        .filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .collect();
    found.sort();
    let fields = found.into_iter().map(|(name, value)| {
        let said = if HARMLESS.contains(&name.as_str()) {
            value
        } else {
            "(set)".to_owned()
        };
        (name, Value::String(said))
    });
    Value::Object(fields.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRETS: &[&str] = &[
        "hf_verysecret1",
        "s3cr3tbearer",
        "hunter2",
        "annabell",
        "annas-laptop",
        "anna@mail.example",
        "kiss",
        "doctor",
    ];

    #[test]
    fn secrets_in_every_input_come_out_of_none() {
        let users = ["annabell".to_owned()];
        let redactor = Redactor::new(Some("/home/annabell"), &users, "annas-laptop", false);
        let words =
            "what my doctor told me on Tuesday about the results of the test, with all details";
        let variables = [
            ("PADDOCK_DATA_DIR", "/home/annabell/data"),
            ("HF_TOKEN", "hf_verysecret1"),
            ("HF_ENDPOINT", "https://anna:hunter2@mirror.example"),
            ("XDG_SESSION_TYPE", "wayland"),
            ("UNRELATED", "hunter2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let report = Report::new(redactor)
            .section("system", system())
            .section("variables", named_variables(variables))
            .section(
                "settings",
                json!({
                    "hubEndpoint": "https://anna:hunter2@mirror.example/hf?token=hf_verysecret1",
                    "modelId": "local:/home/annabell/models/hf_verysecret1/model.gguf",
                    "remembered": { "local:/home/annabell/x": { "quant": "none" } },
                }),
            )
            .section(
                "model",
                json!({ "path": "/media/annabell/annas-laptop/m", "by": "anna@mail.example" }),
            )
            .log(vec![
                "INFO paddock: Authorization: Bearer s3cr3tbearer".to_owned(),
                "WARN paddock: /home/annabell/Our wedding/First kiss.jpg: unreadable".to_owned(),
                format!("ERROR paddock: panic: not a char boundary of `{words}`"),
                format!("DEBUG paddock_engine: prompt \"{words}\""),
            ]);
        for form in [report.text(), report.json().to_string()] {
            for secret in SECRETS {
                assert!(!form.contains(secret), "{secret} in {form}");
            }
            for kept in [
                "mirror.example",
                "~/models/",
                "wayland",
                "(set)",
                "not a char boundary",
            ] {
                assert!(form.contains(kept), "{kept} not in {form}");
            }
            assert!(!form.contains("UNRELATED"));
        }
    }
}
