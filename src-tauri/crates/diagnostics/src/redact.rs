//! Taking out of a text what is nobody else's business: where the home folder is and whose, the computer's name, secrets,
//! addresses, names of pictures, and long quotations, which may be from a conversation.
//!
//! Outside: deciding what is written. Conversations are never handed to the log; this is the second fence, not the first.

use std::borrow::Cow;
use std::path::Path;

use regex::{Captures, Regex};

/// Endings of files that hold a picture.
const PICTURES: &str = "png|apng|jpe?g|jfif|webp|gif|tiff?|bmp|avif|hei[cf]|svgz?|pdf";

/// Secrets by their form, wherever they stand.
const SECRETS: &[&str] = &[
    // Hugging Face, GitHub, OpenAI and its like, Slack, AWS, Google.
    r"\b(?:hf|api_org)_[A-Za-z0-9]{4,}",
    r"\b(?:gh[pousr]|github_pat|glpat)[_-][A-Za-z0-9_-]{8,}",
    r"\bsk-[A-Za-z0-9_-]{8,}",
    r"\bxox[a-z]-[A-Za-z0-9-]{8,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}",
    r"\bAIza[A-Za-z0-9_-]{20,}",
    // A JSON web token.
    r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_.-]+",
    // A digest of a picture, or the engine's bearer token.
    r"\b[0-9a-f]{64}\b",
];

/// Longest quotation that stays, in characters: a name or a number, not a sentence of somebody's.
const LONGEST_QUOTATION: usize = 60;

/// What is put in the place of something taken out.
const GONE: &str = "…";

#[derive(Debug)]
struct Rule {
    find: Regex,
    put: Put,
}

#[derive(Debug, Clone, Copy)]
enum Put {
    /// The whole is replaced.
    Words(&'static str),
    /// The first group stays, the rest goes.
    AfterFirst,
    /// The first group and the last stay.
    Between,
}

/// Knows what is private on this computer.
#[derive(Debug)]
pub struct Redactor {
    rules: Vec<Rule>,
}

impl Redactor {
    /// For the user who is logged in. `keep_content`: names of pictures and long quotations stay.
    #[must_use]
    pub fn of_this_computer(keep_content: bool) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let home = variable("HOME").or_else(|| variable("USERPROFILE"));
        let users = ["USER", "LOGNAME", "USERNAME"];
        let users: Vec<String> = users.into_iter().filter_map(variable).collect();
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        Self::new(home.as_deref(), &users, &host, keep_content)
    }

    /// `users`: names of the user; the last folder of `home` is one, too.
    #[must_use]
    pub fn new(home: Option<&str>, users: &[String], host: &str, keep_content: bool) -> Self {
        let mut rules = Vec::new();
        let mut rule = |pattern: &str, put: Put| {
            // The patterns are ours and the names are escaped: only a fault of this file could end here, and it must not be
            // silent, for then secrets would stay.
            let find = Regex::new(pattern).expect("a pattern of ours");
            rules.push(Rule { find, put });
        };
        // Before anything else is replaced in them.
        for pattern in SECRETS {
            rule(pattern, Put::Words("<secret>"));
        }
        rule(r"(?i)(\b(?:bearer|basic)\s+)[^\s\x22',]+", Put::AfterFirst);
        rule(
            r"(?i)(\b[a-z0-9_-]*(?:token|secret|passw(?:or)?d|passwd|pass|api[_-]?key|access[_-]?key|private[_-]?key|pat|authorization|credential|signature)[\x22']?\s*[=:]\s*)(?:[\x22'][^\x22'\n]*[\x22']?|[^\s,;&\x22']+)",
            Put::AfterFirst,
        );
        // https://user:password@host, and what signed addresses carry behind the question mark.
        rule(r"(://)[^\s/@\x22']+(@)", Put::Between);
        rule(r"(https?://[^\s?\x22'>)]+\?)[^\s\x22'>)]+", Put::AfterFirst);
        rule(
            r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
            Put::Words("<e-mail>"),
        );
        if !keep_content {
            // With its folders, and with the words before it: a name may have spaces.
            let picture = format!(r"(?i)[^\n\x22'`=:(),;<>|]*\.(?:{PICTURES})\b");
            rule(&picture, Put::Words(" <picture>"));
            let long = LONGEST_QUOTATION + 1;
            for quote in ["`", "\\x22"] {
                rule(
                    &format!("({quote})[^{quote}\\n]{{{long},}}({quote}|$)"),
                    Put::Between,
                );
            }
        }
        let home = home
            .map(|home| home.trim_end_matches(['/', '\\']))
            .filter(|home| !home.is_empty());
        if let Some(home) = home {
            rule(&bounded(home), Put::Words("~"));
        }
        let last = home
            .and_then(|home| Path::new(home).file_name())
            .map(|name| name.to_string_lossy().into_owned());
        let short = host.split('.').next().unwrap_or_default();
        let names = users
            .iter()
            .cloned()
            .chain(last)
            .map(|name| (name, "<user>"));
        let hosts = [host, short].map(|name| (name.to_owned(), "<host>"));
        for (name, words) in names.chain(hosts) {
            if name.chars().count() > 1 && name != "localhost" {
                rule(&bounded(&name), Put::Words(words));
            }
        }
        Self { rules }
    }

