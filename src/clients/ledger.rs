//! Counts everything that happens, and closes an interval at each edge.
//!
//! It is told what happened in the order of time; an edge is closed before
//! anything at or after it is counted, so that in every interval what started
//! is what ended plus the change of what is in flight, exactly.

use super::buckets::{Buckets, whole_millis};
use super::spent::Times;
use crate::model::{FailureCause, SourceName, Terminal, Tracing, Unanswered};
use crate::plan::Draft;
use crate::record::{
    AttemptCounters, Counters, FailureCounters, GeneratorCounters, Histogram, Measure,
    ProbeCounters, Sample, SlowOperation, StatusCounters,
};
use crate::units::Nanos;

/// Whose traffic an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Users'.
    User,
    /// Monitors'.
    Monitor,
}

impl Class {
    /// The source of its samples.
    pub const fn source(self) -> SourceName {
        match self {
            Self::User => SourceName::User,
            Self::Monitor => SourceName::Monitor,
        }
    }
}

/// Which try of its step an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    /// The first of its step.
    First,
    /// After another had ended.
    Retry,
    /// Beside a first try that is still unanswered.
    Hedge,
    /// The same request again, since the kept connection had gone stale.
    Resend,
}

/// What carried the attempts says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WireReport {
    /// Processor time that its thread has used in all.
    pub cpu: Nanos,
    /// How long its thread has waited for a processor in all.
    pub delayed: Nanos,
    /// How long it was away since the last report: more than 5 ms late back from a wait, or
    /// as long in one turn.
    pub away: Nanos,
    /// How long it has spun on purpose since the last report.
    pub spun: Nanos,
    /// Bytes handed over since the last report.
    pub sent_bytes: u64,
    /// Bytes taken since the last report.
    pub received_bytes: u64,
    /// Connections opened since the last report.
    pub connections_opened: u64,
    /// Connections that are open now.
    pub connections_open: u64,
}

impl WireReport {
    /// The report so far; what is counted since the last begins anew.
    pub fn take(&mut self) -> Self {
        let taken = *self;
        *self = Self {
            connections_open: taken.connections_open,
            delayed: taken.delayed,
            ..Self::default()
        };
        taken
    }
}

/// The attempts of one traffic class.
#[derive(Debug, Default)]
struct Attempts {
    counters: AttemptCounters,
    failures: FailureCounters,
    statuses: StatusCounters,
    service: Histogram,
    in_flight: u64,
    started_before: u64,
    ended_before: u64,
}

impl Attempts {
    /// Tells the interval's samples, those of failures and of statuses where there were
    /// any; what is in flight is carried over.
    fn close(&mut self, source: SourceName, from: Nanos, to: Nanos, emit: &mut dyn FnMut(Sample)) {
        let failures = std::mem::take(&mut self.failures);
        if failures != FailureCounters::default() {
            emit(Sample {
                from,
                to,
                source: source.clone(),
                counters: Counters::Failures(failures),
                histograms: Vec::new(),
            });
        }
        let statuses = std::mem::take(&mut self.statuses);
        if statuses != StatusCounters::default() {
            emit(Sample {
                from,
                to,
                source: source.clone(),
                counters: Counters::Statuses(statuses),
                histograms: Vec::new(),
            });
        }
        let mut counters = std::mem::take(&mut self.counters);
        counters.in_flight = self.in_flight;
        self.started_before += counters.started();
        self.ended_before += counters.ended();
        debug_assert_eq!(self.started_before, self.ended_before + self.in_flight);
        emit(Sample {
            from,
            to,
            source,
            counters: Counters::Attempts(counters),
            histograms: taken([(Measure::Service, &mut self.service)]),
        });
    }
}

/// Copies of the histograms that hold something; the originals keep their memory.
fn taken<const N: usize>(histograms: [(Measure, &mut Histogram); N]) -> Vec<(Measure, Histogram)> {
    let mut copies = Vec::new();
    for (measure, histogram) in histograms {
        if !histogram.is_empty() {
            copies.push((measure, histogram.packed()));
            histogram.clear();
        }
    }
    copies
}

