//! Operations by the bucket of their intended start: what users felt.
//!
//! A bucket is final only when its last operation has ended, so several are
//! open at a time; each leaves once, whole.

use std::collections::VecDeque;

use super::slowest::{SlowDraft, Slowest};
use super::spent::Times;
use crate::model::{FailureKind, SourceName, Terminal, Tracing};
use crate::plan::Draft;
use crate::record::{Counters, Histogram, Measure, OperationCounters, Sample, SlowOperation};
use crate::units::Nanos;

/// Operations of one kind.
#[derive(Debug, Clone, Default)]
struct Part {
    counters: OperationCounters,
    response: Histogram,
    /// Of those that did not succeed.
    unserved: Histogram,
    /// The generator's parts of response times, without those that are zero.
    own: Histogram,
    under_way: u64,
}

/// One part for each kind of operation, which make the whole when it leaves.
#[derive(Debug)]
struct Bucket {
    parts: Vec<Part>,
    slowest: Slowest,
}

/// The buckets that have not left yet.
#[derive(Debug)]
pub(super) struct Buckets {
    interval: Nanos,
    end: Nanos,
    /// Kinds of operation that have figures of their own; one where there is only one.
    kinds: usize,
    /// Index of the first bucket kept; bucket i starts at i × interval.
    first: u64,
    /// None: has left already, ahead of its elders.
    kept: VecDeque<Option<Bucket>>,
    /// What requests say of their traces.
    trace: Option<Tracing>,
    /// The slowest operations of the buckets that have left.
    slowest: Vec<SlowOperation>,
}

impl Buckets {
    /// Buckets on the grid of `interval` from zero to `end`, where the last is cut short.
    pub(super) fn new(interval: Nanos, end: Nanos, kinds: usize) -> Self {
        Self {
            interval,
            end,
            kinds: kinds.max(1),
            first: 0,
            kept: VecDeque::new(),
            trace: None,
            slowest: Vec::new(),
        }
    }

    /// The same, which note the slowest operations whose traces are recorded.
    pub(super) fn traced(self, trace: Option<Tracing>) -> Self {
        Self { trace, ..self }
    }

    /// The last bucket ends at `at`, before which everything was scheduled.
    pub(super) fn end_at(&mut self, at: Nanos) {
        self.end = self.end.min(at);
    }

    /// The slowest operations of the buckets that have left since this was asked last.
    pub(super) fn take_slowest(&mut self) -> Vec<SlowOperation> {
        std::mem::take(&mut self.slowest)
    }

    /// Notes how long an operation was waited for of which something was sent, where its
    /// trace is recorded.
    fn note_slow(&mut self, draft: &Draft, response: Nanos, succeeded: bool) {
        if self.trace.is_some_and(|it| it.is_sampled(draft.number)) {
            self.bucket(draft).slowest.note(SlowDraft {
                intended: draft.intended,
                response,
                succeeded,
                number: draft.number,
            });
        }
    }

    /// An operation was scheduled.
    pub(super) fn scheduled(&mut self, draft: &Draft) {
        let part = self.at(draft);
        part.counters.scheduled += 1;
        part.under_way += 1;
    }

    /// An operation has ended so at `end`; `times`: the parts of its time.
    pub(super) fn ended(&mut self, draft: &Draft, terminal: Terminal, end: Nanos, times: &Times) {
        let response = end.saturating_sub(draft.intended + times.thinking);
        let sent = match terminal {
            Terminal::Shed | Terminal::ShedByBreaker => false,
            // It may have waited for a connection until then: nobody has a trace of it.
            Terminal::MissedDeadline => times.target > Nanos::ZERO,
            Terminal::Succeeded | Terminal::Failed(_) | Terminal::TimedOut => true,
        };
        if sent {
            self.note_slow(draft, response, terminal == Terminal::Succeeded);
        }
        let part = self.at(draft);
        part.under_way -= 1;
        let counters = &mut part.counters;
        add(counters, response, times);
        if terminal == Terminal::Succeeded {
            part.response.record(response);
            if times.generator > Nanos::ZERO {
                part.own.record(times.generator);
            }
        } else {
            part.unserved.record(response);
            counters.note_failed(draft.intended);
        }
        let counter = match terminal {
            Terminal::Succeeded => &mut counters.succeeded,
            Terminal::Failed(FailureKind::ServerError) => &mut counters.failed_server_error,
            Terminal::Failed(FailureKind::Refused) => &mut counters.failed_refused,
            Terminal::Failed(FailureKind::WronglyAllowed) => &mut counters.failed_wrongly_allowed,
            Terminal::Failed(FailureKind::Check) => &mut counters.failed_check,
            Terminal::Failed(FailureKind::Connection) => &mut counters.failed_connection,
            Terminal::Failed(FailureKind::Protocol) => &mut counters.failed_protocol,
            Terminal::TimedOut => &mut counters.timed_out,
            Terminal::MissedDeadline => &mut counters.missed_deadline,
            Terminal::Shed => &mut counters.shed,
            Terminal::ShedByBreaker => {
                counters.shed_by_breaker += 1;
                &mut counters.shed
            }
        };
        *counter += 1;
    }

