//! Agents for a run, a load, or work; and this program as an agent.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Options;
use crate::agents::{self, AgentSettings, Engaged, Found, Hands, NatsServer};
use crate::error::{EXIT_SIGNAL_BASE, Error, Result};
use crate::explore::{Elsewhere, Progress, Trial, TrialAnswer};
use crate::live;
use crate::load::{LoadSource, OwnThreads};
use crate::plan::Plan;
use crate::telemetry::Telemetry;
use crate::ui;

/// Who sends the load of a plan. Where agents do, each has as many threads as the plan says,
/// and the plan has all of them from then on.
///
/// # Errors
///
/// As [`Engaged::for_load`].
pub(super) fn source(plan: &mut Plan, options: &Options) -> Result<Box<dyn LoadSource>> {
    let Some(engagement) = &options.agents else {
        return Ok(Box::new(OwnThreads));
    };
    let purpose = format!("a load, {}", plan.scenario);
    let engaged = Engaged::for_load(engagement, &purpose)?;
    let drive = &mut plan.load.drive;
    drive.threads = drive.threads.saturating_mul(engaged.count());
    let most = drive.closed.map_or(plan.load.connections, |closed| {
        closed.users.min(plan.load.connections)
    });
    if drive.threads > most {
        return Err(Error::usage(format!(
            "{} agents with {} threads in all cannot share {most} connections or users; allow \
             more, or lower --generators or the threads",
            engaged.count(),
            drive.threads
        )));
    }
    Ok(Box::new(engaged))
}

/// Explores by agents, where there are any.
///
/// # Errors
///
/// As [`Engaged::for_work`], and what the exploration says.
pub(super) fn elsewhere<T>(
    options: &Options,
    purpose: &str,
    explore: impl FnOnce(Option<&dyn Elsewhere>) -> Result<T>,
) -> Result<T> {
    let Some(engagement) = &options.agents else {
        return explore(None);
    };
    let engaged = ByAgents(Engaged::for_work(engagement, purpose)?);
    explore(Some(&engaged))
}

/// Agents who carry trials out.
struct ByAgents(Engaged);

impl Elsewhere for ByAgents {
    fn try_all(&self, trials: &[Trial], progress: Progress<'_>) -> Result<Vec<TrialAnswer>> {
        let written = trials.iter().map(serde_json::to_string);
        let jobs: Vec<String> = written
            .collect::<serde_json::Result<_>>()
            .map_err(|cause| Error::failed(format!("failed to write a trial: {cause}")))?;
        let answers = self.0.work(jobs, &|done, all| progress(done, all))?;
        let read = answers.iter().map(|answer| serde_json::from_str(answer));
        read.collect::<serde_json::Result<_>>()
            .map_err(|cause| Error::failed(format!("failed to read what an agent found: {cause}")))
    }
}

/// Waits for work until a signal ends it; the exit code. `telemetry` is told of the loads of
/// which it sends a share.
///
/// # Errors
///
/// As [`agents::serve`].
pub(crate) fn serve_agent(
    settings: &AgentSettings,
    telemetry: Option<&Telemetry>,
    say: &mut dyn FnMut(&str),
) -> Result<i32> {
    let (stop, stopped) = oneshot::channel();
    let interrupt = live::Interrupt::listen(move || {
        // Where nobody listens it has ended already.
        let _ = stop.send(());
    })?;
    let hands = Hands {
        fit: Arc::new(live::room),
        try_one: Arc::new(|job, at_a_time, stop| {
            let trial: Trial = serde_json::from_str(job)
                .map_err(|cause| Error::failed(format!("failed to read a trial: {cause}")))?;
            let answer = trial.carry_out(at_a_time, stop)?;
            serde_json::to_string(&answer)
                .map_err(|cause| Error::failed(format!("failed to write an answer: {cause}")))
        }),
        watch: match telemetry.map(Telemetry::loads) {
            None => Arc::new(|_| None),
            Some(views) => Arc::new(move |plan| {
                let aside = ui::Aside::new(Box::new(views(plan)));
                Some(Box::new(aside))
            }),
        },
    };
    agents::serve(settings, hands, stopped, say)?;
    Ok(interrupt
        .signal()
        .map_or(0, |signal| EXIT_SIGNAL_BASE + signal))
}

/// Who is there.
///
/// # Errors
///
/// As [`agents::find`].
pub(crate) fn find_agents(server: &NatsServer) -> Result<Vec<Found>> {
    agents::find(server)
}
