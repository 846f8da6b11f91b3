//! Which faults meet a head, how long they keep it, and what they demand of it.

use bytes::Bytes;

use super::head::{self, Edit};
use crate::model::fault::{Effect, RequestView, Stream};
use crate::units::Nanos;

/// A fault that meets a request.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::proxy) struct MatchedFault {
    /// Its number.
    pub id: u64,
    /// What it does.
    pub effect: Effect,
    /// For a delay: how long.
    pub delay: Nanos,
}

/// The faults in force.
pub(in crate::proxy) trait Rules {
    /// Whether there are any of this direction.
    fn any(&self, stream: Stream) -> bool;
    /// Those that meet this request now. To be asked once, since it counts.
    fn meeting(&self, stream: Stream, request: &RequestView<'_>) -> Vec<MatchedFault>;
    /// Whether the fault of this number is still there.
    fn lasts(&self, id: u64) -> bool;
}

/// The faults that meet this request, whose head has been read before.
pub(super) fn meeting(rules: &dyn Rules, stream: Stream, request: &[u8]) -> Vec<MatchedFault> {
    if !rules.any(stream) {
        return Vec::new();
    }
    head::view(request, |request| rules.meeting(stream, request)).unwrap_or_default()
}

/// How long a head is kept.
pub(super) enum HeadHold {
    /// Until a fault is undone.
    Held,
    /// Until this instant.
    Until(Nanos),
}

/// How long these faults keep a head that was complete at `since`.
pub(super) fn kept_until(since: Nanos, met: &[MatchedFault], rules: &dyn Rules) -> HeadHold {
    let mut until = since;
    for fault in met.iter().filter(|fault| rules.lasts(fault.id)) {
        match fault.effect {
            Effect::HttpHold(_) => return HeadHold::Held,
            _ => until = until.saturating_add(fault.delay),
        }
    }
    HeadHold::Until(until)
}

/// What the faults that met a head demand of it.
#[derive(Default)]
pub(super) struct Orders {
    pub abort: bool,
    pub status: Option<u16>,
    pub cut: Option<u64>,
    edits: Vec<Edit>,
}

impl Orders {
    /// What those demand that are still there.
    pub(super) fn of(met: &[MatchedFault], rules: &dyn Rules) -> Self {
        let mut orders = Self::default();
        for fault in met.iter().filter(|fault| rules.lasts(fault.id)) {
            match &fault.effect {
                Effect::HttpAbort(_) => orders.abort = true,
                Effect::HttpStatus(fault) => {
                    orders.status = Some(fault.status);
                    orders.edits.push(Edit::Status(fault.status));
                }
                Effect::HttpHeader(fault) => orders.edits.push(Edit::Header {
                    name: fault.name.clone(),
                    value: fault.value.clone(),
                }),
                Effect::HttpCut(fault) => {
                    orders.cut = Some(orders.cut.map_or(fault.bytes, |cut| cut.min(fault.bytes)));
                }
                _ => {}
            }
        }
        orders
    }

    /// The head with its changes.
    pub(super) fn edited(&self, head: Bytes) -> Bytes {
        if self.edits.is_empty() {
            return head;
        }
        head::edited(&head, &self.edits).into()
    }
}
