//! What a file means: a [`Plan`] of the file's tables, and the mistakes
//! that no schema can say.
//!
//! A required key that is absent here has been reported already; what depends
//! on it is passed over in silence, so that one mistake is told once.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::diagnostics::{Mistake, suggest};
use super::file::{self, File};
use super::leaf::{Spanned, Text};
use super::quantities::Moment;
use super::structure::{Fitted, Keys};
use super::{
    autoscaler, contradictions, expectations, gauges, proxies, responders, sessions, target,
    timeline, variants,
};
use crate::model::{
    AlertRule, ClientPolicy, FleetSpec, Load, MixEntry, MonitorPolicy, RecoveryRule, ReleasePolicy,
    Request, Shape, Story, TargetSpec, surges,
};
use crate::plan::{Plan, kinds, urls};
use crate::units::{Nanos, Rate, counted};

/// The longest run: a slip of the pen such as `"150h"` should not be waited for.
const LONGEST: Nanos = Nanos::from_secs(24 * 3600);
/// How long operations in flight are waited for after the end, unless clients wait longer.
const DRAIN: Nanos = Nanos::from_secs(3);
/// The most that is offered: past it one machine's generator is surely the limit.
const RATE_MAX_PER_SECOND: f64 = 1e6;

/// The span of the table that is the file itself.
const WHOLE_FILE: Range<usize> = 0..0;

/// Reads the tables of a file and collects mistakes.
pub(super) struct Reader {
    pub(super) mistakes: Vec<Mistake>,
    keys: Keys,
    story: Option<Story>,
    /// Whether there is a `[story]`, even a broken one.
    has_story: bool,
    /// The end of the run, where it is known.
    pub(super) end: Option<Nanos>,
    /// Where files that the scenario names are looked for.
    pub(super) folder: PathBuf,
}

impl Reader {
    /// A reader of this file, which goes on where others have reported mistakes.
    pub(super) fn new(file: &File, folder: &Path, fitted: Fitted) -> Self {
        let story = file.story.as_ref().and_then(|story| {
            Some(Story {
                starts: story.starts?.0,
                scale: story.scale,
            })
        });
        Self {
            mistakes: fitted.mistakes,
            has_story: file.story.is_some() || fitted.keys.was_taken_out(&WHOLE_FILE, "story"),
            keys: fitted.keys,
            story,
            end: None,
            folder: folder.to_owned(),
        }
    }

    /// Reports a mistake at a value.
    pub(super) fn report<T>(
        &mut self,
        at: &Spanned<T>,
        message: impl AsRef<str>,
        label: impl AsRef<str>,
        suggestion: impl AsRef<str>,
    ) {
        let span = at.span.clone();
        self.mistakes
            .push(Mistake::new(span, message, label, suggestion));
    }

    /// Whether this key of the top level was taken out, and so reported.
    pub(super) fn file_lacks(&self, key: &str) -> bool {
        self.keys.was_taken_out(&WHOLE_FILE, key)
    }

    /// Whether one of these keys was taken out of the table, and so reported.
    pub(super) fn was_taken_out<T>(&self, table: &Spanned<T>, keys: &[&str]) -> bool {
        let mut keys = keys.iter();
        keys.any(|key| self.keys.was_taken_out(&table.span, key))
    }

    /// The place of a key, by its path from a table; of the table, where it has no such key.
    pub(super) fn key<T>(&self, table: &Spanned<T>, path: &[&str]) -> Spanned<()> {
        Spanned {
            value: (),
            span: self.keys.span(&table.span, path),
        }
    }

    /// The instant of the run; none where it is a story's time and there is no story.
    pub(super) fn instant(&mut self, moment: &Spanned<Text<Moment>>) -> Option<Nanos> {
        match moment.value.0 {
            Moment::Run(instant) => Some(instant),
            Moment::Story(time) => {
                if !self.has_story {
                    self.report(
                        moment,
                        format!("`{time}` is a time of day, and there is no [story]"),
                        "which day?",
                        "add a table [story] with `starts`, or write a duration since the start",
                    );
                }
                Some(self.story?.instant(time))
            }
        }
    }

