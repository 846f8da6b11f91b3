//! A small fleet and a way to talk to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use threadbare::clock::Clock;
use threadbare::fleet::{Fleet, Launch, Process};
use threadbare::model::{
    Action, FleetAction, FleetSpec, IdentitySpec, Role, ServiceAction, SlowPart,
};
use threadbare::record::{Counters, Event, InstanceCounters, Outcome, Sample};
use threadbare::units::{Nanos, Ratio};

/// A fleet in a directory of its own.
pub(crate) struct Rig {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) clock: Clock,
    /// Every process that was ever started.
    pub(crate) processes: Arc<Mutex<Vec<Process>>>,
    _directory: tempfile::TempDir,
}

/// What can be done to a fleet, by name.
pub(crate) trait Operate {
    /// Does this, in the name of whoever.
    fn operate(&self, now: Nanos, author: &str, action: &Action) -> Outcome;
    /// Restarts the instances, and tells what becomes of them.
    fn restart(&self, pause: Option<Nanos>, on_event: &dyn Fn(Event)) -> Outcome;

    fn push(
        &self,
        now: Nanos,
        author: &str,
        set: &BTreeMap<String, String>,
        schema: Option<u32>,
        tested: bool,
        canary: Option<Ratio>,
    ) -> Outcome {
        let set = set.clone();
        let push = Action::Fleet(FleetAction::Push {
            set,
            schema,
            tested,
            canary,
        });
        self.operate(now, author, &push)
    }

    fn rollback(&self, now: Nanos, author: &str) -> Outcome {
        self.operate(now, author, &Action::Service(ServiceAction::Rollback))
    }

    fn waive(&self, check: &str) -> Outcome {
        let check = check.to_owned();
        self.operate(
            Nanos::ZERO,
            "ops",
            &Action::Fleet(FleetAction::Waive { check }),
        )
    }

    fn admit(&self, share: Ratio) -> Outcome {
        self.operate(
            Nanos::ZERO,
            "ops",
            &Action::Fleet(FleetAction::Admit { share }),
        )
    }

    fn slow(&self, part: SlowPart, factor: f64) -> Outcome {
        self.operate(
            Nanos::ZERO,
            "ops",
            &Action::Fleet(FleetAction::Slow { part, factor }),
        )
    }

    fn pause(&self, instances: Option<NonZeroU32>) -> Outcome {
        self.operate(
            Nanos::ZERO,
            "ops",
            &Action::Fleet(FleetAction::Pause { instances }),
        )
    }

    fn go_on(&self, instances: Option<NonZeroU32>) -> Outcome {
        self.operate(
            Nanos::ZERO,
            "ops",
            &Action::Fleet(FleetAction::Continue { instances }),
        )
    }
}

impl Operate for Fleet {
    fn operate(&self, now: Nanos, author: &str, action: &Action) -> Outcome {
        self.act(now, author, action, &|_| ())
    }

    fn restart(&self, pause: Option<Nanos>, on_event: &dyn Fn(Event)) -> Outcome {
        self.act(
            Nanos::ZERO,
            "ops",
            &Action::Service(ServiceAction::Restart { pause }),
            on_event,
        )
    }
}

/// Two instances of two workers with short service times.
pub(crate) fn small() -> FleetSpec {
    FleetSpec {
        instances: 2,
        workers: 2,
        queue: "unbounded".parse().unwrap(),
        identity: IdentitySpec {
            latency: "constant(1ms)".parse().unwrap(),
            capacity: 64,
            cold_factor: 6.0,
            ..IdentitySpec::default()
        },
        application: "constant(0s)".parse().unwrap(),
        database: "constant(0s)".parse().unwrap(),
        users: 30,
        projects: 5,
        tasks: 100,
        boot: Nanos::ZERO,
        ..FleetSpec::default()
    }
}

impl Rig {
    pub(crate) fn launch(spec: &FleetSpec) -> Self {
        Self::launch_in(tempfile::tempdir().unwrap(), spec)
    }

    /// A fleet in `data` of this directory.
    pub(crate) fn launch_in(directory: tempfile::TempDir, spec: &FleetSpec) -> Self {
        let processes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&processes);
        let clock = Clock::start();
        let fleet = Fleet::launch(Launch {
            spec,
            seed: 1,
            clock,
            data: &directory.path().join("data"),
            binary: env!("CARGO_BIN_EXE_threadbare").as_ref(),
            listen: None,
            stop: None,
            on_process: Box::new(move |process| seen.lock().unwrap().push(process)),
        });
        let fleet = Arc::new(fleet.unwrap());
        Self {
            fleet,
            clock,
            processes,
            _directory: directory,
        }
    }

    /// A token of a user of this role.
    pub(crate) fn token(&self, role: Role) -> &str {
        &self.fleet.tokens().of(role)[0]
    }

    /// Asks the balancer.
    pub(crate) fn ask(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        self.try_ask(method, path, token, body, Duration::from_secs(10))
            .unwrap()
    }

    /// Asks the balancer and gives up after `patience`, which closes the connection.
    pub(crate) fn try_ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
        patience: Duration,
    ) -> Result<(u16, String), ureq::Error> {
        let headers = [("authorization", format!("Bearer {token}"))];
        ask(self.fleet.address(), method, path, &headers, body, patience)
    }

    /// The pid of the process that has this name now.
    pub(crate) fn pid(&self, name: &str) -> u32 {
        let processes = self.fleet.processes();
        processes.iter().find(|p| p.name == name).unwrap().pid
    }

    /// What every instance counted since the last call.
    pub(crate) fn instances(&self) -> Vec<InstanceCounters> {
        let samples = self.fleet.sample(Nanos::ZERO, self.clock.now());
        samples
            .into_iter()
            .flatten()
            .filter_map(|sample| instance(&sample))
            .collect()
    }
}

/// An instance's counters.
pub(crate) fn instance(sample: &Sample) -> Option<InstanceCounters> {
    match sample.counters {
        Counters::Instance(counters) => Some(counters),
        _ => None,
    }
}

/// The names of the events.
pub(crate) fn sources(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .map(|event| match event {
            Event::Serving { source, .. } => format!("serving {source}"),
            Event::Stopped { source, .. } => format!("stopped {source}"),
            Event::Died { source, .. } => format!("died {source}"),
            other => format!("{other:?}"),
        })
        .collect()
}

/// One request on a connection of its own: status and body.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &str,
    patience: Duration,
) -> Result<(u16, String), ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(patience))
        .max_idle_connections(0)
        .build()
        .into();
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let mut response = agent.run(request.body(body.to_owned()).unwrap())?;
    let text = response.body_mut().read_to_string()?;
    Ok((response.status().as_u16(), text))
}

/// Waits until the condition holds, for ten seconds at most.
pub(crate) fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// The state letter of a process; none where there is none.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim().chars().next()
}

/// Whether a process of this id exists and is no zombie.
pub(crate) fn alive(pid: u32) -> bool {
    !matches!(state(pid), None | Some('Z'))
}
