//! What is sent between a conductor and an agent: a header in a line of JSON, then bytes.
//!
//! A message is cut into numbered pieces, so that none is larger than a NATS server takes;
//! each side acknowledges what it has of the other's in whatever it sends next. Pings and
//! pongs are neither numbered nor repeated: one that comes late says nothing.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::bounds::{AGENT_CALL, AGENT_PACKET};
use crate::record::MachineFacts;
use crate::units::Nanos;

/// The version of what is sent. Sides of different versions do not work together.
pub(super) const VERSION: u32 = 1;
/// Letters of a session or an agent's id at most, each a part of a subject.
const ID_MAX: usize = 64;

/// Where a conductor calls all agents.
pub(super) const CALL_SUBJECT: &str = "threadbare.v1.call";

/// Where an agent hears those that have engaged it.
pub(super) fn agent_subject(id: &str) -> String {
    format!("threadbare.v1.agent.{id}")
}

/// Where a conductor hears the agents of its session.
pub(super) fn session_subject(session: &str) -> String {
    format!("threadbare.v1.session.{session}")
}

/// Whether a text may be a part of a subject: no dot, no wildcard, nothing of the protocol.
pub(super) fn is_id(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= ID_MAX && text.bytes().all(letter)
}

/// What is said of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// [`VERSION`].
    pub v: u32,
    /// The conductor's session.
    pub session: String,
    /// Who sends it: an agent's id, or nothing for the conductor.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// Pieces of the other side that have arrived, up to this number.
    pub ack: u64,
    /// What it is.
    pub what: PacketKind,
}

/// What a packet is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PacketKind {
    /// A conductor engages an agent; repeated until it is answered.
    Open {
        /// The agent lets go when it hears nothing for this long.
        lease_ns: Nanos,
        /// What for, in words.
        purpose: String,
    },
    /// A piece of a message.
    Piece {
        /// From one on, without a gap.
        number: u64,
        /// Whether the message ends with it.
        last: bool,
    },
    /// Where does your clock stand?
    Ping {
        /// The conductor's clock when it was sent.
        sent_ns: Nanos,
    },
    /// There.
    Pong {
        /// As it was asked.
        sent_ns: Nanos,
        /// The agent's clock when it was read.
        clock_ns: Nanos,
    },
    /// Nothing but the acknowledgement.
    Ack,
    /// The session is over for whoever gets this.
    Leave {
        /// Why, in a clause.
        reason: String,
    },
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    /// What is said of it.
    pub header: Header,
    /// The bytes of a piece; none else.
    pub payload: Bytes,
}

impl Packet {
    /// As it is sent.
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = serde_json::to_vec(&self.header).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.payload);
        bytes.into()
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// Why it is none, or none of this version.
    pub(super) fn decode(bytes: &Bytes) -> Result<Self, String> {
        if bytes.len() > AGENT_PACKET.length_max() {
            return Err(AGENT_PACKET.too_long());
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or("it has no header")?;
        let Version { v } =
            serde_json::from_slice(&bytes[..end]).map_err(|cause| cause.to_string())?;
        if v != VERSION {
            return Err(format!(
                "it is of version {v} of the protocol, and this is {VERSION}"
            ));
        }
        let header: Header =
            serde_json::from_slice(&bytes[..end]).map_err(|cause| cause.to_string())?;
        if !is_id(&header.session) || !(header.from.is_empty() || is_id(&header.from)) {
            return Err("it names no session or sender".to_owned());
        }
        Ok(Self {
            header,
            payload: bytes.slice(end + 1..),
        })
    }
}

/// What every version begins with.
#[derive(Debug, Deserialize)]
struct Version {
    v: u32,
}

/// A conductor asks who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Call {
    /// [`VERSION`].
    pub v: u32,
    /// The conductor's clock when it was sent.
    pub sent_ns: Nanos,
}

/// An agent says that it is there. One of another version may say more or less of itself; that
/// it is there, and which it is, is known all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// [`VERSION`].
    pub v: u32,
    /// As it was asked.
    #[serde(default)]
    pub sent_ns: Nanos,
    /// Its clock when it was asked.
    #[serde(default)]
    pub clock_ns: Nanos,
    /// Its id: another at each start.
    pub id: String,
    /// The name that its user gave it.
    pub name: String,
    /// The version of threadbare that it is.
    pub version: String,
    /// What it does for whom; none: it waits for work.
    #[serde(default)]
    pub busy: Option<String>,
    /// On what it runs.
    #[serde(default)]
    pub machine: MachineFacts,
    /// The same text on one machine and in one network, and nowhere else.
    #[serde(default)]
    pub place: String,
    /// Whether what it is sent can be read by nobody else.
    #[serde(default)]
    pub secure: bool,
}