    /// Reports an instant at which the run is over.
    pub(super) fn before_the_end(&mut self, what: &str, moment: &Spanned<Text<Moment>>, at: Nanos) {
        let Some(end) = self.end.filter(|end| at >= *end) else {
            return;
        };
        let story = match (moment.value.0, self.story) {
            (Moment::Story(_), Some(story)) => format!(
                " (times before `starts`, {}, are those of the next day)",
                story.starts
            ),
            _ => String::new(),
        };
        self.report(
            moment,
            format!("{what} at {at} comes after the end of the run at {end}"),
            "after the end",
            format!("put it before the end, or `end` after it{story}"),
        );
    }

    /// The plan of the file; none where a mistake leaves it without a part.
    pub(super) fn plan(&mut self, name: &str, file: &File) -> Option<Plan> {
        self.end = self.end_of(file);
        let interval = self.interval(file);
        let target = target::read(self, file);
        let streams = target.as_ref().and_then(|target| target.streams);
        let load = file.load.as_ref();
        let load = load.and_then(|load| self.load(&load.value, streams));
        let mut monitors = self.monitors(&file.monitor);
        monitors.extend(sessions::read(self, file));
        let gauges = gauges::read(self, file);
        let alerts = self.alerts(&file.alert);
        let timeline = timeline::read(self, file);
        target::fits(self, file, &timeline);
        proxies::fits(self, file, &timeline);
        let warm_up = file.warm_up.value.0;
        let surges = match (&load, self.end) {
            (Some(load), Some(end)) => Some(surges(load, warm_up, end)),
            _ => None,
        };
        let names = load.as_ref().map(|load| kinds_of(target.as_ref(), load));
        let parts = names
            .as_ref()
            .map(|names| [names.clone(), urls(target.as_ref())].concat());
        let expectations = expectations::read(
            self,
            file,
            &expectations::Known {
                timeline: &timeline,
                surges: surges.as_deref(),
                parts: parts.as_deref(),
            },
        );
        let known = contradictions::Known {
            timeline: &timeline,
            gauges: &gauges,
            load: load.as_ref(),
            surges: surges.as_deref(),
        };
        contradictions::read(self, file, &known, &expectations);
        autoscaler::fits(self, file);
        variants::read(self, file);
        let responders = responders::read(self, file, &timeline, target.is_none());
        let game_end = self.game_end(file);
        let load = load?;
        Some(Plan {
            requests: target
                .as_ref()
                .map_or_else(String::new, |it| it.work.digest()),
            kinds: kinds(names.unwrap_or_default()),
            scenario: name.to_owned(),
            title: file.title.clone()?,
            claim: file.claim.clone()?,
            source: file.source.clone(),
            mechanism: file.mechanism.clone(),
            seen: file.seen.clone(),
            variant: None,
            seed: file.seed,
            story: self.story,
            warm_up,
            end: self.end?,
            drain: drain(file),
            interval,
            fleet: match &target {
                Some(_) => None,
                None => Some(self.fleet(file)),
            },
            target,
            release: ReleasePolicy {
                require_tests: file.release.require_tests,
                verified_within: file.release.verified_within.map(|within| within.0.0),
            },
            load,
            monitors,
            gauges,
            alerts,
            timeline: timeline.into_iter().flatten().collect(),
            responders,
            recovery: recovery(&file.recovery),
            safety: file.safety.bounds(),
            expectations: expectations.into_iter().flatten().collect(),
            manual: false,
            game_end,
        })
    }

    fn fleet(&mut self, file: &File) -> FleetSpec {
        let spec = fleet_of(file);
        let above = named_fleet(file).and_then(|fleet| fleet.shed_above.as_ref());
        if let (Some(above), Some(bound)) = (above, spec.queue.bound)
            && above.value > bound
        {
            self.report(
                above,
                format!(
                    "at most {} can wait, so nothing is shed above {}",
                    counted(bound.into(), "job"),
                    above.value
                ),
                "without effect",
                format!("write at most {bound}, or a queue with a larger bound"),
            );
        }
        spec
    }