    /// An operation has been waited for so long, and will not end; `sent`: whether anything
    /// of it was.
    pub(super) fn unfinished(&mut self, draft: &Draft, waited: Nanos, sent: bool) {
        if sent {
            self.note_slow(draft, waited, false);
        }
        self.at(draft).unserved.record(waited);
    }

    /// An operation was not sent, because the generator was late.
    pub(super) fn never_sent(&mut self, draft: &Draft) {
        self.at(draft).counters.never_sent += 1;
    }

    /// Lets the buckets go that lie before `now`, whose operations have all
    /// been scheduled (`scheduled_to`: the next one's intended start) and have
    /// all ended.
    pub(super) fn settle(&mut self, now: Nanos, scheduled_to: Nanos, emit: &mut dyn FnMut(Sample)) {
        let past = now.min(scheduled_to);
        self.extend(past.min(self.end));
        for index in self.first..self.first + self.kept.len() as u64 {
            if self.bounds(index).1 > past {
                break;
            }
            let place = self.place(index);
            if let Some(bucket) = self.kept[place].take_if(|bucket| bucket.is_final()) {
                self.keep_slowest(&bucket);
                self.tell(index, bucket, Nanos::MAX, emit);
            }
        }
        while matches!(self.kept.front(), Some(None)) {
            self.kept.pop_front();
            self.first += 1;
        }
    }

    /// Lets everything go at the stop: what is under way is unfinished.
    pub(super) fn close(&mut self, now: Nanos, emit: &mut dyn FnMut(Sample)) {
        self.extend(now.min(self.end));
        for (index, bucket) in (self.first..).zip(std::mem::take(&mut self.kept)) {
            let Some(mut bucket) = bucket else { continue };
            self.keep_slowest(&bucket);
            for part in &mut bucket.parts {
                part.counters.unfinished = std::mem::take(&mut part.under_way);
            }
            self.tell(index, bucket, now, emit);
        }
    }

    fn bounds(&self, index: u64) -> (Nanos, Nanos) {
        let from = self.interval * index;
        (from, (from + self.interval).min(self.end))
    }

    fn place(&self, index: u64) -> usize {
        usize::try_from(index - self.first).expect("as many buckets as fit in memory")
    }

    fn keep_slowest(&mut self, bucket: &Bucket) {
        if let Some(trace) = self.trace {
            self.slowest.extend(bucket.slowest.traced(trace));
        }
    }

    fn bucket(&mut self, draft: &Draft) -> &mut Bucket {
        let index = draft.intended.0 / self.interval.0;
        self.extend(Nanos(draft.intended.0 + 1));
        let place = self.place(index);
        let bucket = self.kept[place].as_mut();
        bucket.expect("a bucket leaves after its last operation")
    }

    fn at(&mut self, draft: &Draft) -> &mut Part {
        let bucket = self.bucket(draft);
        let kind = usize::from(draft.entry).min(bucket.parts.len() - 1);
        &mut bucket.parts[kind]
    }

    /// Makes every bucket that starts before `to`, so that empty ones are told as well.
    fn extend(&mut self, to: Nanos) {
        while self.interval * (self.first + self.kept.len() as u64) < to {
            let parts = vec![Part::default(); self.kinds];
            let slowest = Slowest::default();
            self.kept.push_back(Some(Bucket { parts, slowest }));
        }
    }

