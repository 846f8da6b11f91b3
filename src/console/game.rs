//! What people ask of the run: who they are, what they may, and how often.
//!
//! It decides only what needs no knowledge of the run: role, form and rate. What is asked
//! for goes to the conductor as an order with its author, and comes back as an event; so
//! that nothing is shown as done because it was asked for. It is told the time.

use std::collections::HashMap;
use std::sync::mpsc::Sender;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::access::{Entrant, Secret, is_within};
use super::pace::Pace;
use super::refusal::Refusal;
use crate::bounds::CONSOLE_PEOPLE_MAX;
use crate::model::{
    GameOrder, GameRole, NAME_MAX, Offer, Ordered, Person, Question, Reported, TEXT_MAX,
};
use crate::record::printable;
use crate::units::Nanos;

/// Actions a second, of all together: a person presses fewer, and each is written down.
const ACTIONS_PER_S: f64 = 10.0;
/// Notes, predictions and people who join, a second.
const NOTES_PER_S: f64 = 5.0;
/// Reports of what is done elsewhere.
const REPORTS_PER_S: f64 = 5.0;

/// The people of a run, and the way to its conductor.
#[derive(Debug)]
pub(super) struct Game {
    /// None: the run has ended, or is a finished one that is played back.
    orders: Option<Sender<Ordered>>,
    offers: Vec<Offer>,
    sessions: HashMap<Secret, Person>,
    /// Who is in the journal by name.
    actions: Pace,
    notes: Pace,
    reports: Pace,
    stopped: bool,
}

/// A request to do something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    /// The path.
    pub path: &'a str,
    /// What its key opens.
    pub entrant: Entrant,
    /// The session that it is of, where it says one.
    pub session: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
}

