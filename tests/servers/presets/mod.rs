//! The presets of `threadbare init`, each run as it is printed: on the real server,
//! shortened, on ports that are free, with the files that its comments tell the user to
//! write.

mod apps;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Run, alone, threadbare};
use crate::server::{Class, Gunicorn, HaProxy, Server, Tomcat, free_ports, installed};

/// A quarter of a minute in place of a whole one: a baseline of 5 s, a push of 4 s.
const SHORT: &[&str] = &[
    "warm_up=1s",
    "end=22s",
    "timeline.0.at=6s",
    "timeline.1.at=10s",
    "timeline.2.at=13s",
];

/// The same for a server that waits for the requests it has taken before it stops: its
/// rollback takes ten seconds.
const SHORT_WITH_A_SLOW_STOP: &[&str] = &[
    "warm_up=1s",
    "end=36s",
    "timeline.0.at=6s",
    "timeline.1.at=10s",
    "timeline.2.at=24s",
];

/// What `threadbare init` prints, with other texts in place of some of its own, each of
/// which must be there.
fn preset(name: &str, changed: &[(&str, &str)]) -> String {
    let output = threadbare()
        .args(["init", "--preset", name])
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    for (from, to) in changed {
        assert!(text.contains(from), "{name} has no {from}");
        text = text.replace(from, to);
    }
    text
}

/// The lines that the preset's comment wants in this file.
fn wanted(text: &str, file: &str) -> String {
    let head = format!("# {file}:");
    let lines = text.lines().skip_while(|line| *line != head).skip(1);
    let lines = lines.take_while(|line| line.starts_with("#     ") || *line == "#");
    let lines: Vec<&str> = lines
        .map(|line| line.strip_prefix("#     ").unwrap_or_default())
        .collect();
    let lines = lines.join("\n");
    assert!(!lines.trim().is_empty(), "nothing is wanted in {file}");
    lines.trim_end().to_owned() + "\n"
}

fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

/// A program of this name that the scenario's commands find.
fn program(folder: &TempDir, name: &str, text: &str) {
    write(folder, name, text);
    let path = folder.path().join(name);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a preset in a folder with its files, and with these settings.
fn run(folder: TempDir, text: &str, settings: &[&str], variables: &[(&str, &str)]) -> Run {
    write(&folder, "preset.toml", text);
    let venv = installed("");
    let path = [folder.path(), Path::new(&venv)].map(|it| it.display().to_string());
    let path = format!("{}:{}", path.join(":"), env::var("PATH").unwrap());
    let mut command = threadbare();
    command.args(["run", "preset.toml", "--out", "run"]);
    command.args(settings.iter().flat_map(|setting| ["--set", setting]));
    let output = command
        .current_dir(folder.path())
        .env("PATH", path)
        // Gunicorn's control socket would lie in a folder that all share.
        .env("HOME", folder.path())
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    Run::read(folder, output)
}

/// The figures of a phase for the only gauges there are.
fn gauges<'a>(run: &'a Run, phase: &str) -> &'a Value {
    &run.phase(phase)["gauges"][0]
}

/// A server that is well, has `workers` busy and no more while `phase` lasts, and is
/// well again.
fn exhausted(run: &Run, phase: &str, workers: f64) {
    run.assert_sound();
    assert_eq!(run.output.status.code(), Some(0));
    assert!(run.goodput_share("baseline") > 0.95);
    let before = gauges(run, "baseline")["busy_max"].as_f64().unwrap();
    assert!(before < workers, "{before} of {workers} were busy before");
    assert_eq!(gauges(run, phase)["busy_max"], workers);
    assert_eq!(gauges(run, phase)["workers"], workers);
}

#[test]
fn pumas_control_app_tells_busy_threads() {
    let _alone = alone();
    let [port, control] = free_ports().map(|port| port.to_string());
    let text = preset("puma", &[("9292", &port), ("9293", &control)]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "config.ru", apps::RACK);
    // There is no Gemfile here.
    program(&folder, "bundle", "#!/bin/sh\nshift\nexec \"$@\"\n");
    let run = run(folder, &text, SHORT, &[]);
    exhausted(&run, "push", 5.0);
    assert!(run.figure("push", "error_share") > 0.4);
    let queue = &run.phase("push")["processes"][0]["listen_queue_max"];
    assert!(queue.as_f64() > Some(0.0), "{queue}");
}

#[test]
#[ignore = "half a minute: ./test --long"]
fn gunicorns_threads_are_counted_by_the_file_beside_the_application() {
    let _alone = alone();
    let [port, statsd] = free_ports().map(|port| port.to_string());
    let text = preset("gunicorn", &[("8000", &port), ("8125", &statsd)]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "app.py", apps::WSGI);
    write(
        &folder,
        "gunicorn.conf.py",
        &wanted(&text, "gunicorn.conf.py"),
    );
    let run = run(folder, &text, SHORT_WITH_A_SLOW_STOP, &[]);
    exhausted(&run, "push", 8.0);
    assert!(run.figure("push", "error_share") > 0.4);
}

