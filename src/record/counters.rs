//! What is counted in each interval, one struct for each thing that counts.
//!
//! All values are integers and merge by addition, except those that end in
//! `_max`, which merge by maximum, and those that end in `_min`, which merge to
//! the least that is not zero (zero: there was none); so slices, threads and
//! machines add up exactly. Times are in nanoseconds and end in `_ns`; an `_ns` counter of a
//! level is its time integral (level × nanoseconds).

use crate::model::FailureCause;
use crate::units::Nanos;

/// Declares a struct of counters that can be written to and read from rows.
macro_rules! counters {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
        // A journal that is older than a counter is still read.
        #[serde(default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: u64,)*
        }

        impl $name {
            /// Every counter with its name, in order.
            pub fn rows(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($field), self.$field)),*]
            }

            /// Gives every counter the next value, in order.
            pub(super) fn fill(&mut self, next: &mut dyn FnMut() -> u64) {
                $(self.$field = next();)*
            }

            /// Merges one value into the counter of this name; false where there is none.
            pub fn merge_row(&mut self, name: &str, value: u64) -> bool {
                match name {
                    $(stringify!($field) => merge(stringify!($field), &mut self.$field, value),)*
                    _ => return false,
                }
                true
            }

            /// Merges another interval's or another slice's counters into these.
            pub fn merge(&mut self, other: &Self) {
                $(merge(stringify!($field), &mut self.$field, other.$field);)*
            }
        }
    };
}

fn merge(name: &str, into: &mut u64, value: u64) {
    if name.ends_with("_max") {
        *into = (*into).max(value);
    } else if name.ends_with("_min") {
        *into = match (*into, value) {
            (one, 0) => one,
            (0, other) => other,
            (one, other) => one.min(other),
        };
    } else {
        // A damaged series may hold any number; a sum past the range stays at its end.
        *into = into.saturating_add(value);
    }
}

counters! {
    /// Operations of users, by the bucket of their **intended start**; written
    /// once the last operation of the bucket has ended, or at the stop.
    OperationCounters {
        /// Scheduled for this bucket.
        scheduled,
        /// The expected response came before the deadline.
        succeeded,
        /// Last attempt answered with an unexpected 5xx status.
        failed_server_error,
        /// Last attempt answered with another unexpected status.
        failed_refused,
        /// Answered though it should have been refused.
        failed_wrongly_allowed,
        /// Answered with an expected status, and the rest was not as expected.
        failed_check,
        /// Last attempt's connection refused, reset or closed.
        failed_connection,
        /// Last attempt's response was not HTTP.
        failed_protocol,
        /// Last attempt ran into its timeout before the deadline.
        timed_out,
        /// The deadline came first.
        missed_deadline,
        /// Given up by the generator at its backlog bound, or by its circuit breaker.
        shed,
        /// Of them: by the circuit breaker, as the client it plays would.
        shed_by_breaker,
        /// Still under way when the observation stopped: censored.
        unfinished,
        /// Intended start of the first that ended without success, in
        /// nanoseconds since the load's zero plus one; zero where none did.
        first_failed_min,
        /// Never sent, because the generator was late; they ended in one of the ways above.
        never_sent,
        /// Response times of all that ended, however, added up; the next four are its parts.
        response_ns,
        /// The target's part, with its network and accept queue.
        target_ns,
        /// Waiting for a connection.
        connection_wait_ns,
        /// Pauses before retries.
        pause_ns,
        /// The generator's part and its machine's.
        generator_ns,
        /// Pauses of users between steps, which are in no response time.
        think_ns,
    }
}

impl OperationCounters {
    /// Operations that failed, whatever the kind.
    pub const fn failed(&self) -> u64 {
        self.failed_server_error
            .saturating_add(self.failed_refused)
            .saturating_add(self.failed_wrongly_allowed)
            .saturating_add(self.failed_check)
            .saturating_add(self.failed_connection)
            .saturating_add(self.failed_protocol)
    }

    /// Operations that ended: all but the unfinished.
    pub const fn ended(&self) -> u64 {
        self.succeeded
            .saturating_add(self.failed())
            .saturating_add(self.timed_out)
            .saturating_add(self.missed_deadline)
            .saturating_add(self.shed)
    }

    /// Operations shed at the generator's backlog bound.
    pub(crate) const fn shed_by_backlog(&self) -> u64 {
        self.shed.saturating_sub(self.shed_by_breaker)
    }

    /// Notes that an operation with this intended start ended without success.
    pub const fn note_failed(&mut self, intended: Nanos) {
        let noted = intended.0.saturating_add(1);
        if self.first_failed_min == 0 || noted < self.first_failed_min {
            self.first_failed_min = noted;
        }
    }

