//! The machine: what it is, and how busy it was.

use std::fs;

use rustix::system::uname;
use rustix::thread::sched_getaffinity;

use crate::model::SourceName;
use crate::record::{Counters, MachineCounters, MachineFacts, Sample};
use crate::units::Nanos;

/// Processor time in the unit of `/proc/stat`: 100 ticks a second on every
/// Linux that Rust runs on (`USER_HZ` is fixed by the kernel's interface).
const TICK: Nanos = Nanos::from_millis(10);

/// What this machine is; unknown parts stay empty or zero.
pub(crate) fn machine_facts() -> MachineFacts {
    let cores = sched_getaffinity(None).map_or(0, |set| set.count());
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let system = uname();
    MachineFacts {
        cores,
        memory_bytes: field(&memory, "MemTotal")
            .and_then(|text| text.trim_end_matches("kB").trim().parse::<u64>().ok())
            .map_or(0, |kilobytes| kilobytes * 1024),
        processor: field(&processors, "model name")
            .unwrap_or_default()
            .to_owned(),
        kernel: format!(
            "{} {}",
            system.sysname().to_string_lossy(),
            system.release().to_string_lossy()
        ),
    }
}

/// The value of the first line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// Reads how busy the whole machine is, interval by interval.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    last: Option<MachineCounters>,
}

impl Machine {
    /// What the machine did since the last call, as the sample of this
    /// interval; none at the first call.
    ///
    /// # Errors
    ///
    /// The cause, where `/proc/stat` cannot be read.
    pub(crate) fn sample(&mut self, from: Nanos, to: Nanos) -> Result<Option<Sample>, String> {
        let text = fs::read_to_string("/proc/stat")
            .map_err(|cause| format!("failed to read /proc/stat: {cause}"))?;
        let now = parse(&text).ok_or("/proc/stat has no line `cpu`")?;
        let last = self.last.replace(now);
        Ok(last.map(|last| Sample {
            from,
            to,
            source: SourceName::Machine,
            counters: Counters::Machine(MachineCounters {
                total_ns: now.total_ns.saturating_sub(last.total_ns),
                busy_ns: now.busy_ns.saturating_sub(last.busy_ns),
                steal_ns: now.steal_ns.saturating_sub(last.steal_ns),
            }),
            histograms: Vec::new(),
        }))
    }
}

/// The first line of `/proc/stat` (proc(5)): user, nice, system, idle, iowait,
/// irq, softirq, steal, in ticks; guest time is part of user already.
fn parse(text: &str) -> Option<MachineCounters> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .map(|field| field.parse().ok())
        .collect::<Option<_>>()?;
    let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = ticks.as_slice() else {
        return None;
    };
    let busy = user + nice + system + irq + softirq;
    Some(MachineCounters {
        total_ns: TICK.0 * (busy + idle + iowait + steal),
        busy_ns: TICK.0 * busy,
        steal_ns: TICK.0 * steal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_accounting() {
        let counters = parse("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1 1 1\n").unwrap();
        let ticks = |nanos: u64| nanos / TICK.0;
        assert_eq!(ticks(counters.busy_ns), 1 + 2 + 3 + 6 + 7);
        assert_eq!(ticks(counters.total_ns), 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8);
        assert_eq!(ticks(counters.steal_ns), 8);
        assert_eq!(parse("intr 1\n"), None);
    }

    #[test]
    fn this_machine_has_cores_memory_and_a_kernel() {
        let facts = machine_facts();
        assert!(facts.cores >= 1 && facts.memory_bytes > 0 && facts.kernel.starts_with("Linux"));
    }
}
