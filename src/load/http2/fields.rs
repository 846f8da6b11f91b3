//! Header fields without a dynamic table (HPACK, RFC 7541).

use httlib_huffman::DecoderSpeed;

use crate::model::FailureCause;
use crate::net::framing::FramingFields;

/// Entries of the static table that a status is named by: 8 to 14, with these values.
const STATUSES: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
const STATUS_FIRST: u64 = 8;
/// The entry that is named `content-length`.
const LENGTH_ENTRY: u64 = 28;
const LENGTH: &str = "content-length";
/// How the two names are packed: there is one way.
const STATUS_PACKED: [u8; 5] = [0xb8, 0x84, 0x8d, 0x36, 0xa3];
const LENGTH_PACKED: [u8; 10] = [0x21, 0xea, 0x49, 0x6a, 0x4a, 0xd4, 0x16, 0xa9, 0x93, 0x3f];
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

    /// As decoded, in `room` where it was packed.
    fn decoded_in<'b>(&'b self, room: &'b mut Vec<u8>) -> Result<&'b [u8], FailureCause> {
        if !self.huffman {
            return Ok(self.bytes);
        }
        room.clear();
        httlib_huffman::decode(self.bytes, room, DecoderSpeed::FourBits)
            .map_err(|_| FailureCause::BadFields)?;
        Ok(room)
    }

    /// Whether it is this one, plain or packed.
    fn is(&self, plain: &[u8], packed: &[u8]) -> bool {
        self.bytes == if self.huffman { packed } else { plain }
    }
}

/// A status of three digits.
fn number(digits: &[u8]) -> Option<u16> {
    let three = digits.len() == 3 && digits.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(digits).ok().filter(|_| three)?;
    text.parse().ok()
}

/// What a field block states of an answer, as far as it is read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stated {
    status: Option<u16>,
    /// How many statuses it has.
    statuses: usize,
    /// How long the answer's body is said to be.
    pub(super) lengths: FramingFields,
    /// Fields in all.
    pub(super) fields: usize,
}

impl Stated {
    /// The status: none where there is none, or several, or one that is no number.
    pub(super) fn status(&self) -> Option<u16> {
        self.status.filter(|_| self.statuses == 1)
    }

    fn add_status(&mut self, status: Option<u16>) {
        self.statuses += 1;
        self.status = status;
    }
}

impl<'a> Fields<'a> {
    pub(super) const fn new(block: &'a [u8]) -> Self {
        Self { rest: block }
    }

    /// What it states; of the rest only the form is checked. `room`: where values are
    /// decoded.
    pub(super) fn stated(mut self, room: &mut Vec<u8>) -> Result<Stated, FailureCause> {
        let mut stated = Stated::default();
        while let Some(first) = self.rest.first() {
            match first {
                // In a table, name and value.
                0x80.. => self.indexed(&mut stated)?,
                // The size of the table that was asked not to be used.
                0x20..0x40 => {
                    if self.number(5)? != 0 {
                        return Err(FailureCause::DynamicTable);
                    }
                    continue;
                }
                // With a value of its own; whether to be remembered or not.
                _ => {
                    let bits = if *first >= 0x40 { 6 } else { 4 };
                    self.literal(bits, room, &mut stated)?;
                }
            }
            stated.fields += 1;
        }
        Ok(stated)
    }

    fn indexed(&mut self, stated: &mut Stated) -> Result<(), FailureCause> {
        let entry = self.number(7)?;
        if entry == 0 {
            return Err(FailureCause::BadFields);
        }
        if entry > STATIC_ENTRIES {
            return Err(FailureCause::DynamicTable);
        }
        let known = entry.checked_sub(STATUS_FIRST);
        let status = known.and_then(|index| STATUSES.get(usize::try_from(index).ok()?));
        if let Some(status) = status {
            stated.add_status(Some(*status));
        } else if entry == LENGTH_ENTRY {
            stated.lengths.add(LENGTH, b"");
        }
        Ok(())
    }

