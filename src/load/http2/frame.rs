//! The layout of frames (RFC 9113, sections 4 to 6).

use bytes::BytesMut;

/// Bytes of a frame's head.
pub(super) const HEAD_BYTES: usize = 9;
/// Bytes of a frame's payload at most, unless the other side allows more.
pub(super) const FRAME_MAX: usize = 16 * 1024;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 0x1;
/// Of SETTINGS and PING.
pub(super) const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
/// Of HEADERS.
pub(super) const PRIORITY: u8 = 0x20;

pub(super) const HEADER_TABLE_SIZE: u16 = 1;
pub(super) const ENABLE_PUSH: u16 = 2;
pub(super) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;
/// Bytes of one setting.
pub(super) const SETTING_BYTES: usize = 6;

/// Bytes of a PING's payload.
pub(super) const PING_BYTES: usize = 8;

pub(super) const NO_ERROR: u32 = 0;
/// Names of errors, by their codes (RFC 9113, section 7).
pub(super) const ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];
pub(super) const PROTOCOL_ERROR: u32 = 1;
pub(super) const REFUSED_STREAM: u32 = 7;
pub(super) const CANCEL: u32 = 8;

/// A frame's head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    /// The head at the beginning of `bytes`, where it has come whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let head = bytes.first_chunk::<HEAD_BYTES>()?;
        Some(Self {
            length: (number(head)? >> 8) as usize,
            kind: head[3],
            flags: head[4],
            stream: number(&head[5..])? & 0x7fff_ffff,
        })
    }
}

/// Appends a frame. Its payload is no longer than [`FRAME_MAX`].
pub(super) fn write(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut BytesMut) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let [_, a, b, c] = length.to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

pub(super) fn settings(settings: &[(u16, u32)], out: &mut BytesMut) {
    let mut payload = Vec::new();
    for (name, value) in settings {
        payload.extend_from_slice(&name.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    write(SETTINGS, 0, 0, &payload, out);
}

pub(super) fn read_settings(payload: &[u8]) -> impl Iterator<Item = (u16, u32)> + '_ {
    let (settings, _) = payload.as_chunks::<SETTING_BYTES>();
    settings.iter().map(|setting| {
        let name = u16::from_be_bytes([setting[0], setting[1]]);
        (name, number(&setting[2..]).unwrap_or_default())
    })
}

/// Gives room for `more` bytes, at most 2³¹ − 1.
pub(super) fn window_update(stream: u32, more: i64, out: &mut BytesMut) {
    let more = u32::try_from(more).unwrap_or_default();
    write(WINDOW_UPDATE, 0, stream, &more.to_be_bytes(), out);
}

pub(super) fn reset(stream: u32, code: u32, out: &mut BytesMut) {
    write(RST_STREAM, 0, stream, &code.to_be_bytes(), out);
}

/// The number that a payload begins with.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().copied().map(u32::from_be_bytes)
}
