//! A run with a room: what people do is recorded under their names before it acts, what they
//! may not do is refused, and the page's figures are those of the report.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::page::{Page, latest};
use crate::founding::{founding, survivors};
use crate::run::{alone, events, run_directory, summary, threadbare, wait_until};

pub(super) const SOON: Duration = Duration::from_secs(20);

/// A run under way with its links.
struct Game {
    folder: TempDir,
    child: Child,
    links: Vec<String>,
    said: mpsc::Receiver<String>,
}

/// Starts a short run of the founding scenario, in which people decide.
fn start(end: &str) -> Game {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        r#"
        warm_up = "1s"
        end = "{end}"
        [[timeline]]
        at = "3s"
        do = "push"
        set = {{ "authorization.verification" = "detached" }}
        [[timeline]]
        at = "5s"
        do = "rollback"
        "#
    );
    let file = folder.path().join("game.toml");
    let mut table = founding(&text);
    // These runs are short: they end as any other.
    table.remove("gameday");
    let load = table["load"].as_table_mut().unwrap();
    load.insert("rate".into(), "60/s".into());
    fs::write(&file, toml::to_string(&table).unwrap()).unwrap();
    let mut child = threadbare()
        .args(["run", "--console", "--manual", "--no-tui", "--out"])
        .arg(run_directory(&folder))
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (links, said) = links(&mut child);
    Game {
        folder,
        child,
        links,
        said,
    }
}

/// The four links that a run with a console prints, and all that it says after them.
pub(super) fn links(child: &mut Child) -> (Vec<String>, mpsc::Receiver<String>) {
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let (tell, said) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let mut links = Vec::new();
    while links.len() < 4 {
        let line = said.recv_timeout(SOON).expect("four links are printed");
        links.extend(
            line.split(' ')
                .find(|it| it.contains("#key="))
                .map(str::to_owned),
        );
    }
    (links, said)
}

impl Game {
    fn directory(&self) -> std::path::PathBuf {
        run_directory(&self.folder)
    }

    fn page(&self, place: usize) -> Page {
        Page::of(&self.links[place])
    }

    fn wait_for(&self, event: &str) {
        let directory = self.directory();
        wait_until(SOON, event, || {
            events(&directory).iter().any(|line| line["event"] == event)
        });
    }

    fn end(mut self) -> (Option<i32>, TempDir, String) {
        let status = self.child.wait().unwrap();
        let said: Vec<String> = self.said.iter().collect();
        (status.code(), self.folder, said.join("\n"))
    }
}

fn place(directory: &Path, of: impl Fn(&Value) -> bool) -> usize {
    let events = events(directory);
    let found = events.iter().position(of);
    found.unwrap_or_else(|| panic!("{events:?}"))
}

