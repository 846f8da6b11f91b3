//! A header is gone or has another value.

use super::super::attribute::{Attribute, Field};
use super::super::catalogue::Fault;
use super::HttpMatch;
use crate::model::secret;

/// Removes a header of the request (upstream) or of the answer (downstream), or
/// gives it another value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpHeader {
    /// Which requests.
    pub matching: HttpMatch,
    /// The header's name.
    pub name: String,
    /// Its new value; none removes it. Added where there was no such header.
    pub value: Option<String>,
}

impl Fault for HttpHeader {
    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let value = Field::OptionalText(&mut self.value);
        vec![
            Attribute::matching(&mut self.matching),
            Attribute::new("name", Field::Text(&mut self.name), "The header's name."),
            Attribute::new(
                "value",
                value,
                "Its new value; without it, the header is removed.",
            ),
        ]
    }

    fn mistake(&self) -> Option<(&'static str, String)> {
        // RFC 9110, 5.6.2: the characters of a token.
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let name = &self.name;
        if name.is_empty() || !name.bytes().all(token) {
            let name = name.escape_debug();
            return Some(("name", format!("`{name}` is not the name of a header")));
        }
        let mut bytes = self.value.as_deref().unwrap_or_default().bytes();
        let breaks = bytes.any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f);
        breaks.then(|| ("value", "it holds a control character".to_owned()))
    }

    fn hide_secrets(&mut self) {
        if let Some(value) = &mut self.value {
            *value = secret::shown(&self.name, value).into_owned();
        }
    }

    fn matching(&self) -> Option<&HttpMatch> {
        Some(&self.matching)
    }
}