/// A status and a body.
pub(super) type Done = Result<(u16, Value), Refusal>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinBody {
    name: String,
    role: GameRole,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActBody {
    offer: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteBody {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PredictBody {
    question: Question,
    answer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HappenedBody {
    what: String,
    kind: Reported,
    by: String,
}

impl Game {
    /// A game whose orders go there; none: nobody takes any.
    pub(super) fn new(offers: Vec<Offer>, orders: Option<Sender<Ordered>>) -> Self {
        Self {
            orders,
            offers,
            sessions: HashMap::new(),
            actions: Pace::per_second(ACTIONS_PER_S),
            notes: Pace::per_second(NOTES_PER_S),
            reports: Pace::per_second(REPORTS_PER_S),
            stopped: false,
        }
    }

    /// The run has ended: no order is taken any more.
    pub(super) fn end(&mut self) {
        self.orders = None;
    }

    /// Who a session is.
    pub(super) fn person(&self, session: &str) -> Option<&Person> {
        let mut sessions = self.sessions.iter();
        sessions
            .find(|(own, _)| own.is(session))
            .map(|(_, person)| person)
    }

    /// Carries out a request.
    ///
    /// # Errors
    ///
    /// Why it is refused, in one sentence.
    pub(super) fn ask(&mut self, now: Nanos, ask: &Ask<'_>) -> Done {
        match ask.path {
            "/join" => self.join(now, ask),
            "/act" => {
                let person = self.actor(ask)?;
                let ActBody { offer } = parsed(ask.body)?;
                self.is_offered(offer, &person)?;
                self.act(now, person, GameOrder::Act { offer })
            }
            "/hold" | "/go-on" => {
                let person = self.actor(ask)?;
                if !person.role.leads() {
                    return Err(Refusal::forbidden(
                        "only facilitators hold the timeline and let it go on",
                    ));
                }
                let hold = ask.path == "/hold";
                let order = if hold {
                    GameOrder::Hold
                } else {
                    GameOrder::GoOn
                };
                self.act(now, person, order)
            }
            "/stop" => self.stop(ask),
            "/note" => {
                let person = self.member(ask)?;
                let NoteBody { text } = parsed(ask.body)?;
                let text = written(&text, "a note", TEXT_MAX)?;
                self.write(now, person, GameOrder::Note { text })
            }
            "/predict" => {
                let person = self.member(ask)?;
                let PredictBody { question, answer } = parsed(ask.body)?;
                let answer = written(&answer, "a prediction", TEXT_MAX)?;
                self.write(now, person, GameOrder::Predict { question, answer })
            }
            "/happened" => self.happened(now, ask),
            _ => Err(Refusal::unknown("there is no such route")),
        }
    }

    fn join(&mut self, now: Nanos, ask: &Ask<'_>) -> Done {
        let Entrant::Person(most) = ask.entrant else {
            return Err(Refusal::forbidden("the key of a tool is not a person's"));
        };
        let JoinBody { name, role } = parsed(ask.body)?;
        if !is_within(role, most) {
            return Err(Refusal::forbidden(format!(
                "this link is one of a{} {}; ask the facilitator for another",
                if most == GameRole::Observer { "n" } else { "" },
                most.word()
            )));
        }
        let name = one_line(&name)?;
        if self.orders.is_none() {
            return Err(over());
        }
        // Where there are too many, whoever only looks makes room for others.
        if self.sessions.len() >= CONSOLE_PEOPLE_MAX {
            self.sessions.retain(|_, it| it.role.may_act());
        }
        if self.sessions.len() >= CONSOLE_PEOPLE_MAX {
            return Err(Refusal::new(
                429,
                format!("{CONSOLE_PEOPLE_MAX} have joined already, which is the bound"),
            ));
        }
        let person = Person { name, role };
        // Who comes again with the same name and role is written down again: nobody takes
        // another's name unseen.
        self.write(now, person.clone(), GameOrder::Join)?;
        let session = Secret::new();
        let answer = json!({ "session": session.text() });
        self.sessions.insert(session, person);
        Ok((200, answer))
    }

    /// Ends the run, whoever of those who may act it is, and however often.
    fn stop(&mut self, ask: &Ask<'_>) -> Done {
        let person = match (self.member(ask), ask.entrant) {
            (Ok(person), _) if person.role.may_act() => person,
            // Nobody has to tell a name first to end what goes wrong.
            (_, Entrant::Person(role)) if role.may_act() => Person {
                name: format!("somebody with the link of a {}", role.word()),
                role,
            },
            _ => return Err(may_not_act()),
        };
        if !self.stopped {
            self.send(person, GameOrder::Stop)?;
            self.stopped = true;
        }
        Ok((202, json!({})))
    }

    fn happened(&mut self, now: Nanos, ask: &Ask<'_>) -> Done {
        let may = match ask.entrant {
            Entrant::Tool => true,
            Entrant::Person(role) => role.may_act(),
        };
        if !may {
            return Err(may_not_act());
        }
        let HappenedBody { what, kind, by } = parsed(ask.body)?;
        let what = written(&what, "what happened", TEXT_MAX)?;
        let person = Person {
            name: one_line(&by)?,
            role: GameRole::Responder,
        };
        // Of their own, so that a tool that repeats itself keeps nobody from acting.
        self.pace(now, |game| &mut game.reports)?;
        self.send(person, GameOrder::Happened { what, kind })
    }

    /// Who has joined.
    fn member(&self, ask: &Ask<'_>) -> Result<Person, Refusal> {
        let Entrant::Person(most) = ask.entrant else {
            return Err(Refusal::forbidden("the key of a tool only reports"));
        };
        let person = ask.session.and_then(|session| self.person(session));
        match person {
            Some(person) if is_within(person.role, most) => Ok(person.clone()),
            _ => Err(Refusal::conflict(
                "say who you are first: join with a name and a role",
            )),
        }
    }

    /// Who has joined and may act.
    fn actor(&self, ask: &Ask<'_>) -> Result<Person, Refusal> {
        if matches!(ask.entrant, Entrant::Person(role) if !role.may_act()) {
            return Err(may_not_act());
        }
        let person = self.member(ask)?;
        if person.role.may_act() {
            Ok(person)
        } else {
            Err(may_not_act())
        }
    }

    fn is_offered(&self, offer: u32, person: &Person) -> Result<(), Refusal> {
        let mut offers = self.offers.iter();
        let offered = offers.find(|own| own.id == offer);
        match offered {
            Some(own) if own.inject.is_none() || person.role.leads() => Ok(()),
            // An inject that others do not see is none to them.
            _ => Err(Refusal::unknown(
                "the scenario offers no such action; load the page again",
            )),
        }
    }

    fn act(&mut self, now: Nanos, by: Person, order: GameOrder) -> Done {
        self.pace(now, |game| &mut game.actions)?;
        self.send(by, order)
    }

    fn write(&mut self, now: Nanos, by: Person, order: GameOrder) -> Done {
        self.pace(now, Self::notes)?;
        self.send(by, order)
    }

    const fn notes(&mut self) -> &mut Pace {
        &mut self.notes
    }

    fn pace(&mut self, now: Nanos, of: impl Fn(&mut Self) -> &mut Pace) -> Result<(), Refusal> {
        if of(self).admits(now) {
            return Ok(());
        }
        Err(Refusal::new(
            429,
            "that was too much within a second, from all together; try again",
        ))
    }

    fn send(&self, by: Person, order: GameOrder) -> Done {
        let orders = self.orders.as_ref().ok_or_else(over)?;
        // The conductor has gone: the run has ended meanwhile.
        orders.send(Ordered { by, order }).map_err(|_| over())?;
        Ok((202, json!({})))
    }
}

fn may_not_act() -> Refusal {
    Refusal::forbidden("an observer looks and writes notes; facilitators and responders act")
}

fn over() -> Refusal {
    Refusal::conflict("the run has ended: nothing can be done in it any more")
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|cause| Refusal::new(400, format!("the body cannot be read: {cause}")))
}

/// A name: some text on one line.
fn one_line(name: &str) -> Result<String, Refusal> {
    let name = written(name, "a name", NAME_MAX)?;
    if name.lines().count() > 1 {
        return Err(Refusal::new(400, "a name is one line"));
    }
    Ok(name)
}

/// A text that a person wrote, without blanks around it.
fn written(text: &str, what: &str, most: usize) -> Result<String, Refusal> {
    let text = text.trim();
    let wrong = |sentence: String| Err(Refusal::new(400, sentence));
    if text.is_empty() {
        return wrong(format!("{what} is not empty"));
    }
    if text.chars().count() > most {
        return wrong(format!("{what} has at most {most} characters"));
    }
    if text.lines().any(|line| printable(line) != line) {
        return wrong(format!("{what} has no control characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver};

    use super::*;
    use crate::plan::{Action, Entry, Plan, When};

    fn plan() -> Plan {
        let entry = |inject: Option<&str>, retries| Entry {
            when: When::At(Nanos::from_secs(5)),
            action: Action::Clients(crate::model::ClientsAction::Retries { retries }),
            phase: "retries".into(),
            inject: inject.map(str::to_owned),
        };
        Plan {
            timeline: vec![entry(None, 0), entry(Some("a page of alerts"), 3)],
            ..Plan::default()
        }
    }

    fn game() -> (Game, Receiver<Ordered>) {
        let (orders, inbox) = mpsc::channel();
        (Game::new(plan().offers(), Some(orders)), inbox)
    }

    fn ask(
        game: &mut Game,
        path: &str,
        role: GameRole,
        session: Option<&str>,
        body: &Value,
    ) -> Done {
        let body = body.to_string();
        let ask = Ask {
            path,
            entrant: Entrant::Person(role),
            session,
            body: body.as_bytes(),
        };
        game.ask(Nanos::from_secs(1), &ask)
    }

    fn join(game: &mut Game, role: GameRole, name: &str) -> String {
        let body = json!({ "name": name, "role": role.word() });
        let (_, answer) = ask(game, "/join", role, None, &body).unwrap();
        answer["session"].as_str().unwrap().to_owned()
    }

    #[test]
    fn orders_go_out_with_their_author_and_refusals_do_not() {
        use GameRole::{Facilitator, Observer, Responder};
        let (mut game, inbox) = game();
        let lead = join(&mut game, Facilitator, "Ana");
        let hand = join(&mut game, Responder, " Ben ");
        let eye = join(&mut game, Observer, "Cem");
        for (path, role, session, body, status) in [
            ("/act", Responder, &hand, json!({ "offer": 0 }), 202),
            ("/act", Responder, &hand, json!({ "offer": 1 }), 404), // an inject
            ("/act", Facilitator, &lead, json!({ "offer": 1 }), 202),
            ("/act", Observer, &eye, json!({ "offer": 0 }), 403),
            ("/act", Facilitator, &eye, json!({ "offer": 0 }), 403),
            ("/act", Observer, &hand, json!({ "offer": 0 }), 403), // a session of another link
            ("/act", Responder, &lead, json!({ "offer": 0 }), 409),
            ("/act", Responder, &hand, json!({ "offer": 9 }), 404),
            ("/act", Responder, &hand, json!({ "offre": 0 }), 400),
            ("/hold", Responder, &hand, json!({}), 403),
            ("/hold", Facilitator, &lead, json!({}), 202),
            ("/go-on", Facilitator, &lead, json!({}), 202),
            ("/note", Observer, &eye, json!({ "text": "a\nb" }), 202),
            ("/note", Observer, &eye, json!({ "text": "\u{1b}[2J" }), 400),
            ("/note", Observer, &eye, json!({ "text": " " }), 400),
            ("/stop", Observer, &eye, json!({}), 403),
            ("/stop", Responder, &hand, json!({}), 202),
            ("/stop", Responder, &hand, json!({}), 202), // again, and once is enough
            ("/nothing", Facilitator, &lead, json!({}), 404),
        ] {
            let done = ask(&mut game, path, role, Some(session), &body);
            let found = done.map_or_else(|refusal| refusal.status, |(status, _)| status);
            assert_eq!(found, status, "{path} {role:?} {body}");
        }
        let orders: Vec<Ordered> = inbox.try_iter().collect();
        let names: Vec<&str> = orders.iter().map(|it| it.by.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "Ana", "Ben", "Cem", "Ben", "Ana", "Ana", "Ana", "Cem", "Ben"
            ]
        );
        assert_eq!(orders.last().unwrap().order, GameOrder::Stop);
    }

    #[test]
    fn who_comes_again_is_written_down_again_and_stop_needs_no_name() {
        let (mut game, inbox) = game();
        let first = join(&mut game, GameRole::Responder, "Ana");
        let second = join(&mut game, GameRole::Responder, "Ana");
        assert_ne!(first, second);
        assert!(ask(&mut game, "/stop", GameRole::Facilitator, None, &json!({})).is_ok());
        let orders: Vec<Ordered> = inbox.try_iter().collect();
        assert_eq!(orders.len(), 3);
        assert!(orders[2].by.name.contains("link of a facilitator"));
        game.end();
        let body = json!({ "text": "late" });
        let late = ask(&mut game, "/note", GameRole::Responder, Some(&first), &body);
        assert_eq!(late.unwrap_err().status, 409);
    }

    #[test]
    fn a_tool_reports_and_does_nothing_else() {
        let (mut game, inbox) = game();
        let mut tool = |path: &str, body: &Value| {
            let body = body.to_string();
            let ask = Ask {
                path,
                entrant: Entrant::Tool,
                session: None,
                body: body.as_bytes(),
            };
            game.ask(Nanos::from_secs(1), &ask)
        };
        let body = json!({ "what": "occupy", "kind": "began", "by": "threadbare occupy" });
        assert!(tool("/happened", &body).is_ok());
        for path in ["/act", "/note", "/stop", "/join", "/hold"] {
            assert_eq!(tool(path, &json!({})).unwrap_err().status, 403, "{path}");
        }
        assert_eq!(inbox.try_iter().count(), 1);
    }

    #[test]
    fn the_rate_of_actions_is_bounded_for_all_together() {
        let (mut game, inbox) = game();
        let session = join(&mut game, GameRole::Responder, "Ana");
        let mut refused = 0;
        for _ in 0..25 {
            let body = json!({ "offer": 0 });
            let done = ask(
                &mut game,
                "/act",
                GameRole::Responder,
                Some(&session),
                &body,
            );
            refused += u32::from(done.is_err_and(|refusal| refusal.status == 429));
        }
        assert_eq!(refused, 15);
        // What stops the run is never one too many.
        let stop = ask(
            &mut game,
            "/stop",
            GameRole::Responder,
            Some(&session),
            &json!({}),
        );
        assert!(stop.is_ok());
        assert_eq!(inbox.try_iter().count(), 1 + 10 + 1);
    }
}
