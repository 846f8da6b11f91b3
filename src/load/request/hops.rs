//! The requests that redirects lead to, and whether one is followed.

use super::{Asking, Endpoint, Form, Piece, Requests};
use crate::clients::{StepRequest, Try};
use crate::model::{CheckFailure, Content, FollowFrom, Learnt, OperationKind, Step, Template};
use crate::plan::Draft;
use crate::units::Nanos;

/// The requests that redirects may lead to.
#[derive(Debug, Clone)]
pub(super) struct Hops {
    /// The same, with its method and body.
    pub(super) same: Form,
    /// A GET without a body.
    pub(super) get: Form,
}

/// Fields that say something of a body, which a GET has none of.
const OF_A_BODY: [&str; 5] = [
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "expect",
];

impl Hops {
    pub(super) fn of(kind: &OperationKind, step: &Step, host: &str, endpoint: &Endpoint) -> Self {
        let target = || vec![Piece::Redirected];
        let headers = step.headers.iter();
        let kept = headers.filter(|(name, _)| {
            let mut of_a_body = OF_A_BODY.iter();
            !of_a_body.any(|own| name.eq_ignore_ascii_case(own))
        });
        let get = Step {
            method: "GET".into(),
            headers: kept.cloned().collect(),
            body: Template::new(),
            ..step.clone()
        };
        Self {
            same: Form::to(target(), kind, step, host, endpoint),
            get: Form::to(target(), kind, &get, host, endpoint),
        }
    }
}

impl Requests {
    /// Whether an answer leads elsewhere within the origin and is followed: then the next
    /// request is in `learnt`.
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
        let asked = FollowFrom {
            encrypted: self.origin.0,
            authority: &self.origin.1,
            target: &target,
            method: &inspected.step.method,
            kept: before.is_none_or(|before| before.keeps),
            hops: before.map_or(0, |before| before.hops),
            most: inspected.follow,
        };
        let next = asked.follow(status, content.header("location"));
        let next = next.map_err(CheckFailure::Redirect)?;
        if inspected.cookies {
            for field in content.all("set-cookie") {
                learnt.cookies.set(field);
            }
        }
        learnt.redirected = Some(Box::new(next));
        Ok(true)
    }
}