    /// The intended start of the first operation that ended without success.
    pub const fn first_failed(&self) -> Option<Nanos> {
        match self.first_failed_min.checked_sub(1) {
            Some(intended) => Some(Nanos(intended)),
            None => None,
        }
    }

    /// Whether every scheduled operation is accounted for (docs/TERMS.md, "Conservation").
    pub const fn conserved(&self) -> bool {
        self.scheduled == self.ended().saturating_add(self.unfinished)
            && self.shed_by_breaker <= self.shed
            && self.response_ns == self.owned_ns()
    }

    /// The parts of the response time, added up.
    const fn owned_ns(&self) -> u64 {
        self.target_ns
            .saturating_add(self.connection_wait_ns)
            .saturating_add(self.pause_ns)
            .saturating_add(self.generator_ns)
    }
}

counters! {
    /// Attempts of one traffic class, by the **instant** at which each thing happened.
    AttemptCounters {
        /// First tries that started; of monitors, probes.
        first_tries,
        /// Retries that started.
        retries,
        /// Attempts beside a first try that was still unanswered.
        hedges,
        /// Attempts repeated at once because a kept connection had gone stale.
        resends,
        /// Attempts that ended with a response.
        responses,
        /// Responses with status 2xx.
        status_2xx,
        /// Responses with status 3xx.
        status_3xx,
        /// Responses with status 4xx.
        status_4xx,
        /// Responses with status 5xx.
        status_5xx,
        /// Responses with status 400, Bad Request.
        status_400,
        /// Responses with status 401, Unauthorized.
        status_401,
        /// Responses with status 403, Forbidden.
        status_403,
        /// Responses with status 404, Not Found.
        status_404,
        /// Responses with status 409, Conflict.
        status_409,
        /// Responses with status 429, Too Many Requests.
        status_429,
        /// Responses with status 500, Internal Server Error.
        status_500,
        /// Responses with status 502, Bad Gateway.
        status_502,
        /// Responses with status 503, Service Unavailable.
        status_503,
        /// Responses with status 504, Gateway Timeout.
        status_504,
        /// Attempts that ran into their timeout.
        timeouts,
        /// Attempts whose connection was refused, reset or closed.
        connection_errors,
        /// Attempts whose response was not HTTP.
        protocol_errors,
        /// Attempts given up because their operation had ended or another one
        /// of it was answered.
        cancelled,
        /// Attempts under way when the observation stopped.
        unfinished,
        /// Attempts under way at the end of the interval: a level, not a sum.
        in_flight,
        /// Operations (of monitors: probes) that ended with success in the interval.
        ended_well,
        /// Operations (of monitors: probes) that ended without success.
        ended_badly,
    }
}

impl AttemptCounters {
    /// Counts a response by the class of its status, and by the status itself
    /// where it is one that servers commonly refuse with.
    pub(crate) const fn count_status(&mut self, status: u16) {
        match status / 100 {
            2 => self.status_2xx += 1,
            3 => self.status_3xx += 1,
            4 => self.status_4xx += 1,
            5 => self.status_5xx += 1,
            _ => {} // counted as a response; HTTP knows no other class
        }
        let counter = match status {
            400 => &mut self.status_400,
            401 => &mut self.status_401,
            403 => &mut self.status_403,
            404 => &mut self.status_404,
            409 => &mut self.status_409,
            429 => &mut self.status_429,
            500 => &mut self.status_500,
            502 => &mut self.status_502,
            503 => &mut self.status_503,
            504 => &mut self.status_504,
            _ => return,
        };
        *counter += 1;
    }

    /// The statuses that are counted by themselves and came, with how often.
    pub fn statuses(&self) -> impl Iterator<Item = (u16, u64)> {
        self.rows().into_iter().filter_map(|(name, count)| {
            let status = name.strip_prefix("status_")?.parse().ok()?;
            (count > 0).then_some((status, count))
        })
    }

    /// Attempts that started.
    pub const fn started(&self) -> u64 {
        self.first_tries
            .saturating_add(self.retries)
            .saturating_add(self.hedges)
            .saturating_add(self.resends)
    }

    /// Attempts that ended, however, or were given up at the end of the observation.
    pub const fn ended(&self) -> u64 {
        self.responses
            .saturating_add(self.timeouts)
            .saturating_add(self.connection_errors)
            .saturating_add(self.protocol_errors)
            .saturating_add(self.cancelled)
            .saturating_add(self.unfinished)
    }
}

/// Failed attempts of one traffic class by their causes, by **instant**.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureCounters([u64; FailureCause::ALL.len()]);

impl Default for FailureCounters {
    fn default() -> Self {
        Self([0; FailureCause::ALL.len()])
    }
}

