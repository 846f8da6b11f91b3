//! The user's target started anew between two runs, by a hook of its own.

use std::path::Path;

use super::admitted::admit;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::record::Outcome;
use crate::target::call_hook;

/// Calls a hook of the plan's target and waits for its answer; what it prints goes to `log`.
/// Nothing undoes it.
///
/// # Errors
///
/// Wrong usage, where the plan may not send to one of its hosts; an unfit environment,
/// where the hook was refused or failed.
pub(crate) fn restart(
    plan: &Plan,
    allowed: &[String],
    hook: &str,
    log: Option<&Path>,
) -> Result<()> {
    let admitted = admit(plan, allowed)?;
    let target = plan.target.as_ref();
    let outcome = target.and_then(|target| call_hook(target, hook, &admitted.addresses, log));
    let reason = match outcome {
        Some(Outcome::Applied { .. }) => return Ok(()),
        Some(Outcome::Rejected { reason, .. } | Outcome::Failed { reason }) => reason,
        None => "there is no such hook, or its host is not allowed".to_owned(),
    };
    Err(Error::unfit(format!(
        "failed to start the service anew by the hook `{hook}`: {reason}; start it, and go on \
         with --resume"
    )))
}
