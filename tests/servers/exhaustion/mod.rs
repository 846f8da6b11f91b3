//! Servers that nobody here wrote, exhausted by occupation and by a slow
//! dependency, seen in their own gauges, let go, and timed on their way back.
//!
//! The five run beside each other: each is asked for a few dozen requests a second.

mod accept_queue;
mod capacity;
mod limits;

use std::fmt::Write as _;
use std::fs;
use std::panic;
use std::process::{Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use threadbare::model::{GaugePlace, GaugeSource};

use crate::run::{Run, alone, events, run, run_directory, threadbare, wait_until};
use crate::server::{
    Class, Gunicorn, HaProxy, Puma, Server, Tomcat, dependency, free_ports, get, installed,
};

/// Workers of each server.
const WORKERS: u32 = 4;

/// What a server tells of itself, and where its queue shows.
struct Tells {
    /// Busy workers in its own gauges.
    busy: bool,
    /// A queue in its own gauges.
    queue: bool,
    /// A queue in its listening socket, as the kernel tells it.
    listen_queue: bool,
}

/// A server that runs, and what is known of it.
struct Case<'a> {
    name: &'a str,
    server: &'a dyn Server,
    tells: &'a Tells,
    /// A port that is free, for a proxy.
    port: u16,
}

/// All servers, begun one beside the other.
fn each(check: impl Fn(&Case<'_>) + Sync) {
    let _alone = alone();
    let tells = |busy, queue, listen_queue| Tells {
        busy,
        queue,
        listen_queue,
    };
    let case =
        |name: &'static str, start: fn() -> Box<dyn Server>, tells: Tells| (name, start, tells);
    let cases = [
        // Sync workers accept only while they are free.
        case(
            "gunicorn sync",
            || Box::new(Gunicorn::start(Class::Sync, WORKERS, None)),
            tells(false, false, true),
        ),
        // Threads accept at once and queue inside, where nobody sees it.
        case(
            "gunicorn threads",
            || Box::new(Gunicorn::start(Class::Threads, WORKERS, None)),
            tells(false, false, false),
        ),
        case(
            "puma",
            || Box::new(Puma::start(WORKERS)),
            tells(true, false, true),
        ),
        case(
            "tomcat",
            || Box::new(Tomcat::start(WORKERS)),
            tells(true, false, false),
        ),
        case(
            "haproxy",
            || Box::new(HaProxy::start(WORKERS)),
            tells(true, true, false),
        ),
    ];
    let started = cases.map(|(name, start, tells)| (name, start(), tells));
    calm();
    // Drawn together: two that are drawn at the same time may be the same.
    let ports: [u16; 5] = free_ports();
    let failed: Vec<&str> = thread::scope(|scope| {
        let check = &check;
        let running = started
            .iter()
            .zip(ports)
            .map(|((name, server, tells), port)| {
                let case = Case {
                    name,
                    server: &**server,
                    tells,
                    port,
                };
                let run = move || panic::catch_unwind(panic::AssertUnwindSafe(|| check(&case)));
                (*name, scope.spawn(run))
            });
        let running: Vec<_> = running.collect();
        let ended = running
            .into_iter()
            .map(|(name, thread)| (name, thread.join()));
        ended
            .filter(|(_, ended)| !matches!(ended, Ok(Ok(()))))
            .map(|(name, _)| name)
            .collect()
    });
    assert!(failed.is_empty(), "{failed:?}: see above");
}

/// Waits until less than half of the processor is used: a virtual machine that has
/// just begun is at work for a while, and a run refuses a machine that is busy.
fn calm() {
    let ticks = || {
        let text = fs::read_to_string("/proc/stat").unwrap();
        let line = text.lines().next().unwrap().to_owned();
        let fields = line.split_whitespace().skip(1).take(8);
        let fields: Vec<u64> = fields.map(|field| field.parse().unwrap()).collect();
        let all: u64 = fields.iter().sum();
        // The fourth is idle, the fifth waits for a disk (proc(5)).
        (all - fields[3] - fields[4], all)
    };
    let mut last = ticks();
    wait_until(SOON, "the machine is calm", || {
        let now = ticks();
        let (busy, all) = (now.0 - last.0, now.1 - last.1);
        // Half a second of two processors.
        if all < 100 {
            return false;
        }
        last = now;
        2 * busy < all
    });
}

/// The gauges of a server as a scenario names them.
fn gauges(sources: &[GaugeSource]) -> String {
    let mut text = String::new();
    for source in sources {
        let place = match &source.place {
            GaugePlace::Page(url) => {
                let user = url
                    .user()
                    .map_or_else(String::new, |user| format!("{user}@"));
                format!("url = 'http://{user}{}{}'", url.authority(), url.target())
            }
            GaugePlace::Statsd(address) => format!("listen = '{address}'"),
        };
        let _ = write!(text, "[[gauges]]\nname = '{}'\n{place}\n", source.name);
        let roles = &source.roles;
        for (key, role) in [
            ("busy", &roles.busy),
            ("workers", &roles.workers),
            ("queue", &roles.queue),
        ] {
            if let Some(role) = role {
                let _ = writeln!(text, "{key} = '{role}'");
            }
        }
        text.push_str("every = '100ms'\n");
    }
    text
}

/// A scenario that loads a server, and does more.
fn scenario(server: &dyn Server, path: &str, more: &str) -> toml::Table {
    let load = "rate = \"40/s\"\nclient = { timeout = \"1s\", retries = 0 }";
    loaded(server, load, path, more)
}

fn loaded(server: &dyn Server, load: &str, path: &str, more: &str) -> toml::Table {
    let (url, pid) = (server.url(), server.pid());
    let text = format!(
        r#"
        title = "Exhausted from outside"
        claim = "Workers are held, and come back."
        warm_up = "500ms"
        interval = "500ms"
        end = "14s"
        drain = "30s"
        [target]
        url = "{url}"
        pid = {pid}
        [load]
        {load}
        [[load.operation]]
        name = "work"
        [[load.operation.step]]
        request = "GET {path}"
        [recovery]
        hold = "2s"
        p99_margin = "250ms"
        operations_min = 50
        {}
        {more}"#,
        gauges(&server.gauges())
    );
    text.parse().unwrap()
}

/// The figures of a phase for the server's first gauges, or its process.
fn told<'a>(run: &'a Run, phase: &str, what: &str) -> &'a Value {
    &run.phase(phase)[what][0]
}

