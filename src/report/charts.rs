//! What the page's charts show: columns of numbers with names and units.
//!
//! Every number comes from [`Series`], the table that the findings were made
//! from. A bucket in which nothing was recorded is a hole in the line, never a
//! zero. How a line looks is the page's; here it only gets a role.

use serde::Serialize;

use crate::analysis::{Bucket, Series};
use crate::record::{Histogram, InstanceCounters, ProcessCounters, printable};
use crate::units::Nanos;

/// The two time axes, as every chart and its legend name them.
const INTENDED: &str = "by intended start";
const INSTANT: &str = "by instant";

/// The looks of lines that are alike, one after the other.
const ROLES: [&str; 5] = ["good", "retries", "probes", "bad", "neutral"];

/// Picks one counter of an instance.
type Counter = fn(&InstanceCounters) -> u64;

/// One chart over the run's time.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    /// Its place in the page: `chart-…`.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it shows, its axis included, in one sentence.
    pub about: String,
    /// The unit of its values.
    pub unit: &'static str,
    /// `linear`, `log` or `share`, which runs from 0 to 100 %.
    pub scale: &'static str,
    /// Whether each line is drawn on top of the sum of those before it.
    pub stacked: bool,
    /// What it shows.
    pub lines: Vec<Line>,
}

/// One line of a chart.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// What it shows.
    pub name: String,
    /// What it stands for; the page's style sheet has the colour.
    pub role: &'static str,
    /// `area`, `line`, `dashed` or `faint`.
    pub style: &'static str,
    /// One value for each instant of the page's axis; none where there is none.
    pub values: Vec<Option<f64>>,
}

/// The rows of the charts: buckets, with one empty row in every hole.
pub(super) struct Rows<'a> {
    series: &'a Series,
    buckets: Vec<Option<&'a Bucket>>,
    /// The middle of each row's bucket, in seconds.
    pub at_s: Vec<f64>,
}

impl<'a> Rows<'a> {
    /// The rows of a table.
    pub(super) fn new(series: &'a Series) -> Self {
        let mut buckets = Vec::new();
        let mut at_s = Vec::new();
        let mut expected: Option<Nanos> = None;
        let half = series.interval.as_secs_f64() / 2.0;
        for bucket in &series.buckets {
            if let Some(hole) = expected.filter(|expected| *expected < bucket.from) {
                buckets.push(None);
                at_s.push(hole.as_secs_f64() + half);
            }
            buckets.push(Some(bucket));
            at_s.push(bucket.from.as_secs_f64() + half);
            expected = Some(bucket.to);
        }
        Self {
            series,
            buckets,
            at_s,
        }
    }

    fn line(
        &self,
        name: &str,
        role: &'static str,
        style: &'static str,
        value: impl Fn(&Bucket) -> Option<f64>,
    ) -> Line {
        let values = self.buckets.iter().map(|bucket| {
            bucket
                .and_then(&value)
                .filter(|value| value.is_finite())
                .map(short)
        });
        Line {
            name: printable(name).into_owned(),
            role,
            style,
            values: values.collect(),
        }
    }

    /// A line of something per second, from a count per bucket.
    fn rate(
        &self,
        name: &str,
        role: &'static str,
        style: &'static str,
        count: impl Fn(&Bucket) -> Option<u64>,
    ) -> Line {
        self.line(name, role, style, |bucket| {
            Some(bucket.per_second(count(bucket)?))
        })
    }

    /// All charts that show something, in the order of the page: nobody reads a
    /// machine's load off a run that was simulated.
    pub(super) fn charts(&self) -> Vec<Chart> {
        let mut charts = vec![
            self.operations(),
            self.attempts(),
            self.workers(),
            self.queue(),
            self.processes(),
            self.latency(),
            self.processor(),
        ];
        charts.extend([self.gauges(), self.waiting()]);
        charts.retain(|chart| {
            let mut values = chart.lines.iter().flat_map(|line| &line.values);
            values.any(Option::is_some)
        });
        charts
    }

    /// Gauges of the user's target, each a line of its own.
    fn gauges(&self) -> Chart {
        let lines = self.series.gauges.iter().enumerate().map(|(place, name)| {
            self.line(
                &name.to_string(),
                ROLES[place % ROLES.len()],
                "line",
                |bucket| {
                    let gauges = bucket.gauges.get(place)?.as_ref()?;
                    Some(100.0 * gauges.saturation()?)
                },
            )
        });
        Chart {
            id: "gauges",
            title: "Worker saturation of the target",
            about: format!(
                "Busy workers as a share of all, by the target’s own gauges, {INSTANT}; point \
                 samples."
            ),
            unit: "%",
            scale: "share",
            stacked: false,
            lines: lines.collect(),
        }
    }