impl FailureCounters {
    /// Counts a failure.
    pub const fn count(&mut self, cause: FailureCause) {
        self.0[cause as usize] += 1;
    }

    /// Each cause that there was, with how many failed so.
    pub fn iter(&self) -> impl Iterator<Item = (FailureCause, u64)> + '_ {
        let all = FailureCause::ALL.iter().copied().zip(self.0);
        all.filter(|(_, count)| *count > 0)
    }

    /// Every counter with its name, in order.
    pub fn rows(&self) -> Vec<(&'static str, u64)> {
        let all = FailureCause::ALL.iter().zip(self.0);
        all.map(|(cause, count)| (cause.word(), count)).collect()
    }

    /// Gives every counter the next value, in order.
    pub(super) fn fill(&mut self, next: &mut dyn FnMut() -> u64) {
        self.0.fill_with(next);
    }

    /// Adds a value to the counter of this name; false where there is none.
    pub fn merge_row(&mut self, name: &str, value: u64) -> bool {
        let Some(cause) = FailureCause::by_word(name) else {
            return false;
        };
        merge(name, &mut self.0[cause as usize], value);
        true
    }

    /// Adds another interval's or another slice's counters to these.
    pub fn merge(&mut self, other: &Self) {
        for (into, value) in self.0.iter_mut().zip(other.0) {
            *into = into.saturating_add(value);
        }
    }
}

counters! {
    /// The generator itself, by instant.
    GeneratorCounters {
        /// Threads that generate load.
        threads,
        /// Processor time of those threads, deliberate spinning not counted.
        cpu_ns,
        /// Time the threads spun on purpose.
        spin_ns,
        /// Time the threads were ready to run and had no processor, as the kernel
        /// counts it; zero where it does not tell.
        delayed_ns,
        /// Time the threads were away: more than 5 ms late back from a wait, or as long in
        /// one turn, as in a process that stands still.
        away_ns,
        /// Operations that were due, whether or not one could be sent.
        scheduled,
        /// Bytes sent, heads and frames included, before any encryption.
        sent_bytes,
        /// Bytes received, likewise.
        received_bytes,
        /// Connections opened.
        connections_opened,
        /// Connections open at the end of the interval: a level, not a sum.
        connections_open,
        /// Most operations that waited for a connection at a time.
        backlog_max,
    }
}

counters! {
    /// One instance of the fleet, by instant.
    InstanceCounters {
        /// Its workers that serve; time and depth are theirs, jobs those of all.
        workers,
        /// Worker-time there was: workers × the time between the two readings
        /// themselves, so that a late reading does not distort a share.
        worker_ns,
        /// Busy worker-time: a worker that holds a job, whether it computes or waits.
        busy_ns,
        /// Of it: for callers who had gone.
        busy_zombie_ns,
        /// Of it: in detached verifications.
        busy_detached_ns,
        /// Of it: the part of verifications that a warm role cache would have saved.
        busy_cold_ns,
        /// Of it: for probes of monitors that still waited for their answer.
        busy_probe_ns,
        /// Of it: waiting for a connection of the instance's pool.
        busy_connection_ns,
        /// Queue depth, integrated over time.
        queue_depth_ns,
        /// Largest queue depth.
        queue_depth_max,
        /// Jobs put into the queue.
        enqueued,
        /// Jobs finished.
        finished,
        /// Of them: by workers that only serve monitors.
        finished_for_monitors,
        /// Jobs dropped because they had waited past the queue's limit, or
        /// nobody waited for them any more.
        expired,
        /// Requests turned away, because the queue was full or by their standing.
        rejected,
        /// Jobs waiting or running when the instance was stopped.
        lost,
        /// Detached verifications started.
        detached,
        /// Tries to accept a connection that failed for want of a descriptor.
        accepts_failed,
        /// Jobs waiting at the end of the interval: a level, not a sum.
        waiting,
        /// Jobs running at the end of the interval: a level, not a sum.
        running,
    }
}

counters! {
    /// The balancer, by instant.
    BalancerCounters {
        /// Requests passed on to an instance.
        admitted,
        /// Requests answered with 503 because of the admission share.
        shed,
        /// Requests answered with 503 because no instance was in service.
        unserved,
        /// Requests answered with 502 because the instance broke the connection.
        upstream_errors,
    }
}

counters! {
    /// The identity service, by instant.
    IdentityCounters {
        /// Verifications finished.
        verifications,
        /// Verification slots in use, integrated over time.
        busy_ns,
        /// Verifications waiting for a slot, integrated over time.
        waiting_ns,
    }
}

counters! {
    /// The whole machine, by instant, from the kernel's own accounting.
    MachineCounters {
        /// Processor time there was: cores × interval.
        total_ns,
        /// Processor time used by anything.
        busy_ns,
        /// Processor time the hypervisor gave to others.
        steal_ns,
    }
}

