//! The page in a real Chromium, as two people and a projector use it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};

use serde_json::Value;
use tempfile::TempDir;

use super::driver::{Browser, Driver};
use crate::run::{alone, summary, threadbare};

/// Two instances of two workers each; what the timeline does, people decide.
const GAME: &str = r#"
title    = "The role check <b>without</b> await"
claim    = "People bring it back."
end      = "20m"
warm_up  = "1s"
interval = "250ms"

[target.fleet]
instances = 2
workers   = 2
users     = 30
boot      = "0s"
application = "constant(1ms)"
database    = "constant(2ms)"

[load]
rate = "80/s"
mix  = [{ weight = 1, request = "list tasks", role = "contributor" }]

[load.client]
timeout  = "500ms"
deadline = "2s"
retries  = 1

[[timeline]]
offered = true
do      = "push"
set     = { "authorization.verification" = "detached" }
schema  = 2
tested  = true

[[timeline]]
offered = true
do      = "rollback"

[[timeline]]
offered = true
do      = "waive"
check   = "schema current"

[[timeline]]
offered = true
inject  = "The database team calls."
do      = "slow"
part    = "database"
factor  = 2
"#;

/// A run with a console, as a user starts one.
struct Game {
    folder: TempDir,
    process: Child,
    links: Vec<String>,
    /// Everything it printed meanwhile.
    told: Receiver<String>,
}

impl Game {
    fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("game.toml");
        fs::write(&file, GAME).unwrap();
        let mut process = threadbare()
            .args(["run", "--console", "--manual", "--out"])
            .arg(folder.path().join("run"))
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = BufReader::new(process.stderr.take().unwrap()).lines();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for text in printed.map_while(Result::ok) {
                let _ = tell.send(text);
            }
        });
        let mut links = Vec::new();
        while links.len() < 3 {
            let line = told.recv().expect("the run prints its links");
            let words = line.split_whitespace();
            let found = words.filter(|word| word.starts_with("http://127.0.0.1:"));
            links.extend(found.map(str::to_owned));
        }
        Self {
            folder,
            process,
            links,
            told,
        }
    }

    fn directory(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Waits for its end, which the page has ordered.
    fn ended(&mut self) -> i32 {
        let ended = self.process.wait().unwrap();
        ended.code().unwrap_or_else(|| {
            let told: Vec<String> = self.told.try_iter().collect();
            panic!("ended by a signal: {told:?}")
        })
    }

    fn events(&self) -> Vec<Value> {
        let journal = fs::read_to_string(self.directory().join("journal.jsonl")).unwrap();
        let lines = journal
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }
}

