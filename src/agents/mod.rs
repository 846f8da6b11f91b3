//! One load from several machines: agents that wait at a NATS server, and their conductor.
//!
//! | file | what it answers |
//! |---|---|
//! | `settings` | which server, and who may read what is sent over it |
//! | `packet`, `stream` | what is sent, and how it arrives once and in order |
//! | `order`, `sent` | what an agent is told, and what it tells |
//! | `offset` | how far another machine's clock is ahead |
//! | `serving`, `loading`, `agent` | an agent: what it does, a load of it, and its connection |
//! | `peer`, `conducting`, `work`, `conductor` | the conductor: each agent, all of them, its connection |
//! | `link` | the connection to the server |
//!
//! Each agent has the plan, the seed and which of all threads are its own; it draws what
//! every generator draws and keeps its own, as threads of one process do. So the union of
//! what they send is the schedule of one machine. What they count is added up, and is what
//! one machine would have counted.
//!
//! `serving` and `conducting` are told what came and what time it is, and say what is to be
//! sent; so they are tested without a server. No latency is ever taken between two clocks:
//! of another machine's clock only its offset counts, for beginning together.

mod agent;
mod conducting;
mod conductor;
mod link;
mod loading;
mod offset;
mod order;
mod packet;
mod peer;
mod sent;
mod serving;
mod settings;
mod stream;
#[cfg(test)]
mod tests;
mod work;

pub use agent::serve;
pub use conductor::{Engaged, Found, find};
#[cfg(feature = "testing")]
pub use offset::Estimate;
#[cfg(feature = "testing")]
pub use packet::Presence;
pub use serving::Hands;
pub use settings::{AgentSettings, Engagement, LEASE, LEASES, NatsServer, OnAgentLost};

/// Reads a packet, and a message as either side does.
#[cfg(feature = "testing")]
pub(crate) fn read_packet(bytes: &[u8]) {
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    let Ok(packet) = packet::Packet::decode(&bytes) else {
        return;
    };
    let _ = serde_json::from_slice::<order::Order>(&packet.payload);
    if let Ok(order::Report::Samples(samples)) = serde_json::from_slice(&packet.payload) {
        for sample in samples {
            let _ = crate::record::Sample::try_from(sample);
        }
    }
}

/// Reads a call and an answer to one.
#[cfg(feature = "testing")]
pub(crate) fn read_call(bytes: &[u8]) {
    let _ = packet::call(bytes);
    let _ = packet::presence(bytes);
}