    /// What the kernel shows of such a target's processes.
    fn processes(&self) -> Chart {
        let line = |name, role, style, value: fn(&ProcessCounters) -> u64| {
            self.line(name, role, style, move |bucket| {
                Some(bucket.of_processes(value)? as f64)
            })
        };
        Chart {
            id: "processes",
            title: "Threads and open files of the target",
            about: format!(
                "Threads and open files, {INSTANT}, as the kernel shows them; the highest reading \
                 of each interval."
            ),
            unit: "",
            scale: "linear",
            stacked: false,
            lines: vec![
                line("threads", "good", "area", |it| it.threads_max),
                line("open files", "neutral", "dashed", |it| it.files_max),
            ],
        }
    }

    /// What waited for such a target: by its own gauges, and before its door.
    fn waiting(&self) -> Chart {
        let gauges = self.series.gauges.iter().enumerate().map(|(place, name)| {
            self.line(
                &name.to_string(),
                ROLES[place % ROLES.len()],
                "line",
                |bucket| bucket.gauges.get(place)?.as_ref()?.queue(),
            )
        });
        let sockets = self.series.processes.iter().enumerate();
        let sockets = sockets.map(|(place, name)| {
            let name = format!("{name}, accept queue");
            self.line(&name, ROLES[place % ROLES.len()], "dashed", |bucket| {
                bucket.processes.get(place)?.as_ref()?.listen_queue()
            })
        });
        Chart {
            id: "waiting",
            title: "Queues of the target",
            about: format!(
                "Jobs waiting for a worker, by the target’s own gauges, and connections in its \
                 accept queue, {INSTANT}; point samples."
            ),
            unit: "",
            scale: "linear",
            stacked: false,
            lines: gauges.chain(sockets).collect(),
        }
    }

    fn operations(&self) -> Chart {
        let of = |value: fn(&Bucket) -> u64| {
            move |bucket: &Bucket| bucket.operations.map(|_| value(bucket))
        };
        // What has not ended yet is neither: a line that falls to zero would say otherwise.
        let ended = |value: fn(&Bucket) -> u64| {
            move |bucket: &Bucket| {
                let operations = bucket.operations?;
                (operations.unfinished == 0).then(|| value(bucket))
            }
        };
        Chart {
            id: "operations",
            title: "Goodput and errors",
            about: format!("Operations per second, {INTENDED}."),
            unit: "/s",
            scale: "linear",
            stacked: false,
            lines: vec![
                self.rate("goodput", "good", "area", ended(Bucket::succeeded)),
                self.rate("errors", "bad", "line", ended(Bucket::bad)),
                self.rate("offered", "neutral", "dashed", of(Bucket::scheduled)),
            ],
        }
    }

    fn attempts(&self) -> Chart {
        Chart {
            id: "attempts",
            title: "Requests to the target",
            about: format!(
                "Requests per second, stacked, {INSTANT}: first tries of users, their retries, \
                 and the monitors’ probes."
            ),
            unit: "/s",
            scale: "linear",
            stacked: true,
            lines: vec![
                self.rate("first tries", "good", "area", |bucket| {
                    Some(bucket.users?.first_tries)
                }),
                self.rate("retries", "retries", "area", Bucket::repeated),
                self.rate("probes", "probes", "area", Bucket::probes),
            ],
        }
    }

    fn workers(&self) -> Chart {
        let share = |part: Counter| move |bucket: &Bucket| Some(100.0 * bucket.worker_share(part)?);
        let mut lines = vec![self.line("saturation", "good", "area", |bucket| {
            Some(100.0 * bucket.saturation()?)
        })];
        let parts: [(_, _, Counter); 3] = [
            ("zombie work", "bad", |i| i.busy_zombie_ns),
            ("detached tasks", "probes", |i| i.busy_detached_ns),
            ("cold cache", "retries", |i| i.busy_cold_ns),
        ];
        for (name, role, counter) in parts {
            lines.push(self.line(name, role, "line", share(counter)));
        }
        for (place, name) in self.series.instances.iter().enumerate() {
            lines.push(self.line(&name.to_string(), "neutral", "faint", |bucket| {
                let instance = bucket.instances.get(place).copied().flatten()?;
                Some(100.0 * instance.saturation()?)
            }));
        }
        Chart {
            id: "workers",
            title: "Worker saturation",
            about: format!(
                "Busy worker-time as a share of all worker-time, {INSTANT}, and the parts of \
                 it that helped nobody; these overlap. Faint: each instance."
            ),
            unit: "%",
            scale: "share",
            stacked: false,
            lines,
        }
    }