/// What is so of every server that was exhausted while `phase` lasted, and let go.
fn exhausted_and_back(name: &str, run: &Run, tells: &Tells, phase: &str) {
    run.assert_sound();
    let busy = |phase| told(run, phase, "gauges")["busy_max"].as_f64();
    let queue = |phase| told(run, phase, "gauges")["queue_max"].as_f64();
    let listening = |phase| told(run, phase, "processes")["listen_queue_max"].as_u64();
    if tells.busy {
        assert_eq!(busy(phase), Some(f64::from(WORKERS)), "{name}");
    } else {
        assert_eq!(busy(phase), None, "{name}");
    }
    if tells.queue {
        assert!(
            queue(phase) > queue("baseline"),
            "{name}: {:?}",
            queue(phase)
        );
    }
    if tells.listen_queue {
        assert!(listening(phase) > Some(5), "{name}: {:?}", listening(phase));
        assert!(listening("baseline") < listening(phase), "{name}");
    }
    // Nobody else got through, and everybody does again.
    assert!(run.goodput_share("baseline") > 0.95, "{name}");
    assert!(run.figure(phase, "error_share") > 0.4, "{name}");
    let incident = &run.summary["incident"];
    let recovery = incident["recovery_after_trigger_off_s"].as_f64();
    assert!(
        recovery.is_some_and(|recovery| recovery < 4.0),
        "{name}: {recovery:?}"
    );
    assert_eq!(run.summary["steady_state_returned"], true, "{name}");
    assert_eq!(run.output.status.code(), Some(0), "{name}");
}

#[test]
fn occupation_exhausts_every_server_until_it_is_undone() {
    each(|case| {
        let Case {
            name,
            server,
            tells,
            ..
        } = *case;
        let occupied = format!(
            r#"
            [[timeline]]
            at = "4s"
            do = "occupy"
            hold = "slow-endpoint"
            path = "{}"
            connections = {}
            [[timeline]]
            at = "8s"
            do = "undo"
            name = "occupation"
            "#,
            server.slow_path(500),
            // More than it has workers: one is always waiting to take the place of
            // one that was answered.
            4 * WORKERS
        );
        let run = run(&scenario(server, &server.slow_path(5), &occupied));
        exhausted_and_back(name, &run, tells, "occupation");
        assert_eq!(run.summary["incident"]["trigger"], "occupation");
    });
}