#[test]
fn a_room_follows_a_run_and_acts_in_it() {
    let _alone = alone();
    let game = start("7s");
    let directory = game.directory();
    let (lead, hand, eye) = (game.page(0), game.page(1), game.page(2));
    let first = lead.follow(0);
    refused_at_the_door(&lead, &hand, &eye);
    let lead = lead.joined("Ana", "facilitator");
    let hand = hand.joined("Ben", "responder");
    let eye = eye.joined("Cem", "observer");
    game.wait_for("load_started");

    let (status, plan) = lead.get("/plan");
    assert_eq!(status, 200);
    assert_eq!(
        (&plan["mode"], &plan["manual"]),
        (&"live".into(), &true.into())
    );
    assert_eq!(plan["you"]["joined"], true);
    assert_eq!(plan["links"]["observer"], *game.links[2]);
    assert_eq!(eye.get("/plan").1["links"], Value::Null);
    let push = plan["offers"].as_array().unwrap();
    let push = push.iter().find(|it| it["name"] == "push").unwrap();
    let push = json!({ "offer": push["id"] });

    let (status, answer) = eye.post("/act", &push);
    assert_eq!(status, 403);
    assert!(
        answer["error"].as_str().unwrap().contains("observer"),
        "{answer}"
    );
    let guess = json!({ "question": "recovery", "answer": "2 min" });
    assert_eq!(eye.post("/predict", &guess).0, 202);
    let note = json!({ "text": "<b>watching</b>" });
    assert_eq!(eye.post("/note", &note).0, 202);
    // Service is well before it is lost.
    wait_until(SOON, "a baseline", || {
        let seen = first.seen();
        let well = |it: &&Value| it["kind"] == "frame" && it["goodput"].as_f64() > Some(30.0);
        seen.iter().filter(well).count() > 8
    });
    assert_eq!(hand.post("/act", &push).0, 202);
    let tool = Page {
        key: game.links[3].split_once("#key=").unwrap().1.to_owned(),
        ..lead.clone()
    };
    let outside = json!({ "what": "a cable", "kind": "began", "by": "Dee" });
    assert_eq!(tool.post("/happened", &outside).0, 202);
    assert_eq!(lead.post("/hold", &json!({})).0, 202);
    assert_eq!(lead.post("/go-on", &json!({})).0, 202);

    // A page that is loaded again in mid-run gets what it had, and what follows.
    game.wait_for("action_ended");
    wait_until(SOON, "frames", || {
        let seen = first.seen();
        seen.iter().filter(|it| it["kind"] == "frame").count() > 3
    });
    let before = first.seen();
    let from = before.last().unwrap()["seq"].as_u64().unwrap();
    let second = lead.follow(from);
    let third = eye.follow(0);

    let (code, _folder, said) = game.end();
    let (first, second, third) = (first.all(), second.all(), third.all());
    assert_eq!(first.last().unwrap()["kind"], "end", "{said}");
    assert_eq!(first[..before.len()], before);
    assert_eq!(latest(&first[before.len()..]), latest(&second));
    assert_eq!(latest(&first), latest(&third));
    assert!(matches!(code, Some(0 | 97 | 99)), "{code:?}: {said}");

    authors_come_before_effects(&directory);
    figures_agree(&directory, &latest(&first));
    for (mark, by) in [
        ("note", "Cem"),
        ("prediction", "Cem"),
        ("elsewhere", "Dee"),
        ("held", "Ana"),
    ] {
        let found = first.iter().find(|it| it["mark"] == mark);
        let found = found.unwrap_or_else(|| panic!("no mark {mark}"));
        assert_eq!(found["by"]["name"], by, "{found}");
    }
    let report = first.last().unwrap()["report"].as_str().unwrap();
    assert!(Path::new(report).exists(), "{report}");
    assert_eq!(survivors(&directory), [0; 0]);
}

/// What is not a page with a key, asking as pages do, is refused in a sentence.
fn refused_at_the_door(lead: &Page, hand: &Page, eye: &Page) {
    let body = json!({ "name": "Eve", "role": "facilitator" }).to_string();
    let send = |page: &Page, method: &str, path: &str, headers: &[(&str, &str)]| {
        let body = (method == "POST").then_some(body.as_str());
        let (status, answer) = page.ask_with(method, path, body, headers);
        if status >= 400 {
            assert!(answer["error"].is_string(), "{path}: {answer}");
        }
        status
    };
    let stranger = Page {
        key: "0".repeat(32),
        ..lead.clone()
    };
    for (page, method, path, headers, status) in [
        (&stranger, "GET", "/plan", &[][..], 401),
        (&stranger, "GET", "/events?from=0", &[][..], 401),
        (&stranger, "POST", "/stop", &[][..], 401),
        (lead, "GET", "/stop", &[][..], 405),
        (lead, "GET", "/act", &[][..], 405),
        (lead, "PUT", "/plan", &[][..], 405),
        (lead, "GET", "/nothing", &[][..], 404),
        (lead, "GET", "/plan", &[("host", "evil.example")][..], 403),
        (
            lead,
            "POST",
            "/join",
            &[("origin", "http://evil.example")][..],
            403,
        ),
        (lead, "POST", "/join", &[("origin", "null")][..], 403),
        (
            lead,
            "POST",
            "/join",
            &[("content-type", "text/plain")][..],
            415,
        ),
        (hand, "POST", "/join", &[][..], 403), // a role above the key's
        (eye, "POST", "/stop", &[][..], 403),
        (lead, "POST", "/act", &[][..], 409), // nobody has joined yet
    ] {
        assert_eq!(
            send(page, method, path, headers),
            status,
            "{method} {path} {headers:?}"
        );
    }
    let long = format!("{{\"text\":\"{}\"}}", "a".repeat(9_000));
    assert_eq!(lead.ask_with("POST", "/note", Some(&long), &[]).0, 413);
    // The page itself needs no key, and is of this address alone.
    let (status, _) = stranger.get("/");
    assert_eq!(status, 200);
}

/// Who decided is in the journal before what was done, and that before its effect.
fn authors_come_before_effects(directory: &Path) {
    let of = |event: &'static str, action: &'static str| {
        place(directory, |line| {
            line["event"] == event && (action.is_empty() || line["action"].get(action).is_some())
        })
    };
    let ordered = of("ordered", "push");
    assert_eq!(events(directory)[ordered]["by"]["name"], "Ben");
    let started = of("action_started", "push");
    assert!(ordered < started && started < of("action_ended", ""));
    let acted = events(directory);
    let acted = acted.iter().filter(|it| it["event"] == "ordered");
    assert!(acted.clone().all(|it| it["by"]["name"] != "Cem"));
    assert_eq!(acted.count(), 2); // the push, and what happened elsewhere
}

