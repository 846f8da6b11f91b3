//! Header fields without a dynamic table (HPACK, RFC 7541).

use httlib_huffman::DecoderSpeed;

use crate::model::FailureCause;

/// Entries of the static table that a status is named by: 8 to 14, with these values.
const STATUSES: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
const STATUS_FIRST: u64 = 8;
/// Entries of the static table.
const STATIC_ENTRIES: u64 = 61;

/// An entry of the static table (RFC 7541, appendix A); those of a request,
/// which no response has, are left out.
fn static_entry(entry: u64) -> (&'static str, &'static str) {
    let index = entry
        .checked_sub(15)
        .and_then(|index| usize::try_from(index).ok());
    let name = index.and_then(|index| STATIC_NAMES.get(index));
    match (entry, name) {
        (16, _) => ("accept-encoding", "gzip, deflate"),
        (_, Some(name)) => (name, ""),
        (_, None) => (":", ""),
    }
}

/// Names of the static table from entry 15 on.
const STATIC_NAMES: [&str; 47] = [
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "accept",
    "access-control-allow-origin",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "transfer-encoding",
    "user-agent",
    "vary",
    "via",
    "www-authenticate",
];

/// Appends a field that is in no table: a name and a value, as they are.
pub(in super::super) fn write_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.push(0);
    write_text(name, out);
    write_text(value, out);
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    write_length(text.len(), out);
    out.extend_from_slice(text);
}

/// Appends the length of a text that follows as it is.
pub(in super::super) fn write_length(length: usize, out: &mut Vec<u8>) {
    write_number(length as u64, out);
}

/// Appends a number with a prefix of seven bits, the eighth being zero (section 5.1).
fn write_number(mut number: u64, out: &mut Vec<u8>) {
    const MOST: u64 = 127;
    let byte = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
    if number < MOST {
        return out.push(byte(number));
    }
    out.push(byte(MOST));
    number -= MOST;
    while number >= 128 {
        out.push(byte(number % 128 + 128));
        number /= 128;
    }
    out.push(byte(number));
}

/// A field block that is read.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// A text of a field block.
#[derive(Debug, Clone, Copy)]
struct Text<'a> {
    huffman: bool,
    bytes: &'a [u8],
}

impl Text<'_> {
    fn decoded(&self) -> Result<Vec<u8>, FailureCause> {
        if !self.huffman {
            return Ok(self.bytes.to_vec());
        }
        let mut decoded = Vec::new();
        httlib_huffman::decode(self.bytes, &mut decoded, DecoderSpeed::FourBits)
            .map_err(|_| FailureCause::BadFields)?;
        Ok(decoded)
    }
}

/// A field's name: an entry of the static table, or a text.
enum Name<'a> {
    Entry(u64),
    Text(Text<'a>),
}

impl<'a> Fields<'a> {
    pub(super) const fn new(block: &'a [u8]) -> Self {
        Self { rest: block }
    }

    /// The status of a response: it must come before every field that is none
    /// of the protocol's own. The rest is checked for its form only.
    pub(super) fn status(mut self) -> Result<u16, FailureCause> {
        let mut status = None;
        while let Some(first) = self.rest.first() {
            let found = match first {
                // In a table, name and value.
                0x80.. => {
                    let entry = self.number(7)?;
                    if entry == 0 {
                        return Err(FailureCause::BadFields);
                    }
                    if entry > STATIC_ENTRIES {
                        return Err(FailureCause::DynamicTable);
                    }
                    let known = entry.checked_sub(STATUS_FIRST);
                    known
                        .and_then(|index| STATUSES.get(usize::try_from(index).ok()?))
                        .copied()
                }
                // The size of the table that was asked not to be used.
                0x20..0x40 => {
                    if self.number(5)? != 0 {
                        return Err(FailureCause::DynamicTable);
                    }
                    None
                }
                // With a value of its own; whether to be remembered or not.
                _ => {
                    let bits = if *first >= 0x40 { 6 } else { 4 };
                    self.literal(bits)?
                }
            };
            if let Some(found) = found
                && status.replace(found).is_some()
            {
                return Err(FailureCause::BadFields);
            }
        }
        status.ok_or(FailureCause::BadFields)
    }

    /// A field with a value of its own: the status, where it is one.
    fn literal(&mut self, bits: u32) -> Result<Option<u16>, FailureCause> {
        let entry = self.number(bits)?;
        if entry > STATIC_ENTRIES {
            return Err(FailureCause::DynamicTable);
        }
        let name = if entry == 0 {
            Name::Text(self.text()?)
        } else {
            Name::Entry(entry)
        };
        let value = self.text()?;
        let named = match name {
            Name::Entry(entry) => (STATUS_FIRST..STATUS_FIRST + 7).contains(&entry),
            // A status has seven letters, and five bytes and a bit when they are packed.
            Name::Text(name) => name.bytes.len() <= 7 && name.decoded()? == b":status",
        };
        if !named {
            return Ok(None);
        }
        let digits = value.decoded()?;
        let number = std::str::from_utf8(&digits)
            .ok()
            .filter(|text| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok());
        number.map(Some).ok_or(FailureCause::BadFields)
    }

