//! The requests that redirects lead to, and whether one is followed.

use std::sync::Arc;

use super::{Asking, Endpoint, Form, Piece, Protocol, Requests};
use crate::clients::{StepRequest, Try};
use crate::model::{
    CheckFailure, Content, Elsewhere, FollowFrom, HttpOrigin, Learnt, NotFollowed, OperationKind,
    Redirected, Step, Template,
};
use crate::plan::Draft;
use crate::units::Nanos;

/// The requests that redirects may lead to.
#[derive(Debug, Clone)]
pub(super) struct Hops {
    here: Hop,
    /// The same at another origin, where any is led to.
    elsewhere: Option<Hop>,
}

/// Those to one origin.
#[derive(Debug, Clone)]
struct Hop {
    /// The same, with its method and body.
    same: Form,
    /// A GET without a body.
    get: Form,
}

/// Fields that say something of a body, which a GET has none of.
const OF_A_BODY: [&str; 5] = [
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "expect",
];
/// Fields that are meant for one origin, which no other is told: as curl has it.
const OF_AN_ORIGIN: [&str; 3] = ["authorization", "cookie", "host"];

impl Hops {
    pub(super) fn of(kind: &OperationKind, step: &Step, host: &Piece, endpoint: &Endpoint) -> Self {
        let elsewhere = endpoint.redirects.is_some() && endpoint.protocol == Protocol::Http1;
        Self {
            here: Hop::of(kind, step, host, endpoint),
            elsewhere: elsewhere.then(|| {
                let step = without(step, &OF_AN_ORIGIN);
                Hop::of(kind, &step, &Piece::RedirectedHost, endpoint)
            }),
        }
    }

    pub(super) fn form(&self, redirected: &Redirected) -> &Form {
        let elsewhere = self.elsewhere.as_ref();
        let elsewhere = elsewhere.filter(|_| redirected.elsewhere.is_some());
        let hop = elsewhere.unwrap_or(&self.here);
        if redirected.keeps {
            &hop.same
        } else {
            &hop.get
        }
    }
}

impl Hop {
    fn of(kind: &OperationKind, step: &Step, host: &Piece, endpoint: &Endpoint) -> Self {
        let target = || vec![Piece::Redirected];
        let get = Step {
            method: "GET".into(),
            body: Template::new(),
            ..without(step, &OF_A_BODY)
        };
        Self {
            same: Form::to(target(), kind, step, host, endpoint),
            get: Form::to(target(), kind, &get, host, endpoint),
        }
    }
}

/// A step without these header fields.
fn without(step: &Step, fields: &[&str]) -> Step {
    let left_out = |name: &str| fields.iter().any(|own| name.eq_ignore_ascii_case(own));
    let headers = step.headers.iter().filter(|(name, _)| !left_out(name));
    Step {
        headers: headers.cloned().collect(),
        ..step.clone()
    }
}

impl Requests {
    /// Whether an answer leads elsewhere and is followed: then the next request is in
    /// `learnt`.
    pub(in crate::load) fn follows(
        &self,
        (draft, step): (&Draft, usize),
        status: u16,
        content: Option<&Content>,
        learnt: &mut Learnt,
    ) -> Result<bool, CheckFailure> {
        let inspected = self.form(draft, step).inspected.as_deref();
        let Some((inspected, content)) = inspected.zip(content) else {
            return Ok(false);
        };
        if inspected.follow == 0 || !FollowFrom::leads(status) {
            return Ok(false);
        }
        let request = StepRequest {
            draft,
            step,
            learnt,
            waits_until: Nanos::ZERO,
            which: Try::First,
            retried: false,
        };
        let asking = Asking {
            request: &request,
            now: Nanos::ZERO,
        };
        let before = learnt.redirected.as_deref();
        let mut target = Vec::new();
        match before {
            Some(before) => target.extend_from_slice(&before.target),
            None => {
                for piece in &inspected.target {
                    self.piece(piece, asking, 0, &mut Vec::new(), &mut target);
                }
            }
        }
        let elsewhere = before.and_then(|before| before.elsewhere.as_ref());
        let asked = FollowFrom {
            origin: elsewhere.map_or(&self.origin, |elsewhere| &elsewhere.origin),
            elsewhere,
            target: &target,
            method: &inspected.step.method,
            kept: before.is_none_or(|before| before.keeps),
            hops: before.map_or(0, |before| before.hops),
            most: inspected.follow,
        };
        let location = content.header("location");
        let next = asked.follow(status, location, |origin| self.admit(origin));
        let next = next.map_err(CheckFailure::Redirect)?;
        self.take_cookies(inspected, content, learnt);
        learnt.redirected = Some(Box::new(next));
        Ok(true)
    }

    /// Another origin at its address; none where that is where operations begin.
    fn admit(&self, origin: HttpOrigin) -> Result<Option<Arc<Elsewhere>>, NotFollowed> {
        if origin.is(&self.origin) {
            return Ok(None);
        }
        let redirects = self.redirects.as_ref().ok_or(NotFollowed::OneOrigin)?;
        let address = redirects.address(&origin.host, origin.port)?;
        Ok(Some(Arc::new(Elsewhere { origin, address })))
    }
}