    /// A field with a value of its own.
    fn literal(
        &mut self,
        bits: u32,
        room: &mut Vec<u8>,
        stated: &mut Stated,
    ) -> Result<(), FailureCause> {
        let entry = self.number(bits)?;
        if entry > STATIC_ENTRIES {
            return Err(FailureCause::DynamicTable);
        }
        let (is_status, is_length) = if entry == 0 {
            let name = self.text()?;
            (
                name.is(b":status", &STATUS_PACKED),
                name.is(LENGTH.as_bytes(), &LENGTH_PACKED),
            )
        } else {
            let status = STATUS_FIRST..STATUS_FIRST + 7;
            (status.contains(&entry), entry == LENGTH_ENTRY)
        };
        let value = self.text()?;
        if is_status {
            stated.add_status(number(value.decoded_in(room)?));
        } else if is_length {
            stated.lengths.add(LENGTH, value.decoded_in(room)?);
        }
        Ok(())
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
    use crate::net::framing::{Framing, RequestKind};
    use proptest::prelude::*;

    fn status(block: &[u8]) -> Result<Option<u16>, FailureCause> {
        let stated = Fields::new(block).stated(&mut Vec::new());
        stated.map(|stated| stated.status())
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        httlib_huffman::encode(text, &mut packed).unwrap();
        packed
    }

    #[test]
    fn names_are_packed_in_one_way() {
        assert_eq!(packed(b":status"), STATUS_PACKED);
        assert_eq!(packed(LENGTH.as_bytes()), LENGTH_PACKED);
    }

    #[test]
    fn a_length_is_found_however_it_is_written() {
        let text =
            |text: &[u8], bit: u8| [&[bit | u8::try_from(text.len()).unwrap()], text].concat();
        let (name, value) = (LENGTH.as_bytes(), &b"1234"[..]);
        let values = [text(value, 0), text(&packed(value), 0x80)];
        let names = [
            [vec![0], text(name, 0)].concat(),
            [vec![0x10], text(&LENGTH_PACKED, 0x80)].concat(),
            vec![0x0f, 28 - 15],
            vec![0x5c],
        ];
        for name in &names {
            for value in &values {
                let block = [&[0x88], name.as_slice(), value].concat();
                let stated = Fields::new(&block).stated(&mut Vec::new()).unwrap();
                let framing = stated.lengths.response(RequestKind::Other, 200);
                assert_eq!(framing, Ok(Framing::Length(1234)), "{block:02x?}");
                assert_eq!((stated.status(), stated.fields), (Some(200), 2));
            }
        }
        // By the table alone it has no value.
        let stated = Fields::new(&[0x88, 0x9c]).stated(&mut Vec::new()).unwrap();
        assert!(stated.lengths.response(RequestKind::Other, 200).is_err());
    }

    #[test]
    fn a_status_is_found_however_it_is_written() {
        assert_eq!(status(&[0x88]), Ok(Some(200)));
        assert_eq!(status(&[0x20, 0x8d, 0x5c, 1, b'5']), Ok(Some(404)));
        // Literal with an indexed name, not packed and packed (RFC 7541, C.6.1: 302).
        assert_eq!(status(&[0x08, 3, b'4', b'1', b'8']), Ok(Some(418)));
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), Ok(Some(302)));
        // Literal with a name of its own, and other fields around it.
        let mut block = Vec::new();
        write_field(b":status", b"503", &mut block);
        write_field(b"x-long", &[b'x'; 300], &mut block);
        assert_eq!(status(&block), Ok(Some(503)));
        let packed = [&[0, 0x85][..], &STATUS_PACKED, &[3], b"503"].concat();
        assert_eq!(status(&packed), Ok(Some(503)));
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
    fn a_status_is_one_number() {
        for block in [
            &[][..],
            &[0x88, 0x89],
            &[0x08, 3, b'-', b'1', b'8'],
            &[0x08, 2, b'1', b'8'],
        ] {
            assert_eq!(status(block), Ok(None), "{block:02x?}");
        }
    }

    #[test]
    fn what_is_no_field_block_is_refused() {
        for block in [
            &[0x80][..],                                       // entry 0
            &[0xbe],                   // entry 62: of the table that was not to be used
            &[0x3f, 0xe1, 0x1f, 0x88], // the table's size is 4,096 after all
            &[0x08, 3, b'4', b'1'],    // cut off
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
            prop_assert_eq!(status(&block), Ok(Some(200)));
        }
    }
}
