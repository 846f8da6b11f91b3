//! `[[responder]]`: who is on call, and whether what they would do can be done here.

use super::file::{self, File};
use super::leaf::Spanned;
use super::meaning::Reader;
use super::{target, timeline};
use crate::model::{OnCallPolicy, OnCallStep};
use crate::plan::Entry;
use crate::units::Ratio;

/// Those on call; `entries`: the timeline's; `fleet`: whether the target is the built-in
/// fleet.
pub(super) fn read(
    reader: &mut Reader,
    file: &File,
    entries: &[Option<Entry>],
    fleet: bool,
) -> Vec<OnCallPolicy> {
    let responders = || file.responder.iter().map(|it| &it.value);
    reader.unique("responder", responders().map(|it| &it.name));
    let known = reader.names("alert", file.alert.iter().map(|alert| &alert.name));
    for responder in &file.responder {
        for alert in responder.value.alerts.iter().flatten() {
            reader.known("alert", alert, &alert.value, known.as_ref());
        }
        if known
            .as_ref()
            .is_some_and(std::collections::BTreeSet::is_empty)
        {
            reader.report(
                responder,
                "there is no [[alert]] that a responder could hear",
                "hears nothing",
                "add an [[alert]]",
            );
        }
        let own = &responder.value;
        if own.alerts.as_ref().is_some_and(Vec::is_empty)
            && !reader.was_taken_out(responder, &["alerts"])
        {
            reader.report(
                &reader.key(responder, &["alerts"]),
                "`alerts` is empty, so this responder hears none",
                "hears nothing",
                "name some, or take the key out: then they hear all",
            );
        }
        possible(reader, file, entries, responder);
        if let Some(pause) = own.pause.as_ref().filter(|_| !own.restart) {
            let message = "a pause is between restarts, and this responder makes none";
            reader.report(pause, message, "without effect", "add `restart = true`");
        }
        if let Some(share) = own.admit.first().filter(|_| !fleet) {
            let message = "only the built-in fleet has a balancer that admits a share";
            reader.report(
                share,
                message,
                "this target has no such action",
                "remove `admit`",
            );
        }
        if let Some(share) = own.admit.last().filter(|it| it.value.0.0 < Ratio::WHOLE) {
            reader.report(
                share,
                format!("traffic is never brought back beyond {}", share.value.0.0),
                "users stay out",
                "let the last share be \"100 %\"",
            );
        }
        if steps(own).is_empty() {
            let message = "this responder does nothing";
            let help = "add `restart = true`, or leave `rollback` out";
            reader.report(responder, message, "without effect", help);
        }
    }
    let all: Vec<String> = file
        .alert
        .iter()
        .filter_map(|alert| Some(alert.name.as_ref()?.value.clone()))
        .collect();
    let policies = responders().filter_map(|responder| {
        Some(OnCallPolicy {
            name: responder.name.as_ref()?.value.clone(),
            alerts: responder.alerts.as_ref().map_or_else(
                || all.clone(),
                |alerts| alerts.iter().map(|alert| alert.value.clone()).collect(),
            ),
            acknowledge: responder.acknowledge.value.0,
            decide: responder.decide.value.0,
            wait: responder.wait.0,
            steps: steps(responder),
            waive: responder.waive && fleet,
        })
    });
    policies.collect()
}

/// Reports what they would try in vain, each at its key.
fn possible(
    reader: &mut Reader,
    file: &File,
    entries: &[Option<Entry>],
    responder: &Spanned<file::Responder>,
) {
    for step in steps(&responder.value) {
        let key = match &step {
            OnCallStep::Rollback => "rollback",
            OnCallStep::MonitorsOff => "monitors_off",
            OnCallStep::Restart(_) => "restart",
            // It comes with a refusal; a share has a message of its own.
            OnCallStep::Waive(_) | OnCallStep::Admit(_) => continue,
        };
        let at = reader.key(responder, &[key]);
        if let Some((message, suggestion)) = target::unfit(reader, file, &step.action()) {
            let suggestion = match step {
                OnCallStep::Rollback => "write `rollback = false`, or give [target] a `command`",
                _ => suggestion,
            };
            reader.report(&at, message, "not for this target", suggestion);
        } else if step == OnCallStep::Rollback && timeline::never_pushes(reader, entries) {
            reader.report(
                &at,
                "a responder tries a rollback first, and nothing is pushed in this run",
                "nothing to restore",
                "write `rollback = false`",
            );
        } else if step == OnCallStep::MonitorsOff
            && file.monitor.is_empty()
            && !reader.file_lacks("monitor")
        {
            reader.report(
                &at,
                "there is no [[monitor]] to switch",
                "nothing to act on",
                "add a [[monitor]], or take `monitors_off` out",
            );
        }
    }
}

/// What they try, in order.
fn steps(responder: &file::Responder) -> Vec<OnCallStep> {
    let shares = responder.admit.iter().map(|share| share.value.0.0);
    let mut shares = shares.map(OnCallStep::Admit);
    let mut steps = Vec::new();
    if responder.rollback {
        steps.push(OnCallStep::Rollback);
    }
    if responder.monitors_off {
        steps.push(OnCallStep::MonitorsOff);
    }
    if responder.restart {
        steps.extend(shares.next());
        let pause = responder.pause.as_ref().map(|pause| pause.value.0);
        steps.push(OnCallStep::Restart(pause));
    }
    steps.extend(shares);
    steps
}