/// By what is counted apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    /// Width of an interval.
    pub interval: Nanos,
    /// When the load ends.
    pub end: Nanos,
    /// Kinds of operation that have figures of their own.
    pub kinds: usize,
    /// Groups of monitors.
    pub monitors: usize,
    /// What requests say of their traces.
    pub trace: Option<Tracing>,
}

/// What is counted, on both time axes.
#[derive(Debug)]
pub(super) struct Ledger {
    interval: Nanos,
    from: Nanos,
    buckets: Buckets,
    user: Attempts,
    monitor: Attempts,
    /// Of each group of monitors, where there are several.
    probes: Vec<ProbeCounters>,
    generator: GeneratorCounters,
    send_lag: Histogram,
    pool_wait: Histogram,
    /// Waits for a connection that were none, which most are.
    unwaited: u64,
    waiting: u64,
    cpu_before: Nanos,
    delayed_before: Nanos,
}

impl Ledger {
    /// An empty ledger; `cpu` and `delayed`: processor time that the thread has used,
    /// and waited for, before the load.
    pub(super) fn new(axis: Axis, cpu: Nanos, delayed: Nanos) -> Self {
        let Axis {
            interval,
            end,
            kinds,
            monitors,
            trace,
        } = axis;
        let groups = if monitors > 1 { monitors } else { 0 };
        Self {
            interval,
            from: Nanos::ZERO,
            buckets: Buckets::new(interval, end, kinds).traced(trace),
            user: Attempts::default(),
            monitor: Attempts::default(),
            probes: vec![ProbeCounters::default(); groups],
            generator: GeneratorCounters::default(),
            send_lag: Histogram::new(),
            pool_wait: Histogram::new(),
            unwaited: 0,
            waiting: 0,
            cpu_before: cpu,
            delayed_before: delayed,
        }
    }

    /// The load ends at `at`, in whole milliseconds: nothing is scheduled from then on.
    pub(super) fn end_at(&mut self, at: Nanos) {
        self.buckets.end_at(at);
    }

    /// The instant at which the interval must be closed.
    pub(super) fn edge(&self) -> Nanos {
        self.from + self.interval
    }

    /// Closes every interval whose edge has come; what the wire reports counts in
    /// the first.
    pub(super) fn roll(&mut self, now: Nanos, wire: WireReport, emit: &mut dyn FnMut(Sample)) {
        self.reported(wire);
        self.close_past(now, wire.cpu, emit);
    }

    fn reported(&mut self, wire: WireReport) {
        let generator = &mut self.generator;
        generator.spin_ns += wire.spun.0;
        generator.away_ns += wire.away.0;
        generator.sent_bytes += wire.sent_bytes;
        generator.received_bytes += wire.received_bytes;
        generator.connections_opened += wire.connections_opened;
        generator.connections_open = wire.connections_open;
        let delayed = wire.delayed.saturating_sub(self.delayed_before);
        generator.delayed_ns += delayed.0;
        self.delayed_before = wire.delayed.max(self.delayed_before);
    }

    fn close_past(&mut self, now: Nanos, cpu: Nanos, emit: &mut dyn FnMut(Sample)) {
        while now >= self.edge() {
            let edge = self.edge();
            self.close_interval(edge, cpu, emit);
            self.from = edge;
        }
    }

    /// Lets the buckets of operations go that are final.
    pub(super) fn settle(&mut self, now: Nanos, scheduled_to: Nanos, emit: &mut dyn FnMut(Sample)) {
        self.buckets.settle(now, scheduled_to, emit);
    }

    /// The slowest operations of the buckets that have gone since this was asked last, of
    /// those whose traces are recorded.
    pub(super) fn take_slowest(&mut self) -> Vec<SlowOperation> {
        self.buckets.take_slowest()
    }

    /// Closes everything at the stop.
    pub(super) fn close(&mut self, now: Nanos, wire: WireReport, emit: &mut dyn FnMut(Sample)) {
        self.roll(now, wire, emit);
        let to = whole_millis(self.from, now).min(self.edge());
        self.close_interval(to, wire.cpu, emit);
        self.buckets.close(now, emit);
    }