impl Drop for Game {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Joins by the page's own form.
fn join(browser: &Browser<'_>, link: &str, name: &str) {
    browser.open(link);
    browser.until("the form", "document.getElementById('join')?.open === true");
    browser.write("#join-name", name);
    browser.press("[data-testid=join-send]");
    browser.until(
        "that somebody has joined",
        "!document.getElementById('join').open",
    );
}

fn log_has(browser: &Browser<'_>, what: &str, text: &str) {
    let shown = format!("document.getElementById('entries').innerText.includes({text:?})");
    browser.until(what, &shown);
}

/// The number of a button, by what it says.
fn offer(browser: &Browser<'_>, label: &str) -> String {
    let number = format!(
        "[...document.querySelectorAll('[data-offer]')].find((it) => \
         it.innerText.startsWith({label:?}))?.dataset.offer ?? ''"
    );
    browser.until(label, &format!("({number}) !== ''"));
    browser.eval(&number).as_str().unwrap().to_owned()
}

/// Presses a button that asks once.
fn press_twice(browser: &Browser<'_>, selector: &str) {
    browser.press(selector);
    browser.press(selector);
}

fn picture(browser: &Browser<'_>, name: &str) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../console");
    browser.picture(&target.join(format!("{name}.png")));
}

/// Nothing that is wrong, and nothing from elsewhere.
fn is_clean(browser: &Browser<'_>) {
    let wrong: Vec<Value> = browser
        .log()
        .into_iter()
        // A refusal that the test asks for is shown there by the browser itself.
        .filter(|entry| !entry["message"].as_str().unwrap().contains("403"))
        .filter(|entry| entry["level"] == "SEVERE")
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let elsewhere = browser.eval(
        "performance.getEntriesByType('resource').map((it) => it.name)\
         .filter((it) => !it.startsWith(location.origin) && !it.startsWith('data:'))",
    );
    assert_eq!(elsewhere, serde_json::json!([]));
}

#[test]
fn a_game_is_played_by_two_people_and_watched_by_a_room() {
    let _alone = alone();
    let mut game = Game::begin();
    let driver = Driver::start();
    let wide = driver.browser(1280);
    let phone = driver.browser(420);
    join(&wide, &game.links[0], "Ana <i>A</i>");
    join(&phone, &game.links[2], "Oli");

    // Figures move, and are those of the load.
    let goodput = "Number.parseFloat(document.querySelector('[data-figure=goodput]').innerText)";
    wide.until("goodput", &format!("{goodput} > 40"));
    wide.until(
        "the word",
        "document.getElementById('state').innerText.toLowerCase() === 'normal'",
    );
    assert_eq!(
        wide.eval("document.querySelectorAll('#entries b, #entries i').length"),
        0
    );

    // A projector shows the address.
    assert_eq!(wide.eval("location.hash"), "");

    // The observer may look and write, and nothing else.
    let push = offer(&wide, "push");
    let refused = phone.eval(&format!(
        "(async () => {{ const {{ post }} = await import('/feed.js'); \
         return await post('/act', {{ offer: {push} }}); }})()"
    ));
    assert!(refused.as_str().unwrap().contains("observer"), "{refused}");
    phone.write("#note", "It looks <script>calm</script>.");
    phone.press("[data-testid=note-send]");
    log_has(&wide, "the note", "It looks <script>calm</script>.");

    // The injects are the facilitator's.
    offer(&wide, "database 2× as slow");
    assert_eq!(
        phone.eval("document.body.innerText.includes('The database team calls')"),
        false
    );

    // What is expected is written down before anything is done.
    wide.write("input[data-predict=held_down]", "the <i>database</i>");
    wide.press("form[data-question=held_down] button");
    log_has(&phone, "the prediction", "the <i>database</i>");

    // An action by button, and a refusal as a moment of its own.
    press_twice(&wide, &format!("[data-offer='{push}']"));
    log_has(
        &wide,
        "the push",
        "push authorization.verification = detached applied",
    );
    let down =
        "['down', 'degraded'].includes(document.getElementById('state').innerText.toLowerCase())";
    phone.until("that service is down", down);
    let rollback = offer(&wide, "rollback");
    wide.press(&format!("[data-offer='{rollback}']"));
    log_has(&phone, "the refusal", "REFUSED");
    picture(&wide, "live-1280");
    picture(&phone, "live-420");

    // A reload loses nothing.
    let shown = "document.querySelectorAll('#entries > li').length";
    let before = wide.eval(shown).as_u64().unwrap();
    wide.reload();
    wide.until("all that was there before", &format!("{shown} >= {before}"));
    is_clean(&wide);
    is_clean(&phone);

    // Stop undoes everything and ends the run, and the page shows the end.
    press_twice(&wide, "[data-testid=stop]");
    // Two browsers beside it on two cores may leave the generator too little: 97, and said.
    let ended = game.ended();
    assert!(matches!(ended, 0 | 97), "exit {ended}");
    wide.until(
        "the end",
        "document.getElementById('state').innerText.toLowerCase() === 'ended'",
    );
    picture(&wide, "ended-1280");
    picture(&phone, "ended-420");
    let predicted = "document.getElementById('predicted').innerText";
    wide.until(
        "what was measured of it",
        &format!("{predicted}.includes('nothing was named')"),
    );
    let of_page = wide.eval(
        "[...globalThis.threadbare.store.frames.values()].reduce((sum, it) => \
         sum + it.offered * it.width_s, 0)",
    );
    let found = summary(&game.directory()).unwrap();
    let scheduled = found["conservation"]["scheduled"].as_f64().unwrap();
    let of_page = of_page.as_f64().unwrap();
    assert!(
        (of_page - scheduled).abs() < 0.5,
        "{of_page} of {scheduled}"
    );
    recorded(&game, &found);
}

/// What the journal, the summary and the postmortem have of it.
fn recorded(game: &Game, found: &Value) {
    let events = game.events();
    let place = |event: &str, nth: usize| {
        let mut places = (0..events.len()).filter(|at| events[*at]["event"] == event);
        places
            .nth(nth)
            .unwrap_or_else(|| panic!("no {event} in {events:?}"))
    };
    for nth in 0..2 {
        let (ordered, started) = (place("ordered", nth), place("action_started", nth));
        assert!(ordered < started && started < place("action_ended", nth));
        assert_eq!(events[ordered]["by"]["name"], "Ana <i>A</i>");
        assert_eq!(events[ordered]["entry"], events[started]["entry"]);
    }
    assert!(place("stop_ordered", 0) > place("action_ended", 1));
    assert_eq!(found["ending"]["by"], "stopped");
    assert_eq!(found["game_day"]["stopped_by"], "Ana <i>A</i>");
    assert_eq!(found["actions"][0]["by"]["role"], "facilitator");
    assert_eq!(found["incident"]["trigger"], "push");
    let postmortem = fs::read_to_string(game.directory().join("postmortem.md")).unwrap();
    assert!(
        postmortem.contains("It looks \\<script\\>calm"),
        "{postmortem}"
    );
    assert!(postmortem.contains("the timeline as written, simulated"));
    assert!(postmortem.contains("the \\<i\\>database"), "{postmortem}");
}