    fn end_of(&mut self, file: &File) -> Option<Nanos> {
        let end = file.end.as_ref()?;
        let at = self.instant(end)?;
        let warm_up = &file.warm_up;
        if at > LONGEST {
            self.report(
                end,
                format!("the run would end after {at}"),
                "too long",
                format!("a run lasts {LONGEST} at most"),
            );
        } else if at <= warm_up.value.0 {
            let message = format!(
                "the run ends at {at}, within its warm-up of {}",
                warm_up.value.0
            );
            self.report(end, message, "too early", "put `end` after `warm_up`");
        }
        Some(at)
    }

    /// When a run ends in which people decide.
    fn game_end(&mut self, file: &File) -> Option<Nanos> {
        let end = file.gameday.end.as_ref()?;
        let at = self.instant(end)?;
        if at > LONGEST {
            let message = format!("the game day would end after {at}");
            let suggestion = format!("a run lasts {LONGEST} at most");
            self.report(end, message, "too long", suggestion);
        } else if at <= file.warm_up.value.0 {
            let message = format!("the game day ends at {at}, within the warm-up");
            self.report(end, message, "too early", "put `end` after `warm_up`");
        }
        Some(at)
    }

    fn interval(&mut self, file: &File) -> Nanos {
        let interval = file.interval.value.0.0;
        let millisecond = Nanos::from_millis(1);
        if !interval.0.is_multiple_of(millisecond.0) || interval < Nanos::from_millis(50) {
            self.report(
                &file.interval,
                format!("`interval` is {interval}"),
                "not a width of buckets",
                "write whole milliseconds, 50ms or more, for example \"1s\"",
            );
        } else if self.end.is_some_and(|end| interval > end) {
            let message = format!("`interval` is {interval}, longer than the run");
            let suggestion = "write a fraction of the run, for example \"1s\"";
            self.report(&file.interval, message, "too long", suggestion);
        }
        interval
    }

    fn load(&mut self, load: &file::Load, streams: Option<u32>) -> Option<Load> {
        let mut rate = Vec::new();
        if let Some(first) = &load.rate {
            self.rate(first);
            rate.push((Nanos::ZERO, first.value.0));
        }
        self.steps(&load.step, &mut rate);
        self.hedge(load);
        let mix = load.mix.iter().flat_map(|mix| &mix.value);
        let mix = mix.map(|entry| {
            Some(MixEntry {
                weight: entry.weight?,
                request: entry.request?.0,
                role: entry.role?.0,
                refused: entry.refused,
            })
        });
        let swing = load
            .swing
            .as_ref()
            .and_then(|swing| self.swing(swing, &rate));
        let shape = |mean| match swing {
            None => Shape::Constant(mean),
            Some((amplitude, period)) => Shape::Sine {
                mean,
                amplitude,
                period,
            },
        };
        let client = load.client.policy();
        let highest = rate.iter().map(|(_, rate)| rate.as_per_second());
        let highest = highest.fold(0.0, f64::max);
        // A swing at most doubles the rate.
        let highest = if swing.is_some() {
            2.0 * highest
        } else {
            highest
        };
        Some(Load {
            connections: load
                .connections
                .unwrap_or_else(|| connections(highest, &client).div_ceil(streams.unwrap_or(1))),
            process: load.arrivals.0,
            rate: rate
                .into_iter()
                .map(|(at, rate)| (at, shape(rate)))
                .collect(),
            mix: mix.collect::<Option<_>>()?,
            client,
            backlog: load.backlog,
            ..Load::default()
        })
    }