    /// Tells a bucket as a whole, and where there are several kinds each of them; cut off
    /// at the stop where it reaches past it.
    fn tell(&self, index: u64, bucket: Bucket, stop: Nanos, emit: &mut dyn FnMut(Sample)) {
        let (from, to) = self.bounds(index);
        let to = to.min(whole_millis(from, stop));
        if bucket.parts.len() > 1 {
            for (place, part) in bucket.parts.iter().enumerate() {
                if part.counters.scheduled > 0 {
                    emit(part.sample(from, to, SourceName::of_kind(place)));
                }
            }
        }
        emit(bucket.whole().sample(from, to, SourceName::User));
    }
}

impl Bucket {
    fn is_final(&self) -> bool {
        self.parts.iter().all(|part| part.under_way == 0)
    }

    fn whole(self) -> Part {
        let mut parts = self.parts.into_iter();
        let mut whole = parts.next().unwrap_or_default();
        for part in parts {
            whole.counters.merge(&part.counters);
            whole.response.merge(&part.response);
            whole.unserved.merge(&part.unserved);
            whole.own.merge(&part.own);
        }
        whole
    }
}

impl Part {
    fn sample(&self, from: Nanos, to: Nanos, source: SourceName) -> Sample {
        debug_assert!(self.counters.conserved(), "{:?}", self.counters);
        let mut histograms = Vec::new();
        for (measure, histogram) in [
            (Measure::Response, &self.response),
            (Measure::Unserved, &self.unserved),
            (Measure::Own, &self.own),
        ] {
            if !histogram.is_empty() {
                histograms.push((measure, histogram.packed()));
            }
        }
        Sample {
            from,
            to,
            source,
            counters: Counters::Operations(self.counters),
            histograms,
        }
    }
}

const fn add(counters: &mut OperationCounters, response: Nanos, times: &Times) {
    counters.response_ns += response.0;
    counters.target_ns += times.target.0;
    counters.connection_wait_ns += times.connection_wait.0;
    counters.pause_ns += times.pauses.0;
    counters.generator_ns += times.generator.0;
    counters.think_ns += times.thinking.0;
}