/// Reads a call.
///
/// # Errors
///
/// Why it is none.
pub(super) fn call(bytes: &[u8]) -> Result<Call, String> {
    if bytes.len() > AGENT_CALL.length_max() {
        return Err(AGENT_CALL.too_long());
    }
    serde_json::from_slice(bytes).map_err(|cause| cause.to_string())
}

/// Reads an answer to one.
///
/// # Errors
///
/// Why it is none.
pub(super) fn presence(bytes: &[u8]) -> Result<Presence, String> {
    if bytes.len() > AGENT_CALL.length_max() {
        return Err(AGENT_CALL.too_long());
    }
    let presence: Presence = serde_json::from_slice(bytes).map_err(|cause| cause.to_string())?;
    // It is shown on a terminal.
    let is_plain = |text: &String| !text.chars().any(char::is_control);
    let machine = &presence.machine;
    let is_plain = is_plain(&presence.version)
        && is_plain(&machine.processor)
        && is_plain(&machine.kernel)
        && presence.busy.as_ref().is_none_or(is_plain);
    if is_id(&presence.id) && is_name(&presence.name) && is_plain {
        Ok(presence)
    } else {
        Err("it names itself in a way that no agent does".to_owned())
    }
}

/// Letters of an agent's name at most.
const NAME_MAX: usize = 40;

/// Whether an agent can be called this: it stands in sentences, tables and records.
pub(super) fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    !text.is_empty() && text.len() <= NAME_MAX && text.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(what: PacketKind, payload: &'static [u8]) -> Packet {
        Packet {
            header: Header {
                v: VERSION,
                session: "5e5510".into(),
                from: "a9e17".into(),
                ack: 7,
                what,
            },
            payload: Bytes::from_static(payload),
        }
    }

    #[test]
    fn what_was_sent_is_read() {
        for (what, payload) in [
            (
                PacketKind::Open {
                    lease_ns: Nanos::from_secs(10),
                    purpose: "a load".into(),
                },
                &b""[..],
            ),
            // bytes that look like a header, and a line's end
            (
                PacketKind::Piece {
                    number: 9,
                    last: true,
                },
                b"{\"v\":1}\n\n\0",
            ),
            (
                PacketKind::Ping {
                    sent_ns: Nanos(u64::MAX),
                },
                b"",
            ),
            (
                PacketKind::Pong {
                    sent_ns: Nanos(1),
                    clock_ns: Nanos(2),
                },
                b"",
            ),
            (PacketKind::Ack, b""),
            (
                PacketKind::Leave {
                    reason: "it is over".into(),
                },
                b"",
            ),
        ] {
            let sent = packet(what, payload);
            assert_eq!(Packet::decode(&sent.encode()).unwrap(), sent);
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let other = String::from_utf8(packet(PacketKind::Ack, b"").encode().to_vec()).unwrap();
        for (bytes, why) in [
            (String::new(), "no header"),
            ("{}".into(), "no header"),
            ("{}\n".into(), "missing field `v`"),
            ("{\"v\":2}\n".into(), "version 2"),
            ("[]\n".into(), "invalid"),
            (other.replace("5e5510", "a.b"), "no session"),
            (other.replace("5e5510", ">"), "no session"),
            (other.replace("a9e17", "*"), "no session or sender"),
            (other.replace("ack\"}", "nack\"}"), "unknown variant"),
            ("x".repeat(AGENT_PACKET.length_max() + 1), "longer than"),
        ] {
            let refused = Packet::decode(&Bytes::from(bytes.clone())).unwrap_err();
            assert!(refused.contains(why), "{bytes:.80}: {refused}");
        }
    }

    #[test]
    fn an_agent_of_another_version_is_known() {
        let other = br#"{"v":9,"id":"a9e17","name":"old","version":"9.0.0","mood":"good"}"#;
        let presence = presence(other).unwrap();
        assert_eq!((presence.v, presence.version.as_str()), (9, "9.0.0"));
        assert!(!presence.secure);
        for wrong in [
            &br#"{"v":1,"id":"a.b","name":"a","version":"1"}"#[..],
            br#"{"v":1,"id":"a","name":"a b","version":"1"}"#,
            br#"{"v":1,"id":"a","version":"1"}"#,
            br#"{"v":1,"id":"a","name":"a","version":"1\u001b[2J"}"#,
        ] {
            assert!(super::presence(wrong).is_err());
        }
    }

    #[test]
    fn names_stand_in_sentences() {
        for (name, fits) in [
            ("east-1", true),
            ("host.test:1", true),
            ("", false),
            ("two words", false),
            ("a\n", false),
            ("*", false),
            ("ä", false),
        ] {
            assert_eq!(is_name(name), fits, "{name}");
        }
    }
}