    /// Adds the steps to the first rate, in the order of time.
    fn steps(&mut self, steps: &[file::Step], rates: &mut Vec<(Nanos, Rate)>) {
        let mut all = Vec::new();
        for step in steps {
            let at = step.at.as_ref().and_then(|moment| {
                let at = self.instant(moment)?;
                self.before_the_end("a step of the rate", moment, at);
                Some(at)
            });
            if let Some(rate) = &step.rate {
                self.rate(rate);
                all.extend(at.map(|at| (at, rate.value.0, step.r#for.as_ref())));
            }
        }
        all.sort_by_key(|(at, ..)| *at);
        for (place, (at, rate, lasts)) in all.iter().enumerate() {
            let before = rates.last().map(|(_, rate)| *rate);
            rates.push((*at, *rate));
            let Some((lasts, before)) = lasts.zip(before) else {
                continue;
            };
            let over = at.saturating_add(lasts.value.0.0);
            match all.get(place + 1) {
                Some((next, ..)) if *next < over => self.report(
                    lasts,
                    format!("another step begins at {next}, while this one lasts"),
                    "too long",
                    "let it end before the next begins, or remove `for`",
                ),
                // The next step says what comes then.
                Some((next, ..)) if *next == over => {}
                _ => rates.push((over, before)),
            }
        }
    }

    fn hedge(&mut self, load: &file::Load) {
        let Some(after) = &load.client.hedge_after else {
            return;
        };
        let timeout = load.client.timeout.0.0;
        if after.value.0.0 >= timeout {
            self.report(
                after,
                format!("an attempt has timed out after {timeout}, before it would be hedged"),
                "too late",
                "write a fraction of `timeout`, such as the time that one answer of twenty takes",
            );
        }
        // What could not be read may be a request that is made twice.
        let twice = |entry: &file::Mix| entry.request.is_none_or(|it| it.0 == Request::ListTasks);
        if load
            .mix
            .as_ref()
            .is_some_and(|mix| !mix.value.iter().any(twice))
        {
            let message = "no request of `mix` may be made twice, so none is hedged";
            let suggestion = "add \"list tasks\" to `mix`, or remove this";
            self.report(after, message, "without effect", suggestion);
        }
    }

    /// Amplitude and period of a swing, which must not reach below zero at any rate.
    fn swing(&mut self, swing: &file::Swing, rates: &[(Nanos, Rate)]) -> Option<(Rate, Nanos)> {
        let amplitude = swing.amplitude.as_ref()?;
        let least = rates
            .iter()
            .map(|(_, rate)| *rate)
            .reduce(|a, b| if b < a { b } else { a })?;
        if amplitude.value.0 > least {
            self.report(
                amplitude,
                format!(
                    "`amplitude` is {}, more than the rate of {least}",
                    amplitude.value.0
                ),
                "would be a negative rate",
                format!("write at most {least}"),
            );
        }
        Some((amplitude.value.0, swing.period?.0.0))
    }

    fn rate(&mut self, rate: &Spanned<Text<Rate>>) {
        if rate.value.0.as_per_second() > RATE_MAX_PER_SECOND {
            self.report(
                rate,
                format!(
                    "a rate of {} is more than one machine can offer",
                    rate.value.0
                ),
                "too high",
                format!("write at most {RATE_MAX_PER_SECOND}/s"),
            );
        }
    }

    fn monitors(&mut self, monitors: &[file::Monitor]) -> Vec<MonitorPolicy> {
        self.unique("monitor", monitors.iter().map(|monitor| &monitor.name));
        let policies = monitors.iter().filter_map(|monitor| {
            let every = monitor.every?.0.0;
            let after_failure = monitor.after_failure.as_ref();
            Some(MonitorPolicy {
                name: monitor.name.as_ref()?.value.clone(),
                probe: monitor.probe.as_ref()?.0.0.clone(),
                count: monitor.count,
                every,
                every_after_failure: after_failure
                    .and_then(|after| after.every)
                    .map_or(every, |every| every.0.0),
                overlap: monitor.overlap,
                timeout: monitor.timeout.0.0,
                expect_status: monitor.expect_status.clone().map(|statuses| statuses.0),
                reconnects: None,
            })
        });
        policies.collect()
    }

    fn alerts(&mut self, alerts: &[file::Alert]) -> Vec<AlertRule> {
        self.unique("alert", alerts.iter().map(|alert| &alert.name));
        let rules = alerts.iter().filter_map(|alert| {
            let condition = alert.when.as_ref()?.value.0;
            Some(AlertRule {
                name: alert.name.as_ref()?.value.clone(),
                signal: condition.signal,
                above: condition.above,
                hold: alert.r#for.as_ref()?.value.0,
            })
        });
        rules.collect()
    }

    /// Reports a name that an earlier one of the same kind has.
    pub(super) fn unique<'a>(
        &mut self,
        kind: &str,
        names: impl Iterator<Item = &'a Option<Spanned<String>>>,
    ) {
        let mut seen = HashSet::new();
        for name in names.flatten() {
            if !seen.insert(name.value.as_str()) {
                let message = format!("another {kind} is called `{}`", name.value);
                self.report(name, message, "taken", "give it a name of its own");
            }
        }
    }

    /// The names of the tables of one kind; none where one of them could not be read,
    /// which may have any name.
    pub(super) fn names<'a>(
        &self,
        kind: &str,
        names: impl Iterator<Item = &'a Option<Spanned<String>>>,
    ) -> Option<BTreeSet<&'a str>> {
        let names: Option<_> = names
            .map(|name| Some(name.as_ref()?.value.as_str()))
            .collect();
        names.filter(|_| !self.file_lacks(kind))
    }

