//! A hundred random sequences of what pages do to a console, whose run is a script: nothing is
//! lost, nothing comes twice, and nothing is done that was not ordered by who may.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use threadbare::console::{Console, ConsoleSettings};
use threadbare::model::{ClientsAction, GameOrder, Ordered};
use threadbare::plan::{Action, Entry, Plan, When};
use threadbare::record::{Event, Observer as _, StopCause};
use threadbare::units::Nanos;

use super::page::{Page, latest};

const SEQUENCES: u64 = 100;

fn plan() -> Plan {
    let entry = |inject: Option<&str>, retries| Entry {
        when: When::Offered,
        action: Action::Clients(ClientsAction::Retries { retries }),
        phase: format!("retries {retries}"),
        inject: inject.map(str::to_owned),
    };
    Plan {
        end: Nanos::from_secs(60),
        timeline: vec![entry(None, 0), entry(None, 1), entry(Some("a rumour"), 2)],
        ..Plan::default()
    }
}

/// A conductor that writes down what is ordered, and carries out nothing, until `over`.
fn conduct(
    orders: Receiver<Ordered>,
    console: &Console,
    over: Arc<AtomicBool>,
) -> thread::JoinHandle<Vec<Ordered>> {
    let mut view = console.view();
    thread::spawn(move || {
        let mut all = Vec::new();
        view.event(Nanos::ZERO, &Event::LoadStarted);
        loop {
            let ordered = match orders.recv_timeout(Duration::from_millis(5)) {
                Ok(ordered) => ordered,
                Err(_) if over.load(Ordering::Acquire) => break,
                Err(_) => continue,
            };
            all.push(ordered.clone());
            let at = Nanos::from_millis(all.len() as u64);
            let Ordered { by, order } = ordered;
            let event = match order {
                GameOrder::Join => Event::Joined { by },
                GameOrder::Act { offer } => Event::Ordered {
                    by,
                    entry: 2 + all.len(),
                    action: plan().timeline[offer as usize].action.clone(),
                    phase: String::new(),
                },
                GameOrder::Hold => Event::Held { by },
                GameOrder::GoOn => Event::WentOn {
                    by,
                    held_ns: Nanos::ZERO,
                },
                GameOrder::Note { text } => Event::Noted { by, text },
                GameOrder::Predict { question, answer } => Event::Predicted {
                    by,
                    question,
                    answer,
                },
                GameOrder::Happened { what, .. } => Event::Noted { by, text: what },
                GameOrder::Stop => {
                    view.event(at, &Event::StopOrdered { by });
                    break;
                }
            };
            if let Event::Ordered { entry, action, .. } = &event {
                view.event(at, &event);
                let (entry, action) = (*entry, action.clone());
                view.event(at, &Event::ActionStarted { entry, action });
            } else {
                view.event(at, &event);
            }
        }
        let at = Nanos::from_secs(59);
        let by = "somebody".to_owned();
        let cause = StopCause::Stopped { by };
        view.event(at, &Event::RunEnded { cause });
        all
    })
}

#[test]
fn a_hundred_random_rooms_lose_nothing_and_leave_nothing_behind() {
    let begun = Instant::now();
    let threads = count_threads();
    for seed in 0..SEQUENCES {
        let done = std::panic::catch_unwind(|| sequence(seed));
        assert!(done.is_ok(), "seed {seed}");
    }
    eprintln!("{SEQUENCES} sequences took {:?}", begun.elapsed());
    crate::run::wait_until(Duration::from_secs(5), "threads end", || {
        count_threads() <= threads
    });
}