/// `instant` rounded up to whole milliseconds, and at least one after `from`.
pub(super) const fn whole_millis(from: Nanos, instant: Nanos) -> Nanos {
    let millis = instant.0.div_ceil(1_000_000).saturating_mul(1_000_000);
    let least = from.0 + 1_000_000;
    Nanos(if millis < least { least } else { millis })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(value: u64) -> Nanos {
        Nanos::from_millis(value)
    }

    fn draft(intended: u64, entry: u16) -> Draft {
        Draft {
            intended: ms(intended),
            entry,
            subject: 0,
            user: 0,
            number: 0,
            chance: 0,
        }
    }

    /// All of its time was the target's.
    fn ended(buckets: &mut Buckets, intended: u64, terminal: Terminal, end: u64) {
        let times = Times {
            target: ms(end - intended),
            ..Times::default()
        };
        buckets.ended(&draft(intended, 0), terminal, ms(end), &times);
    }

    fn counters(sample: &Sample) -> OperationCounters {
        match sample.counters {
            Counters::Operations(counters) => counters,
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_bucket_leaves_once_and_whole() {
        let mut buckets = Buckets::new(ms(100), ms(250), 1);
        let mut left = Vec::new();
        for at in [10, 110, 120] {
            buckets.scheduled(&draft(at, 0));
        }
        ended(&mut buckets, 110, Terminal::Succeeded, 150);
        buckets.settle(ms(199), ms(260), &mut |sample| left.push(sample));
        assert_eq!(left.len(), 0); // the first has one under way, the second is not past
        ended(&mut buckets, 120, Terminal::TimedOut, 205);
        buckets.settle(ms(205), ms(150), &mut |sample| left.push(sample));
        assert_eq!(left.len(), 0); // one more may be scheduled at 150
        buckets.settle(ms(205), ms(210), &mut |sample| left.push(sample));
        assert_eq!(left.len(), 1); // the second, ahead of the first
        buckets.scheduled(&draft(210, 0));
        ended(&mut buckets, 10, Terminal::Shed, 206);
        buckets.settle(ms(249), Nanos::MAX, &mut |sample| left.push(sample));
        buckets.close(ms(240), &mut |sample| left.push(sample));
        let spans: Vec<_> = left.iter().map(|sample| (sample.from, sample.to)).collect();
        assert_eq!(
            spans,
            [(ms(100), ms(200)), (ms(0), ms(100)), (ms(200), ms(240))]
        );
        let all: Vec<_> = left.iter().map(counters).collect();
        assert_eq!((all[0].succeeded, all[0].timed_out, all[1].shed), (1, 1, 1));
        let first: Vec<_> = all.iter().map(OperationCounters::first_failed).collect();
        assert_eq!(first, [Some(ms(120)), Some(ms(10)), None]);
        assert_eq!((all[2].scheduled, all[2].unfinished), (1, 1));
        assert!(all.iter().all(OperationCounters::conserved));
        let response = left[0].histogram(Measure::Response).unwrap();
        assert_eq!(response.count(), 1);
    }

    #[test]
    fn of_what_was_never_sent_no_trace_is_named() {
        let trace = Tracing {
            share: crate::units::Ratio::WHOLE,
            salt: 1,
        };
        let mut buckets = Buckets::new(ms(100), ms(100), 1).traced(Some(trace));
        for at in [10, 20, 30, 40, 50] {
            buckets.scheduled(&draft(at, 0));
        }
        ended(&mut buckets, 10, Terminal::MissedDeadline, 60);
        let waited = Times {
            connection_wait: ms(70),
            ..Times::default()
        };
        buckets.ended(&draft(20, 0), Terminal::MissedDeadline, ms(90), &waited);
        ended(&mut buckets, 30, Terminal::Shed, 30);
        buckets.unfinished(&draft(40, 0), ms(55), true);
        buckets.unfinished(&draft(50, 0), ms(45), false);
        buckets.close(ms(95), &mut |_| {});
        let mut named = buckets.take_slowest();
        named.sort_by_key(|it| it.intended);
        let named: Vec<_> = named.iter().map(|it| (it.intended, it.response)).collect();
        assert_eq!(named, [(ms(10), ms(50)), (ms(40), ms(55))]);
    }

    #[test]
    fn empty_buckets_are_told_and_the_last_is_cut_short() {
        let mut buckets = Buckets::new(ms(100), ms(250), 1);
        let mut left = Vec::new();
        buckets.settle(ms(400), Nanos::MAX, &mut |sample| left.push(sample));
        let spans: Vec<_> = left.iter().map(|sample| (sample.from, sample.to)).collect();
        assert_eq!(
            spans,
            [(ms(0), ms(100)), (ms(100), ms(200)), (ms(200), ms(250))]
        );
        buckets.close(ms(400), &mut |_| panic!("all have left"));
    }

    #[test]
    fn kinds_are_told_one_by_one_and_add_up_to_the_whole() {
        let mut buckets = Buckets::new(ms(100), ms(100), 3);
        let mut left = Vec::new();
        for (at, kind) in [(10, 0), (20, 2), (30, 2)] {
            buckets.scheduled(&draft(at, kind));
        }
        let of_target = |millis| Times {
            target: ms(millis),
            ..Times::default()
        };
        buckets.ended(&draft(10, 0), Terminal::Succeeded, ms(15), &of_target(5));
        buckets.ended(&draft(20, 2), Terminal::TimedOut, ms(70), &of_target(50));
        buckets.close(ms(90), &mut |sample| left.push(sample));
        let told: Vec<_> = left
            .iter()
            .map(|sample| (sample.source.to_string(), counters(sample).scheduled))
            .collect();
        let named = |name: &str, count| (name.to_owned(), count);
        assert_eq!(
            told,
            [named("kind 1", 1), named("kind 3", 2), named("user", 3)]
        );
        let whole = counters(&left[2]);
        assert_eq!(
            (whole.succeeded, whole.timed_out, whole.unfinished),
            (1, 1, 1)
        );
        assert_eq!(left[2].histogram(Measure::Unserved).unwrap().count(), 1);
    }
}
