//! A header is gone or has another value.

use serde::{Deserialize, Serialize};

use super::super::catalogue::Fault;
use super::HttpMatch;
use crate::model::secret;

/// Removes a header of the request (upstream) or of the answer (downstream), or
/// gives it another value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpHeader {
    /// Which requests.
    #[serde(rename = "match")]
    pub matching: HttpMatch,
    /// The header's name.
    pub name: String,
    /// Its new value; none removes it. Added where there was no such header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Fault for HttpHeader {
    fn mistake(&self) -> Option<String> {
        // RFC 9110, 5.6.2: the characters of a token.
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let name = &self.name;
        if name.is_empty() || !name.bytes().all(token) {
            let name = name.escape_debug();
            return Some(format!("`{name}` is not the name of a header"));
        }
        let value = self.value.as_deref().unwrap_or_default();
        let mut bytes = value.bytes();
        let breaks = bytes.any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f);
        breaks.then(|| format!("the value of `{name}` holds a control character"))
    }

    fn told(&self) -> Vec<String> {
        let value = self.value.as_ref().map(|value| format!("value {value}"));
        let name = format!("name {}", self.name);
        std::iter::once(name).chain(value).collect()
    }

    fn hide_secrets(&mut self) {
        if let Some(value) = &mut self.value {
            *value = secret::shown(&self.name, value).into_owned();
        }
        self.matching.hide_secrets();
    }

    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }
}