/// The users of the page's frames are those of the summary.
fn figures_agree(directory: &Path, messages: &[Value]) {
    let summary = summary(directory).unwrap();
    let frames: Vec<&Value> = messages.iter().filter(|it| it["kind"] == "frame").collect();
    assert!(frames.iter().all(|it| it["settled"] == true));
    for key in ["scheduled", "succeeded"] {
        let sum: u64 = frames.iter().map(|it| it[key].as_u64().unwrap()).sum();
        assert_eq!(sum, summary["conservation"][key].as_u64().unwrap(), "{key}");
    }
    let clock = messages.iter().rfind(|it| it["kind"] == "state").unwrap();
    assert_eq!(clock["state"], "ended");
    assert_eq!(clock["clock"]["began_s"], summary["incident"]["impact_s"]);
    let held = frames.iter().find(|it| it["held"].is_object()).unwrap();
    assert!(held["workers"].as_f64().unwrap() > 0.0, "{held}");
}

#[test]
fn stop_ends_the_run_undoes_everything_and_holds_nothing() {
    let _alone = alone();
    let game = start("60s");
    let directory = game.directory();
    let hand = game.page(1).joined("Ben", "responder");
    game.wait_for("load_started");
    assert_eq!(hand.post("/act", &json!({ "offer": 0 })).0, 202);
    game.wait_for("action_ended");
    let reader = hand.follow(0);
    // A page whose connection broke in mid-stream, and one that was opened twice.
    drop(hand.events(0));
    let twice = Page {
        session: None,
        ..hand.clone()
    };
    let asked = Instant::now();
    for page in [&twice, &hand, &twice] {
        assert_eq!(page.post("/stop", &json!({})).0, 202);
    }
    let (code, _folder, said) = game.end();
    assert!(asked.elapsed() < SOON, "{said}");
    assert!(code.is_some(), "{said}");
    let end = reader.all().pop().unwrap();
    assert_eq!(
        (&end["kind"], &end["cause"]),
        (&"end".into(), &"stopped".into()),
        "{end}"
    );
    let last = events(&directory).pop().unwrap();
    assert_eq!(last["event"], "run_ended");
    assert!(last.to_string().contains("stopped"), "{last}");
    assert_eq!(survivors(&directory), [0; 0]);
    let stops = events(&directory);
    let stops = stops.iter().filter(|it| it["event"] == "stop_ordered");
    assert_eq!(stops.count(), 1);
}

#[test]
fn a_finished_run_is_shown_and_nothing_can_be_done_in_it() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports");
    for (path, mode) in [
        (sample.join("sample-missing-await"), "finished"),
        (sample, "list"),
    ] {
        let mut child = threadbare()
            .arg("console")
            .arg(&path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let page = Page::of(line.trim().strip_prefix("Open ").unwrap());
        let (status, plan) = page.get("/plan");
        assert_eq!((status, &plan["mode"]), (200, &mode.into()), "{plan}");
        let runs = page.get("/runs").1["runs"].as_array().unwrap().clone();
        let of = |name: &str| {
            let found = runs
                .iter()
                .find(|it| it["directory"].as_str().unwrap().ends_with(name));
            found.unwrap()["directory"]
                .as_str()
                .unwrap()
                .replace('/', "%2F")
        };
        let run = of("sample-missing-await");
        let (status, plan) = page.get(&format!("/plan?run={run}"));
        assert_eq!((status, &plan["mode"]), (200, &"finished".into()));
        let (status, shown) = page.get(&format!("/shown?run={run}"));
        assert_eq!(status, 200, "{shown}");
        let (_, compared) = page.get(&format!("/shown?base={run}&candidate={run}"));
        for shown in [shown, compared] {
            let nobody = Page {
                key: String::new(),
                ..page.clone()
            };
            assert_eq!(nobody.get(shown["page"].as_str().unwrap()).0, 200);
        }
        assert_eq!(page.get("/plan?run=%2Fetc").0, 404);
        assert_eq!(page.get("/shown/0123").0, 404);
        let join = json!({ "name": "Ana", "role": "observer" });
        assert_eq!(page.post("/join", &join).0, 409);
        let feed = format!("/events?from=0&run={run}");
        let (status, _) = page.get(&feed);
        assert_eq!(status, 200);
        crate::rig::signal(child.id(), rustix::process::Signal::INT);
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}