    fn close_interval(&mut self, to: Nanos, cpu: Nanos, emit: &mut dyn FnMut(Sample)) {
        let from = self.from;
        self.user.close(SourceName::User, from, to, emit);
        self.monitor.close(SourceName::Monitor, from, to, emit);
        for (place, probes) in self.probes.iter_mut().enumerate() {
            let counters = std::mem::take(probes);
            if counters != ProbeCounters::default() {
                emit(Sample {
                    from,
                    to,
                    source: SourceName::of_monitor(place),
                    counters: Counters::Probes(counters),
                    histograms: Vec::new(),
                });
            }
        }
        let mut counters = std::mem::take(&mut self.generator);
        self.generator.connections_open = counters.connections_open;
        self.generator.backlog_max = self.waiting;
        counters.threads = 1;
        let cpu_ns = cpu.saturating_sub(self.cpu_before).0;
        counters.cpu_ns = cpu_ns.saturating_sub(counters.spin_ns);
        self.cpu_before = cpu;
        let unwaited = std::mem::take(&mut self.unwaited);
        if unwaited > 0 {
            self.pool_wait.record_times(Nanos::ZERO, unwaited);
        }
        let histograms = taken([
            (Measure::SendLag, &mut self.send_lag),
            (Measure::PoolWait, &mut self.pool_wait),
        ]);
        emit(Sample {
            from,
            to,
            source: SourceName::Generator,
            counters: Counters::Generator(counters),
            histograms,
        });
    }

    const fn class(&mut self, class: Class) -> &mut Attempts {
        match class {
            Class::User => &mut self.user,
            Class::Monitor => &mut self.monitor,
        }
    }

    /// An operation was scheduled.
    pub(super) fn scheduled(&mut self, draft: &Draft) {
        self.buckets.scheduled(draft);
        self.generator.scheduled += 1;
    }

    /// An operation has ended so; `times`: the parts of its time.
    pub(super) fn operation_ended(
        &mut self,
        draft: &Draft,
        terminal: Terminal,
        end: Nanos,
        times: &Times,
    ) {
        self.buckets.ended(draft, terminal, end, times);
        self.ended(Class::User, terminal == Terminal::Succeeded);
    }

    /// An operation is under way at the stop, and has been waited for so long; `sent`: whether
    /// anything of it was.
    pub(super) fn unfinished(&mut self, draft: &Draft, waited: Nanos, sent: bool) {
        self.buckets.unfinished(draft, waited, sent);
    }

    /// An operation was not sent, because the generator was late by so much.
    pub(super) fn never_sent(&mut self, draft: &Draft, lag: Nanos) {
        self.buckets.never_sent(draft);
        self.send_lag(lag);
    }

    /// An operation or a probe has ended.
    pub(super) const fn ended(&mut self, class: Class, well: bool) {
        let counters = &mut self.class(class).counters;
        if well {
            counters.ended_well += 1;
        } else {
            counters.ended_badly += 1;
        }
    }

    /// A probe of this group of monitors has ended.
    pub(super) fn probe_ended(&mut self, group: usize, well: bool) {
        self.ended(Class::Monitor, well);
        if let Some(probes) = self.probes.get_mut(group) {
            if well {
                probes.ended_well += 1;
            } else {
                probes.ended_badly += 1;
            }
        }
    }

    /// An attempt started.
    pub(super) const fn attempt_started(&mut self, class: Class, which: Try) {
        let attempts = self.class(class);
        attempts.in_flight += 1;
        match which {
            Try::First => attempts.counters.first_tries += 1,
            Try::Retry => attempts.counters.retries += 1,
            Try::Hedge => attempts.counters.hedges += 1,
            Try::Resend => attempts.counters.resends += 1,
        }
    }

    /// An attempt was answered after `service`, counted from its send, where that is known.
    pub(super) fn answered(&mut self, class: Class, status: u16, service: Option<Nanos>) {
        let attempts = self.class(class);
        attempts.in_flight -= 1;
        if let Some(service) = service {
            attempts.service.record(service);
        }
        attempts.statuses.count(status);
        let counters = &mut attempts.counters;
        counters.responses += 1;
        counters.count_status(status);
    }

