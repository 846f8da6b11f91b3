//! `[[responder]]`: who is on call, and whether what they would do can be done here.

use super::file::{self, File};
use super::meaning::Reader;
use crate::model::{OnCallPolicy, OnCallStep};
use crate::units::Ratio;

/// Those on call; `fleet`: whether the target is the built-in fleet.
pub(super) fn read(reader: &mut Reader, file: &File, fleet: bool) -> Vec<OnCallPolicy> {
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
        if let Some(pause) = own.pause.as_ref().filter(|_| !own.restart) {
            let message = "a pause is between restarts, and this responder makes none";
            reader.report(pause, message, "without effect", "add `restart = true`");
        }
        if let Some(share) = own.admit.first().filter(|_| !fleet) {
            let message = "only the built-in fleet has a balancer that admits a share";
            reader.report(share, message, "not of this target", "remove `admit`");
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