    /// The text without what is private. Lines stay lines.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for rule in &self.rules {
            let replaced = rule.find.replace_all(&text, |found: &Captures| {
                let group = |number| found.get(number).map_or("", |group| group.as_str());
                match rule.put {
                    Put::Words(words) => words.to_owned(),
                    Put::AfterFirst => format!("{}{GONE}", group(1)),
                    Put::Between => format!("{}{GONE}{}", group(1), group(2)),
                }
            });
            if let Cow::Owned(replaced) = replaced {
                text = Cow::Owned(replaced);
            }
        }
        text
    }

    /// A value with every text in it, names of fields included, as by [`Self::text`].
    #[must_use]
    pub fn value(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) => Value::String(self.text(&text).into_owned()),
            Value::Array(values) => values.into_iter().map(|value| self.value(value)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| {
                    let secret =
                        value.is_string() && self.text(&format!("{name}=x")).ends_with(GONE);
                    let value = if secret {
                        Value::String(GONE.to_owned())
                    } else {
                        self.value(value)
                    };
                    (self.text(&name).into_owned(), value)
                })
                .collect(),
            other => other,
        }
    }
}

/// A name where it is a whole word: `ann` is not in `planned`.
fn bounded(name: &str) -> String {
    let escaped = regex::escape(name);
    let edge = |character: Option<char>| {
        if character.is_some_and(|character| character.is_alphanumeric() || character == '_') {
            r"\b"
        } else {
            ""
        }
    };
    let (first, last) = (name.chars().next(), name.chars().last());
    // Windows does not tell large letters from small ones, and programs spell a host's name either way.
    format!("(?i){}{escaped}{}", edge(first), edge(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(keep_content: bool) -> Redactor {
        let users = ["annabell".to_owned()];
        Redactor::new(
            Some("/home/annabell"),
            &users,
            "annas-laptop.lan",
            keep_content,
        )
    }

    #[test]
    fn secrets_in_every_form_go() {
        let redactor = redactor(false);
        for (text, secret) in [
            ("HF_TOKEN=hf_abcdefghijk", "abcdefghijk"),
            ("the token hf_abcDEF123456 was refused", "abcDEF"),
            ("Authorization: Bearer abc.def-ghi", "abc.def"),
            (r#"{"api_key": "s3cr3t value", "x": 1}"#, "s3cr3t"),
            ("MY_PASSWORD='correct horse'", "horse"),
            ("DB_PASS=hunter2", "hunter2"),
            ("GITLAB_PAT=glpat-abcdefghijkl", "abcdefghijkl"),
            ("https://anna:hunter2@mirror.example/x", "hunter2"),
            ("https://cdn.example/f?X-Amz-Signature=0123&k=1", "0123"),
            ("sk-proj-abcdefgh12345678", "abcdefgh"),
            ("eyJhbGciOiJI.eyJzdWIi.SflKxw", "SflKxw"),
            ("mail anna.b+x@mail.example.org now", "anna.b"),
            (&format!("bearer is {}", "ab12".repeat(16)), "ab12ab12"),
        ] {
            let clean = redactor.text(text);
            assert!(!clean.contains(secret), "{text} -> {clean}");
        }
    }

    #[test]
    fn who_and_where_go_and_the_rest_stays_readable() {
        let redactor = redactor(false);
        for (text, clean) in [
            (
                "the model /home/annabell/models/Llama-4 is gone",
                "the model ~/models/Llama-4 is gone",
            ),
            ("ANNAS-LAPTOP: no such file", "<host>: no such file"),
            ("/media/annabell/disk/x.gguf", "/media/<user>/disk/x.gguf"),
            (
                "loaded in 3.2 s on cuda:0, 4096 tokens",
                "loaded in 3.2 s on cuda:0, 4096 tokens",
            ),
            ("annabellina stays", "annabellina stays"),
            ("token 3 of 10; tokens: 81", "token 3 of 10; tokens: 81"),
        ] {
            assert_eq!(redactor.text(text), clean);
        }
    }

    #[test]
    fn names_of_pictures_and_quotations_go_unless_they_are_wanted() {
        let said = "byte index 3 is not a char boundary; it is inside 'ä' of `what my doctor told me on Tuesday about the results of the test`";
        for (text, secret) in [
            (
                "could not read /home/annabell/Our wedding/First kiss.JPG: gone",
                "kiss",
            ),
            ("First kiss.heic: too large", "First"),
            (said, "doctor"),
            (
                r#"prompt "what my doctor told me on Tuesday about the results of the test""#,
                "doctor",
            ),
        ] {
            let clean = redactor(false).text(text).into_owned();
            assert!(!clean.contains(secret), "{text} -> {clean}");
            let kept = redactor(true).text(text).into_owned();
            assert!(kept.contains(secret), "{text} -> {kept}");
            assert!(!kept.contains("annabell"), "{kept}");
        }
    }
}