    /// Reports a name that is none of these, where they could be read.
    pub(super) fn known<T>(
        &mut self,
        kind: &str,
        at: &Spanned<T>,
        name: &str,
        names: Option<&BTreeSet<&str>>,
    ) {
        if let Some(names) = names.filter(|names| !names.contains(name)) {
            let names: Vec<&str> = names.iter().copied().collect();
            self.unknown(kind, at, name, &names);
        }
    }

    /// Reports a word that is none of the known.
    pub(super) fn unknown<T>(&mut self, what: &str, at: &Spanned<T>, word: &str, known: &[&str]) {
        let message = format!("there is no {what} `{word}`");
        self.report(at, message, format!("unknown {what}"), suggest(word, known));
    }
}

/// The names of the kinds of operation.
fn kinds_of(target: Option<&TargetSpec>, load: &Load) -> Vec<String> {
    match target {
        Some(target) => target.work.names().map(str::to_owned).collect(),
        None => load.mix.iter().map(MixEntry::name).collect(),
    }
}

/// How long operations in flight are waited for.
fn drain(file: &File) -> Nanos {
    let load = file.load.as_ref();
    let patience = load.map_or(Nanos::ZERO, |load| load.value.client.patience());
    let given = file.drain.as_ref().map(|drain| drain.value.0);
    given.unwrap_or_else(|| DRAIN.max(patience))
}

/// The fleet that a file names, or the usual one.
pub(super) fn fleet_of(file: &File) -> FleetSpec {
    named_fleet(file).map_or_else(|| file::Fleet::default().spec(), file::Fleet::spec)
}

fn named_fleet(file: &File) -> Option<&file::Fleet> {
    let fleet = file.target.as_ref()?.value.fleet.as_ref()?;
    Some(&fleet.value)
}

const fn recovery(rule: &file::Recovery) -> RecoveryRule {
    RecoveryRule {
        goodput: rule.goodput.0.0,
        error_margin: rule.error_margin.0.0,
        p99_factor: rule.p99_factor,
        p99_margin: rule.p99_margin.0,
        hold: rule.hold.0.0,
        operations_min: rule.operations_min,
        mitigated: rule.mitigated.0.0,
    }
}

/// Connections that a load at this rate can have in use at a time, with clients
/// as patient as these; a scenario that says nothing is not limited by them.
fn connections(per_second: f64, client: &ClientPolicy) -> u32 {
    let tries = f64::from(client.retries) + 1.0;
    let each = client.timeout.as_secs_f64() * tries;
    let patience = client
        .deadline
        .map_or(each, |deadline| deadline.as_secs_f64().min(each));
    let most = (per_second * patience).ceil();
    // Saturates where the product is past the range.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "no rate is negative, and a cast from a larger number saturates"
    )]
    let most = most as u32;
    most.max(Load::CONNECTIONS_LEAST)
}