counters! {
    /// An agent that sends a share of the load: its threads, which `GeneratorCounters` count
    /// with all others', and its machine, which is in no other count.
    AgentCounters {
        /// Thread-time there was: its threads × interval.
        thread_ns,
        /// Processor time of those threads, deliberate spinning not counted.
        cpu_ns,
        /// Time the threads were ready to run and had no processor.
        delayed_ns,
        /// Processor time that its machine had.
        machine_total_ns,
        /// Processor time that anything used there.
        machine_busy_ns,
        /// Processor time that the hypervisor gave to others there.
        machine_steal_ns,
    }
}

counters! {
    /// The accept queue of the port that is loaded: the depth as **point samples**, what
    /// was dropped as the kernel counts it, for all sockets of the machine together.
    AcceptQueueCounters {
        /// Readings.
        readings,
        /// Connections that waited to be accepted, summed over the readings.
        waiting,
        /// Most connections that waited at a reading.
        waiting_max,
        /// Connections that found an accept queue full.
        overflows,
        /// Connections that the kernel dropped before a listening program, for that or
        /// another reason.
        drops,
        /// Length of the intervals in which a connection found the queue full.
        full_ns,
    }
}

counters! {
    /// Gauges of the user's target, as it publishes them: **point
    /// samples**, added up over the readings of an interval, but for what was completed,
    /// which misses nothing between two readings. So a mean is a sum
    /// over the readings that had the value, and what was between two readings
    /// is unknown. A level is in thousandths (`_milli`), since an expression may
    /// come to a fraction. Two who read one target give more readings of the
    /// same levels; levels of two targets do not add up, and have two sources.
    GaugeCounters {
        /// Readings that told something.
        readings,
        /// Readings that failed; the journal has the causes.
        failed,
        /// Readings that told how many workers were busy.
        busy_readings,
        /// Busy workers in thousandths, summed over those readings.
        busy_milli,
        /// Most busy workers at a reading, in thousandths.
        busy_milli_max,
        /// Readings that told how many workers there are.
        workers_readings,
        /// Workers in thousandths, summed over those readings.
        workers_milli,
        /// Of those readings: the expression stated the number itself.
        workers_stated,
        /// Readings that told how many jobs waited.
        queue_readings,
        /// Jobs waiting in thousandths, summed over those readings.
        queue_milli,
        /// Most jobs waiting at a reading, in thousandths.
        queue_milli_max,
        /// Requests completed between two readings that told the count, in thousandths.
        completed_milli,
        /// The time between those readings; zero: how many were completed is unknown.
        completed_covered_ns,
    }
}

counters! {
    /// Probes of one `[[monitor]]` of several, by the instant at which they ended.
    ProbeCounters {
        /// Ended as expected.
        ended_well,
        /// Ended otherwise.
        ended_badly,
    }
}

counters! {
    /// What a proxy in front of a dependency saw of it, by instant.
    DependencyCounters {
        /// Exchanges that began: a client sent something on a connection that waited for
        /// nothing.
        begun,
        /// Exchanges of which the first byte of an answer went to the client.
        answered,
        /// Exchanges in progress, integrated over time.
        waiting_ns,
        /// The time between the two readings themselves.
        covered_ns,
        /// Most exchanges in progress at a time.
        waiting_max,
    }
}

counters! {
    /// A process that is watched from outside, with its descendants, and the
    /// queue of the socket that it listens on: **point samples**, added up over
    /// the readings of an interval, but for `cpu_ns`, which misses nothing
    /// between two readings.
    ProcessCounters {
        /// Readings of the process.
        readings,
        /// Readings that failed; the journal has the causes.
        failed,
        /// Time between the readings that `cpu_ns` was used in.
        covered_ns,
        /// Processor time that was used, by all of its processes.
        cpu_ns,
        /// Processes, summed over the readings.
        processes,
        /// Threads of all processes, summed over the readings.
        threads,
        /// Most threads at a reading.
        threads_max,
        /// Threads that were running or ready to (state R), summed.
        threads_running,
        /// Threads that waited within the kernel and could not be woken (state D), summed.
        threads_blocked,
        /// Resident memory in bytes, summed over the readings; pages that
        /// processes share count for each.
        memory_bytes,
        /// Most resident memory at a reading.
        memory_bytes_max,
        /// Readings that told how many files were open.
        files_readings,
        /// Open files of all processes, summed over those readings.
        files,
        /// Most open files at a reading.
        files_max,
        /// Readings of the listening socket.
        listen_readings,
        /// Connections that waited to be accepted, summed over those readings.
        listen_queue,
        /// Most connections that waited to be accepted at a reading.
        listen_queue_max,
    }
}