    /// An attempt failed: it ended without a response, or its response was not as
    /// expected, which is counted as a response already.
    pub(super) const fn failed(&mut self, class: Class, cause: FailureCause) {
        let attempts = self.class(class);
        attempts.failures.count(cause);
        let counters = &mut attempts.counters;
        let counter = match cause.counted() {
            None => return,
            Some(Unanswered::TimedOut) => &mut counters.timeouts,
            Some(Unanswered::Connection) => &mut counters.connection_errors,
            Some(Unanswered::Protocol) => &mut counters.protocol_errors,
        };
        *counter += 1;
        attempts.in_flight -= 1;
    }

    /// An attempt is under way at the stop.
    pub(super) const fn attempt_unfinished(&mut self, class: Class) {
        let attempts = self.class(class);
        attempts.in_flight -= 1;
        attempts.counters.unfinished += 1;
    }

    /// Nobody waits for an attempt any more.
    pub(super) const fn cancelled(&mut self, class: Class) {
        let attempts = self.class(class);
        attempts.in_flight -= 1;
        attempts.counters.cancelled += 1;
    }

    /// A first try was sent so long after it could have been.
    pub(super) fn send_lag(&mut self, lag: Nanos) {
        self.send_lag.record(lag);
    }

    /// An operation waited so long for a connection.
    pub(super) fn pool_wait(&mut self, wait: Nanos) {
        if wait == Nanos::ZERO {
            self.unwaited += 1;
        } else {
            self.pool_wait.record(wait);
        }
    }

    /// So many operations wait for a connection from now on.
    pub(super) fn waiting(&mut self, count: usize) {
        self.waiting = count as u64;
        self.generator.backlog_max = self.generator.backlog_max.max(self.waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_what_happened_in_it_and_levels_are_carried_over() {
        let ms = Nanos::from_millis;
        let mut ledger = Ledger::new(
            Axis {
                interval: ms(100),
                end: ms(1000),
                kinds: 1,
                monitors: 0,
                trace: None,
            },
            ms(1),
            ms(2),
        );
        ledger.attempt_started(Class::User, Try::First);
        ledger.attempt_started(Class::User, Try::Retry);
        ledger.waiting(7);
        ledger.waiting(2);
        let mut samples = Vec::new();
        let report = WireReport {
            cpu: ms(3),
            connections_opened: 1,
            connections_open: 1,
            ..WireReport::default()
        };
        ledger.roll(ms(250), report, &mut |sample| samples.push(sample)); // two edges at once
        ledger.answered(Class::User, 200, Some(ms(5)));
        ledger.failed(Class::User, FailureCause::NoAnswer);
        let report = WireReport {
            cpu: ms(4),
            connections_open: 1,
            ..WireReport::default()
        };
        ledger.close(Nanos(299_000_001), report, &mut |sample| {
            samples.push(sample);
        });
        let mut user = Vec::new();
        let mut generator = Vec::new();
        for sample in &samples {
            match (&sample.source, sample.counters) {
                (SourceName::User, Counters::Attempts(counters)) => {
                    user.push((sample.from, sample.to, counters));
                }
                (SourceName::Generator, Counters::Generator(counters)) => generator.push(counters),
                _ => {}
            }
        }
        let spans: Vec<_> = user.iter().map(|(from, to, _)| (*from, *to)).collect();
        assert_eq!(
            spans,
            [(ms(0), ms(100)), (ms(100), ms(200)), (ms(200), ms(300))]
        );
        let in_flight: Vec<_> = user
            .iter()
            .map(|(_, _, counters)| counters.in_flight)
            .collect();
        assert_eq!(in_flight, [2, 2, 0]);
        assert_eq!(
            (user[0].2.started(), user[1].2.started(), user[2].2.ended()),
            (2, 0, 2)
        );
        let read: Vec<_> = generator
            .iter()
            .map(|counters| {
                (
                    counters.cpu_ns,
                    counters.connections_open,
                    counters.backlog_max,
                )
            })
            .collect();
        assert_eq!(read, [(2_000_000, 1, 7), (0, 1, 2), (1_000_000, 1, 2)]);
    }
}
