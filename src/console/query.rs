//! The query of a request's target.

/// Names and values, decoded.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&');
        let pairs = pairs.filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((decoded(name)?, decoded(value)?))
        });
        Self(pairs.collect())
    }

    /// The first value of this name.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let mut pairs = self.0.iter();
        let (_, value) = pairs.find(|(own, _)| own == name)?;
        Some(value.clone())
    }
}

/// A text as it was meant; none where it is damaged or no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = digits.map(|digit| char::from(digit).to_digit(16));
                let [high, low] = digits;
                u8::try_from(high? * 16 + low?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_damage_is_left_out() {
        let query = Query::of(Some("from=12&run=reports%2Fa+b%C3%A4&x=%zz&y=%f&from=13&z"));
        assert_eq!(query.get("from").as_deref(), Some("12"));
        assert_eq!(query.get("run").as_deref(), Some("reports/a bä"));
        for damaged in ["x", "y", "z", "none"] {
            assert_eq!(query.get(damaged), None, "{damaged}");
        }
        assert_eq!(Query::of(None).get("from"), None);
    }
}
