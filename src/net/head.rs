//! How the head of an HTTP/1.1 answer is read, by the generator and the small client
//! alike: what servers send and other clients take is taken.
//!
//! A field that goes on in the next line is unfolded (RFC 9112, section 5.2), blanks
//! before a colon are dropped (section 5.1), and a line that is no field is passed over.

use std::mem::MaybeUninit;

use crate::model::FailureCause;

/// Bytes of a head at most: as many as curl reads.
pub(crate) const HEAD_MAX: usize = 300 * 1024;
/// Header fields that are read without allocating: servers send a dozen.
const FIELDS_AT_FIRST: usize = 64;
/// Header fields at most: as many as curl reads.
pub(crate) const FIELDS_MAX: usize = 5000;
/// Interim (1xx) answers before the real one at most.
pub(crate) const INTERIM_MAX: u8 = 16;

fn parser() -> httparse::ParserConfig {
    let mut parser = httparse::ParserConfig::default();
    parser
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .ignore_invalid_headers_in_responses(true);
    parser
}

/// Reads a head and hands it on with its length; none while it is not whole.
///
/// # Errors
///
/// Where it is none, or has too many fields.
pub(crate) fn read<T>(
    bytes: &[u8],
    take: impl FnOnce(usize, &httparse::Response<'_, '_>) -> Result<T, FailureCause>,
) -> Result<Option<T>, FailureCause> {
    // Not filled beforehand: that would cost as much as the parsing itself.
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_AT_FIRST];
    let mut response = httparse::Response::new(&mut []);
    match parser().parse_response_with_uninit_headers(&mut response, bytes, &mut fields) {
        Ok(httparse::Status::Complete(length)) => take(length, &response).map(Some),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => read_many(bytes, take),
        // The second byte tells what it is.
        Err(_) if matches!(bytes, [ALERT | HANDSHAKE]) => Ok(None),
        Err(_) => Err(not_http(bytes)),
    }
}

/// As [`read`], of a head with more fields than most.
#[cold]
fn read_many<T>(
    bytes: &[u8],
    take: impl FnOnce(usize, &httparse::Response<'_, '_>) -> Result<T, FailureCause>,
) -> Result<Option<T>, FailureCause> {
    let mut fields = vec![MaybeUninit::uninit(); FIELDS_MAX];
    let mut response = httparse::Response::new(&mut []);
    match parser().parse_response_with_uninit_headers(&mut response, bytes, &mut fields) {
        Ok(httparse::Status::Complete(length)) => take(length, &response).map(Some),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(FailureCause::HeadTooLarge),
        Err(_) => Err(not_http(bytes)),
    }
}

/// How a record of TLS begins that is an alert, or a handshake (RFC 8446, section 5.1).
const ALERT: u8 = 0x15;
const HANDSHAKE: u8 = 0x16;

/// Why bytes are no head.
fn not_http(bytes: &[u8]) -> FailureCause {
    match bytes {
        [ALERT | HANDSHAKE, 0x03, ..] => FailureCause::TlsInstead,
        _ => FailureCause::NotHttp,
    }
}