#[test]
fn fastapis_pool_of_threads_tells_busy_threads_and_who_waits() {
    let _alone = alone();
    let [port] = free_ports().map(|port| port.to_string());
    let text = preset("uvicorn", &[("8000", &port)]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "app.py", &apps::fastapi(&wanted(&text, "app.py")));
    let run = run(folder, &text, SHORT_WITH_A_SLOW_STOP, &[]);
    exhausted(&run, "push", 40.0);
    assert!(run.figure("push", "error_share") > 0.4);
    let queue = &gauges(&run, "push")["queue_max"];
    assert!(queue.as_f64() > Some(0.0), "{queue}");
}

/// An event loop that is blocked is never told as free: it is busy, or nobody can tell,
/// and connections wait to be accepted.
fn blocked(run: &Run, phase: &str) {
    run.assert_sound();
    let gauges = gauges(run, phase);
    assert!(gauges["failed"].as_u64() > Some(0), "{gauges}");
    let queue = &run.phase(phase)["processes"][0]["listen_queue_max"];
    assert!(queue.as_f64() > Some(0.0), "{queue}");
}

#[test]
#[ignore = "half a minute: ./test --long"]
fn nodes_event_loop_is_a_worker() {
    let _alone = alone();
    let [port] = free_ports().map(|port| port.to_string());
    let text = preset("node", &[("3000", &port)]);
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder,
        "server.js",
        &apps::node(&wanted(&text, "server.js")),
    );
    let run = run(folder, &text, SHORT, &[]);
    assert_eq!(run.output.status.code(), Some(0));
    let calm = gauges(&run, "baseline");
    assert!(calm["busy"].as_f64().unwrap() < 0.5, "{calm}");
    assert_eq!(calm["workers"], 1.0);
    blocked(&run, "push");
    // The one reading that may tell it as free is of the process before the push.
    let gauges = gauges(&run, "push");
    let busy = gauges["busy"].as_f64().is_none_or(|busy| busy > 0.8);
    assert!(busy || gauges["readings"] == 1, "{gauges}");
}

#[test]
#[ignore = "half a minute: ./test --long"]
fn fastapis_event_loop_that_is_blocked_cannot_tell_and_does_not_accept() {
    let _alone = alone();
    let [port] = free_ports().map(|port| port.to_string());
    let text = preset("uvicorn", &[("8000", &port)]);
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "app.py", &apps::fastapi(&wanted(&text, "app.py")));
    let request = "load.operation.0.step.0.request=GET /blocking";
    let run = run(
        folder,
        &text,
        &[SHORT_WITH_A_SLOW_STOP, &[request]].concat(),
        &[],
    );
    assert_eq!(run.output.status.code(), Some(0));
    blocked(&run, "push");
    let busy = &gauges(&run, "push")["busy"];
    assert!(busy.is_null() || busy != 40.0, "{busy}");
}

#[test]
#[ignore = "half a minute: ./test --long"]
fn tomcats_manager_tells_busy_threads() {
    let _alone = alone();
    let server = Tomcat::start(4);
    let [port, manager] = [server.address().port(), server.manager()].map(|it| it.to_string());
    // The connector of the test is bound to an address, and the name says so.
    let connector = format!("http-nio-127.0.0.1-{port}");
    let text = preset(
        "tomcat",
        &[
            ("http-nio-8080", &connector),
            ("8080", &port),
            ("8081", &manager),
            ("gauges:threads@", "gauges:of-the-test@"),
            ("GET /health", "GET /sleep?ms=0"),
            ("\"/health\"", "\"/sleep?ms=0\""),
            // Some 50 a second keep two of four threads busy.
            ("\"GET /\"", "\"GET /sleep?ms=40\""),
        ],
    );
    let settings = [
        "warm_up=1s",
        "end=18s",
        "timeline.0.at=6s",
        "timeline.1.at=9s",
    ];
    let run = run(tempfile::tempdir().unwrap(), &text, &settings, &[]);
    run.assert_sound();
    assert_eq!(run.output.status.code(), Some(0));
    assert_eq!(gauges(&run, "baseline")["workers"], 4.0);
    let busy = gauges(&run, "baseline")["busy"].as_f64().unwrap();
    assert!((1.0..4.0).contains(&busy), "{busy}");
    // A process that stands still tells nothing; what it finds when it goes on keeps all
    // threads busy for seconds.
    assert!(gauges(&run, "pause")["failed"].as_u64() > Some(0));
    assert_eq!(gauges(&run, "continue")["busy_max"], 4.0);
}