    fn queue(&self) -> Chart {
        Chart {
            id: "queue",
            title: "Queue depth",
            about: format!("Jobs waiting for a worker in the whole fleet, {INSTANT}."),
            unit: "jobs",
            scale: "linear",
            stacked: false,
            lines: vec![
                self.line("mean", "good", "area", Bucket::queue_depth_mean),
                self.line("largest", "neutral", "dashed", |bucket| {
                    Some(bucket.queue_depth_max()? as f64)
                }),
            ],
        }
    }

    fn latency(&self) -> Chart {
        let quantile = |histogram: fn(&Bucket) -> Option<&Histogram>, quantile: f64| {
            move |bucket: &Bucket| Some(histogram(bucket)?.quantile(quantile)?.as_millis_f64())
        };
        let lines = vec![
            self.line(
                "response p50",
                "good",
                "line",
                quantile(|bucket| bucket.response.as_ref(), 0.5),
            ),
            self.line(
                "response p99",
                "bad",
                "line",
                quantile(|bucket| bucket.response.as_ref(), 0.99),
            ),
            self.line(
                "service p99",
                "neutral",
                "dashed",
                quantile(|bucket| bucket.service.as_ref(), 0.99),
            ),
            self.line(
                "queue wait p99",
                "retries",
                "line",
                quantile(|bucket| bucket.queue_wait.as_ref(), 0.99),
            ),
        ];
        Chart {
            id: "latency",
            title: "Latency",
            about: format!(
                "Durations, on a logarithmic scale. Response time of operations that succeeded, \
                 {INTENDED}; service time of attempts that were answered and wait of jobs for a \
                 worker, {INSTANT}."
            ),
            unit: "ms",
            scale: "log",
            stacked: false,
            lines,
        }
    }

    fn processor(&self) -> Chart {
        Chart {
            id: "processor",
            title: "Machine CPU",
            about: format!(
                "CPU time as a share of all cores, {INSTANT}. An incident caused by a shortage \
                 of CPU would not be the one claimed."
            ),
            unit: "%",
            scale: "share",
            stacked: false,
            lines: vec![
                self.line("machine", "good", "area", |bucket| {
                    Some(100.0 * bucket.machine_busy()?)
                }),
                self.line("generator’s threads", "retries", "line", |bucket| {
                    Some(100.0 * bucket.generator_busy()?)
                }),
                self.line("stolen by the hypervisor", "bad", "line", |bucket| {
                    Some(100.0 * bucket.machine_steal()?)
                }),
            ],
        }
    }
}

/// The value to four digits behind the point: what a chart can show, in a third
/// of the page's size.
fn short(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_in_the_record_is_a_hole_in_the_line() {
        let bucket = |second| Bucket {
            from: Nanos::from_secs(second),
            to: Nanos::from_secs(second + 1),
            ..Bucket::default()
        };
        let series = Series {
            interval: Nanos::from_secs(1),
            instances: Vec::new(),
            gauges: Vec::new(),
            processes: Vec::new(),
            buckets: vec![bucket(0), bucket(1), bucket(5)],
        };
        let rows = Rows::new(&series);
        assert_eq!(rows.at_s, [0.5, 1.5, 2.5, 5.5]);
        let line = rows.line("", "", "", |bucket| Some(bucket.from.as_secs_f64()));
        assert_eq!(line.values, [Some(0.0), Some(1.0), None, Some(5.0)]);
        let unread = rows.workers().lines.remove(0);
        assert_eq!(unread.values, [None; 4]);
        assert!(rows.charts().is_empty()); // nothing was read
    }

    #[test]
    fn the_targets_gauges_are_lines_of_their_own() {
        let gauges = crate::record::GaugeCounters {
            busy_readings: 1,
            busy_milli: 3_000,
            workers_readings: 1,
            workers_milli: 4_000,
            ..Default::default()
        };
        let process = crate::record::ProcessCounters {
            listen_readings: 2,
            listen_queue: 34,
            ..Default::default()
        };
        let series = Series {
            interval: Nanos::from_secs(1),
            gauges: vec!["puma".into()],
            processes: vec!["target".into()],
            buckets: vec![Bucket {
                gauges: vec![Some(gauges)],
                processes: vec![Some(process)],
                ..Bucket::default()
            }],
            ..Series::default()
        };
        let charts = Rows::new(&series).charts();
        assert_eq!(charts[0].lines[0].values, [Some(75.0)]);
        let waiting: Vec<_> = charts[1].lines.iter().map(|line| line.values[0]).collect();
        assert_eq!(waiting, [None, Some(17.0)]);
    }
}