fn count_threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[expect(clippy::too_many_lines, reason = "one list of what people may do next")]
fn sequence(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (orders, inbox) = mpsc::channel();
    let console = Console::start(&ConsoleSettings::default(), &plan(), orders).unwrap();
    let over = Arc::<AtomicBool>::default();
    let conductor = conduct(inbox, &console, Arc::clone(&over));
    let links = console.links();
    let keys = [&links.facilitator, &links.responder, &links.observer];
    let roles = ["facilitator", "responder", "observer"];
    let mut pages: Vec<(usize, Page)> = Vec::new();
    let mut readers = Vec::new();
    let mut accepted: BTreeMap<String, u64> = BTreeMap::new();
    let mut stopped = false;
    for step in 0..rng.random_range(5..25) {
        let key = rng.random_range(0..3);
        let any = (!pages.is_empty()).then(|| pages[rng.random_range(0..pages.len())].clone());
        let (as_key, page) = any.unwrap_or_else(|| (key, Page::of(keys[key])));
        match rng.random_range(0..10) {
            0 | 1 => {
                let page = Page::of(keys[key]);
                let role = rng.random_range(0..3);
                let body = json!({ "name": format!("{step}"), "role": roles[role] });
                let (status, answer) = page.post("/join", &body);
                assert_eq!(
                    status == 200,
                    role >= key && status != 429 && !stopped,
                    "{answer}"
                );
                if status == 200 {
                    *accepted.entry("join".into()).or_default() += 1;
                    let session = answer["session"].as_str().map(str::to_owned);
                    pages.push((role.max(key), Page { session, ..page }));
                }
            }
            2..=4 => {
                let offer = rng.random_range(0..4);
                let (status, _) = page.post("/act", &json!({ "offer": offer }));
                let may = page.session.is_some()
                    && (as_key == 0 && offer < 3 || as_key == 1 && offer < 2);
                assert!(may || status >= 400, "{as_key} {offer}: {status}");
                *accepted.entry("act".into()).or_default() += u64::from(status == 202);
            }
            5 => {
                let path = ["/hold", "/go-on"][rng.random_range(0..2)];
                let (status, _) = page.post(path, &json!({}));
                assert!(as_key == 0 || status >= 400);
                *accepted.entry("hold".into()).or_default() += u64::from(status == 202);
            }
            6 => {
                let (status, _) = page.post("/note", &json!({ "text": format!("{step}") }));
                *accepted.entry("note".into()).or_default() += u64::from(status == 202);
            }
            7 => {
                // A page is loaded again, from somewhere.
                readers.push(page.follow(0));
            }
            8 => {
                // One is killed in the middle of its stream, one in the middle of a request.
                drop(page.events(0));
                let host = page.base.strip_prefix("http://").unwrap();
                let mut stream = TcpStream::connect(host).unwrap();
                std::io::Write::write_all(&mut stream, b"POST /note HTTP/1.1\r\nhost: ").unwrap();
            }
            _ if rng.random_bool(0.1) => {
                let (status, _) = page.post("/stop", &json!({}));
                // Whoever has a link of those who act ends it, whatever they joined as.
                let may = page.key != Page::of(keys[2]).key;
                assert_eq!(status == 202, may, "{status}");
                stopped |= status == 202;
            }
            _ => {
                let (status, plan) = page.get("/plan");
                assert_eq!(status, 200);
                let offers = plan["offers"].as_array().unwrap().len();
                assert!(
                    offers
                        == if page.key == Page::of(keys[0]).key {
                            3
                        } else {
                            2
                        }
                );
            }
        }
        if stopped {
            break;
        }
    }
    // Whoever comes last gets all that was.
    let last = Page::of(keys[2]);
    let complete = last.follow(0);
    over.store(true, Ordering::Release);
    let ordered = conductor.join().unwrap();
    drop(console);
    let whole = complete.all();
    assert_eq!(whole.last().unwrap()["kind"], "end");
    let numbers: Vec<u64> = whole.iter().map(|it| it["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    for reader in readers {
        assert_eq!(latest(&reader.all()), latest(&whole));
    }
    conserved(&accepted, &ordered, stopped);
    let marks = whole.iter().filter(|it| it["kind"] == "mark");
    let acted: Vec<&Value> = marks.filter(|it| it["mark"] == "action").collect();
    let acts = ordered
        .iter()
        .filter(|it| matches!(it.order, GameOrder::Act { .. }));
    assert_eq!(acted.len(), acts.clone().count());
    for (mark, act) in acted.iter().zip(acts) {
        assert_eq!(mark["by"]["name"], *act.by.name);
        assert!(act.by.role.may_act());
    }
}

/// What was accepted was ordered, as often, and nothing else.
fn conserved(accepted: &BTreeMap<String, u64>, ordered: &[Ordered], stopped: bool) {
    let count =
        |of: &dyn Fn(&GameOrder) -> bool| ordered.iter().filter(|it| of(&it.order)).count() as u64;
    let accepted = |kind: &str| accepted.get(kind).copied().unwrap_or_default();
    assert_eq!(count(&|it| *it == GameOrder::Join), accepted("join"));
    assert_eq!(
        count(&|it| matches!(it, GameOrder::Act { .. })),
        accepted("act")
    );
    assert_eq!(
        count(&|it| matches!(it, GameOrder::Note { .. })),
        accepted("note")
    );
    let held = |it: &GameOrder| matches!(it, GameOrder::Hold | GameOrder::GoOn);
    assert_eq!(count(&held), accepted("hold"));
    assert_eq!(count(&|it| *it == GameOrder::Stop), u64::from(stopped));
}