    /// Keeps the fields that are none of the protocol's own, with their names
    /// and values decoded. Only of a block in which a status was found.
    pub(super) fn keep(mut self, fields: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), FailureCause> {
        while let Some(first) = self.rest.first() {
            let (name, value) = match first {
                0x80.. => {
                    let (name, value) = static_entry(self.number(7)?);
                    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
                }
                0x20..0x40 => {
                    self.number(5)?;
                    continue;
                }
                _ => {
                    let bits = if *first >= 0x40 { 6 } else { 4 };
                    let name = match self.number(bits)? {
                        0 => self.text()?.decoded()?,
                        entry => static_entry(entry).0.as_bytes().to_vec(),
                    };
                    (name, self.text()?.decoded()?)
                }
            };
            if !name.starts_with(b":") {
                fields.push((name, value));
            }
        }
        Ok(())
    }

    /// A number whose first bits are the lowest of the first byte (section 5.1).
    fn number(&mut self, bits: u32) -> Result<u64, FailureCause> {
        let most = (1u64 << bits) - 1;
        let mut number = u64::from(self.byte()?) & most;
        if number < most {
            return Ok(number);
        }
        for shift in (0..28).step_by(7) {
            let byte = self.byte()?;
            number += u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(FailureCause::BadFields)
    }

    fn text(&mut self) -> Result<Text<'a>, FailureCause> {
        let huffman = self.rest.first().ok_or(FailureCause::BadFields)? & 0x80 != 0;
        let length = usize::try_from(self.number(7)?).map_err(|_| FailureCause::BadFields)?;
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(FailureCause::BadFields)?;
        self.rest = rest;
        Ok(Text { huffman, bytes })
    }

    fn byte(&mut self) -> Result<u8, FailureCause> {
        let (byte, rest) = self.rest.split_first().ok_or(FailureCause::BadFields)?;
        self.rest = rest;
        Ok(*byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(block: &[u8]) -> Result<u16, FailureCause> {
        Fields::new(block).status()
    }

    #[test]
    fn a_status_is_found_however_it_is_written() {
        assert_eq!(status(&[0x88]), Ok(200));
        assert_eq!(status(&[0x20, 0x8d, 0x5c, 1, b'5']), Ok(404));
        // Literal with an indexed name, not packed and packed (RFC 7541, C.6.1: 302).
        assert_eq!(status(&[0x08, 3, b'4', b'1', b'8']), Ok(418));
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), Ok(302));
        // Literal with a name of its own, and other fields around it.
        let mut block = Vec::new();
        write_field(b":status", b"503", &mut block);
        write_field(b"x-long", &[b'x'; 300], &mut block);
        assert_eq!(status(&block), Ok(503));
    }

    #[test]
    fn fields_are_kept_by_their_names() {
        // :status 200, then etag and location by the table, and one of its own;
        // "www.example.com" is packed (RFC 7541, C.4.1).
        let packed = [
            0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
        ];
        let mut block = vec![0x88, 0x0f, 34 - 15, 2, b'v', b'7', 0x0f, 46 - 15, 0x8c];
        block.extend(packed);
        write_field(b"x-own", b"yes", &mut block);
        let mut fields = Vec::new();
        Fields::new(&block).keep(&mut fields).unwrap();
        let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        assert_eq!(
            fields,
            [
                field("etag", "v7"),
                field("location", "www.example.com"),
                field("x-own", "yes"),
            ]
        );
    }

    #[test]
    fn what_is_no_field_block_is_refused() {
        for block in [
            &[][..],                                           // no status
            &[0x80],                                           // entry 0
            &[0xbe],                      // entry 62: of the table that was not to be used
            &[0x88, 0x89],                // two statuses
            &[0x3f, 0xe1, 0x1f, 0x88],    // the table's size is 4,096 after all
            &[0x08, 3, b'4', b'1'],       // cut off
            &[0x08, 3, b'-', b'1', b'8'], // no number
            &[0x88, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // a number without end
        ] {
            let refused = status(block).unwrap_err();
            let declined = refused == FailureCause::DynamicTable;
            assert!(
                declined || refused == FailureCause::BadFields,
                "{block:02x?}"
            );
            // Entry 62 and a size of 4,096 are those of the table that was declined.
            assert_eq!(
                declined,
                [0xbe, 0x3f].contains(&block.first().copied().unwrap_or(0))
            );
        }
    }

    proptest! {
        #[test]
        fn no_block_is_too_much(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = status(&block);
        }

        #[test]
        fn what_is_written_can_be_skipped(
            fields in proptest::collection::vec(("[a-z]{1,200}", "[ -~]{0,400}"), 0..5),
        ) {
            let mut block = vec![0x88];
            for (name, value) in &fields {
                write_field(name.as_bytes(), value.as_bytes(), &mut block);
            }
            prop_assert_eq!(status(&block), Ok(200));
        }
    }
}