#[test]
#[ignore = "half a minute: ./test --long"]
fn haproxys_page_tells_sessions_and_its_queue() {
    let _alone = alone();
    let server = HaProxy::start(4);
    let [port, statistics] =
        [server.address().port(), server.statistics()].map(|it| it.to_string());
    let socket = server.admin().display().to_string();
    let text = preset(
        "haproxy",
        &[
            ("8080", &port),
            ("8404", &statistics),
            ("/run/haproxy/admin.sock", &socket),
            ("app/one", "app/app1"),
            ("\"GET /\"", "\"GET /sleep?ms=5\""),
        ],
    );
    // Nothing is sent to a server that drains: HAProxy answers 503 by itself. From when the
    // hook's command has done it, which on a cold disk takes seconds, to those who may try
    // again after the server was taken back.
    let refused = "error share from impact + 300ms to take back - 3s >= 90 %";
    let text = format!("{text}\n[[expect]]\nthat = \"{refused}\"\n");
    let settings = [
        "warm_up=1s",
        "end=24s",
        "timeline.0.at=6s",
        "timeline.1.at=16s",
    ];
    let run = run(tempfile::tempdir().unwrap(), &text, &settings, &[]);
    run.assert_sound();
    assert_eq!(run.output.status.code(), Some(0));
    assert_eq!(gauges(&run, "baseline")["workers"], 4.0);
    assert_eq!(run.summary["failures"][0]["cause"], "server_error");
}

#[test]
fn a_dependency_that_is_slow_or_silent_exhausts_its_caller() {
    let _alone = alone();
    let [port, proxy, prices] = free_ports().map(|port| port.to_string());
    let root = env!("CARGO_MANIFEST_DIR");
    let text = preset(
        "slow-dependency",
        &[
            ("8000", &port),
            ("9001", &proxy),
            ("9000", &prices),
            ("./serve.sh", &format!("{root}/examples/fastapi/serve.sh")),
            ("DEPENDENCY", "PRICES"),
            ("\"GET /\"", "\"GET /orders\""),
        ],
    );
    let settings = [
        "warm_up=1s",
        "end=30s",
        "timeline.0.at=8s",
        "timeline.1.at=11s",
        "timeline.2.at=19s",
        "timeline.3.at=22s",
    ];
    let variables = [
        ("PORT", &*port),
        ("PRICES_PORT", &*prices),
        ("THREADS", "40"),
    ];
    let run = run(tempfile::tempdir().unwrap(), &text, &settings, &variables);
    exhausted(&run, "slow", 40.0);
    // Who waits past a timeout tries again, and is served in time: it costs attempts.
    let attempts = |phase| run.figure(phase, "attempts_per_operation");
    assert!(attempts("slow") > 1.3 && attempts("baseline") < 1.1);
    assert_eq!(gauges(&run, "silent")["busy_max"], 40.0);
    // What the threads are busy with: each waits for a price.
    let prices = |phase| &run.phase(phase)["dependencies"][0];
    assert_eq!(prices("silent")["waiting_max"], 40, "{}", prices("silent"));
    let time = |phase| prices(phase)["time_ms"].as_f64().unwrap();
    assert!(
        (45.0..80.0).contains(&time("baseline")),
        "{}",
        prices("baseline")
    );
    assert!(time("slow") > 10.0 * time("baseline"), "{}", prices("slow"));
    assert!(gauges(&run, "slow")["queue_max"].as_f64() > Some(0.0));
}

#[test]
#[ignore = "a minute; `./test --long` runs it"]
fn steps_of_load_show_how_much_a_server_can_do() {
    let _alone = alone();
    let server = Gunicorn::start(Class::Threads, 4, None);
    let port = server.address().port().to_string();
    let path = format!("\"GET {}\"", server.slow_path(50));
    let text = preset(
        "capacity",
        &[
            ("8000", &port),
            ("GET /health", "GET /"),
            ("\"GET /\"", &path),
        ],
    );
    let settings = [
        "end=30s",
        "load.step.0.at=6s",
        "load.step.1.at=12s",
        "load.step.2.at=18s",
        "load.step.3.at=24s",
    ];
    let run = run(tempfile::tempdir().unwrap(), &text, &settings, &[]);
    run.assert_sound();
    assert_eq!(run.output.status.code(), Some(0));
    let capacity = &run.summary["inferred_capacity"];
    let figure = |key: &str| capacity[key]["value"].as_f64().unwrap();
    assert!((60.0..81.0).contains(&figure("per_s")), "{capacity}");
    assert!((3.0..5.0).contains(&figure("workers")), "{capacity}");
}