#[test]
fn a_slow_dependency_exhausts_every_server_until_it_is_quick_again() {
    each(|case| {
        let Case {
            name,
            server,
            tells,
            port,
        } = *case;
        let dependency = dependency();
        let slow = format!(
            r#"
            [[proxy]]
            name = "dependency"
            listen = "127.0.0.1:{port}"
            to = "{dependency}"
            [[timeline]]
            at = "4s"
            do = "fault"
            proxy = "dependency"
            fault = "latency"
            with = {{ latency = "5s" }}
            name = "slow dependency"
            [[timeline]]
            at = "8s"
            do = "undo"
            name = "slow dependency"
            "#,
        );
        let run = run(&scenario(server, &server.dependency_path(port), &slow));
        exhausted_and_back(name, &run, tells, "slow dependency");
        assert_eq!(run.summary["incident"]["trigger"], "fault");
    });
}

#[test]
fn what_a_server_says_once_when_it_starts_is_heard() {
    let _alone = alone();
    let [port] = free_ports();
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let statsd = free.local_addr().unwrap();
    drop(free);
    let folder = tempfile::tempdir().unwrap();
    let application = folder.path().join("app.py");
    fs::write(
        &application,
        "def app(environ, start):\n    start('200 OK', [])\n    return [b'ok']\n",
    )
    .unwrap();
    let text = format!(
        r#"
        title = "Gunicorn's own words"
        claim = "How many workers there are is told once, when they begin."
        warm_up = "500ms"
        interval = "500ms"
        end = "2s"
        [target]
        url = "http://127.0.0.1:{port}"
        command = [
            "{}", "--chdir", "{}", "--bind", "127.0.0.1:{port}", "--workers", "2",
            "--statsd-host", "{statsd}", "app:app",
        ]
        ready = "GET /"
        [[gauges]]
        preset = "gunicorn"
        listen = "{statsd}"
        [load]
        rate = "10/s"
        "#,
        installed("gunicorn").display(),
        folder.path().display(),
    );
    let run = run(&text.parse().unwrap());
    assert_eq!(told(&run, "baseline", "gauges")["workers"], 2.0);
}

/// What is done to a server whose conductor is killed.
const DONE: &str = r#"
    [[timeline]]
    at = "1s"
    do = "occupy"
    hold = "slow-endpoint"
    path = "/sleep?ms=500"
    connections = 16
    [[timeline]]
    at = "1500ms"
    do = "process"
    fault = "pause"
    [[timeline]]
    at = "2s"
    do = "process"
    fault = "continue"
    [[timeline]]
    at = "2500ms"
    do = "undo"
    name = "occupation"
"#;
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_killed_conductor_leaves_every_server_at_its_baseline() {
    each(|case| {
        for (phase, ended, undone) in [
            ("baseline", 0, 0),
            ("occupied", 1, 1),
            ("occupied and paused", 2, 2),
            ("after the undo", 4, 0),
        ] {
            killed(
                &format!("{}, {phase}", case.name),
                case.server,
                ended,
                undone,
            );
        }
    });
}

/// Kills a conductor once so many entries of [`DONE`] have been carried out: the
/// guardian undoes what acts, and the server serves.
fn killed(what: &str, server: &dyn Server, ended: usize, undone: usize) {
    let folder = tempfile::tempdir().unwrap();
    let directory = run_directory(&folder);
    let file = folder.path().join("scenario.toml");
    let mut scenario = scenario(server, &server.slow_path(5), DONE);
    // Nothing more is done, however late the conductor dies.
    let timeline = scenario
        .get_mut("timeline")
        .and_then(|it| it.as_array_mut());
    timeline.unwrap().truncate(ended);
    fs::write(&file, toml::to_string(&scenario).unwrap()).unwrap();
    let mut conductor = threadbare()
        .args(["run", "--out"])
        .args([&directory, &file])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let of = |name: &str| {
        let events = events(&directory).into_iter();
        events.filter(|event| event["event"] == name).count()
    };
    wait_until(SOON, what, || {
        of("load_started") > 0 && of("action_ended") >= ended
    });
    conductor.kill().unwrap();
    conductor.wait().unwrap();
    // It answers again: nothing of it stands still, and no worker is held for good.
    let answer = get(server.address(), &server.slow_path(1));
    assert!(
        answer.is_some_and(|it| it.starts_with("HTTP/1.1 200")),
        "{what}"
    );
    let recover = || {
        let mut command = threadbare();
        command.arg("recover").arg(&directory).output().unwrap()
    };
    wait_until(SOON, what, || recover().status.success());
    let Output { stdout, stderr, .. } = recover();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert!(said.contains("Nothing is left to undo"), "{what}: {said}");
    let by_the_guardian = said.matches("the guardian: ").count();
    assert_eq!(by_the_guardian, undone, "{what}: {said}");
    if ended > 0 {
        assert!(
            said.contains("end the occupation `occupation`"),
            "{what}: {said}"
        );
    }
}
