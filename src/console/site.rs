//! What is behind the console's routes: one run that goes on, or finished ones.

use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use serde_json::{Value, json};

use super::access::{Addresses, Entrant, KEY, Keys, SESSION, demand_json};
use super::connections::Turn;
use super::described::{Viewer, described};
use super::feed::Feed;
use super::game::{Ask, Game};
use super::library::Library;
use super::pages::{self, PageBody};
use super::query::Query;
use super::refusal::Refusal;
use super::stream::{Readers, stream};
use super::teller::Teller;
use crate::bounds::{CONSOLE, REQUEST_TIME_MAX};
use crate::clock::Clock;
use crate::model::{GameRole, Person};
use crate::plan::Plan;
use crate::sync::lock;
use crate::units::Nanos;

type Routed = Result<Response<PageBody>, Refusal>;

/// What does something, and so is never a GET.
const ACTS: [&str; 8] = [
    "/join",
    "/act",
    "/hold",
    "/go-on",
    "/stop",
    "/note",
    "/predict",
    "/happened",
];

/// What a console serves, and whom.
pub(super) struct Site {
    pub(super) keys: Keys,
    pub(super) addresses: Addresses,
    pub(super) content: Content,
    readers: Arc<Readers>,
    clock: Clock,
}

/// What there is to see.
pub(super) enum Content {
    /// A run that goes on.
    Live(Box<LiveRun>),
    /// Runs that have ended.
    Finished(Arc<Library>),
}

/// A run that goes on, with the people in its room.
pub(super) struct LiveRun {
    pub(super) plan: Plan,
    pub(super) width: Nanos,
    pub(super) feed: Arc<Feed>,
    pub(super) teller: Mutex<Teller>,
    pub(super) game: Mutex<Game>,
}

impl Site {
    pub(super) fn new(keys: Keys, addresses: Addresses, content: Content) -> Self {
        Self {
            keys,
            addresses,
            content,
            readers: Arc::default(),
            clock: Clock::start(),
        }
    }

    /// The run that goes on; none where only finished ones are shown.
    pub(super) const fn live(&self) -> Option<&LiveRun> {
        match &self.content {
            Content::Live(run) => Some(run),
            Content::Finished(_) => None,
        }
    }

    /// Tells the frames that have come to rest.
    pub(super) fn look(&self) {
        if let Some(run) = self.live() {
            lock(&run.teller).look();
        }
    }

    /// Who reads the messages.
    pub(super) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Answers a request.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        turn: Turn,
    ) -> Response<PageBody> {
        let (head, body) = request.into_parts();
        let routed = self.route(&head, body, turn).await;
        routed.unwrap_or_else(|refusal| pages::refused(&refusal))
    }

    async fn route(&self, head: &Parts, body: Incoming, turn: Turn) -> Routed {
        self.addresses.admit(&head.headers)?;
        let path = head.uri.path();
        match head.method {
            Method::GET => self.get(head, path, turn).await,
            Method::POST => {
                let entrant = self.entrant(&head.headers)?;
                if !ACTS.contains(&path) {
                    return Err(nowhere(path));
                }
                demand_json(&head.headers)?;
                let body = whole(body).await?;
                self.act(head, path, entrant, &body)
            }
            _ => Err(Refusal::new(405, "only GET and POST are possible here")),
        }
    }

    async fn get(&self, head: &Parts, path: &str, turn: Turn) -> Routed {
        if let Some(asset) = pages::asset(path) {
            return Ok(asset);
        }
        let query = Query::of(head.uri.query());
        if let (Some(ticket), Content::Finished(library)) =
            (path.strip_prefix("/shown/"), &self.content)
        {
            return library.shown(self.clock.now(), ticket).map(pages::report);
        }
        let entrant = self.entrant(&head.headers)?;
        match (path, &self.content) {
            ("/plan", Content::Live(run)) => {
                let session = header(&head.headers, SESSION);
                Ok(self.live_plan(run, entrant, session))
            }
            ("/events", Content::Live(run)) => Ok(self.events(&run.feed, &query, turn)),
            ("/plan", Content::Finished(library)) => {
                self.finished_plan(library, &query, entrant).await
            }
            ("/events", Content::Finished(library)) => {
                let run = query.get("run");
                let library = Arc::clone(library);
                let run = aside(move || library.run(run.as_deref())).await?;
                Ok(self.events(&run.feed, &query, turn))
            }
            ("/runs", Content::Finished(library)) => {
                let library = Arc::clone(library);
                let list = aside(move || library.list()).await?;
                Ok(pages::json_answer(200, &list))
            }
            ("/shown", Content::Finished(library)) => {
                let (now, library) = (self.clock.now(), Arc::clone(library));
                let named = ["run", "base", "candidate"].map(|name| query.get(name));
                let path = aside(move || {
                    let [run, base, candidate] = &named;
                    let compared = base.as_deref().zip(candidate.as_deref());
                    library.page(now, run.as_deref(), compared)
                });
                let page = path.await?;
                Ok(pages::json_answer(200, &json!({ "page": page })))
            }
            ("/runs" | "/shown", _) => Err(Refusal::conflict(
                "the run goes on: its report is made when it has ended",
            )),
            _ => Err(nowhere(path)),
        }
    }

    fn events(&self, feed: &Arc<Feed>, query: &Query, turn: Turn) -> Response<PageBody> {
        let from = query.get("from").and_then(|from| from.parse().ok());
        let feed = Arc::clone(feed);
        pages::events(stream(feed, from.unwrap_or(0), &self.readers, turn))
    }

    /// A run that goes on; facilitators also get the links that they give to others.
    fn live_plan(
        &self,
        run: &LiveRun,
        entrant: Entrant,
        session: Option<&str>,
    ) -> Response<PageBody> {
        let role = role(entrant);
        let game = lock(&run.game);
        let person: Option<Person> = session.and_then(|it| game.person(it)).cloned();
        drop(game);
        let viewer = Viewer {
            role,
            person: person.as_ref(),
        };
        let mut plan = described(&run.plan, "live", run.width, viewer);
        if role.leads() {
            plan["links"] = self.links();
        }
        pages::json_answer(200, &plan)
    }

    async fn finished_plan(
        &self,
        library: &Arc<Library>,
        query: &Query,
        entrant: Entrant,
    ) -> Routed {
        let viewer = Viewer {
            role: role(entrant),
            person: None,
        };
        let named = query.get("run");
        let library = Arc::clone(library);
        if named.is_none() && library.only().is_none() {
            let mut list = aside(move || library.list()).await?;
            list["mode"] = "list".into();
            list["you"] = viewer.described();
            return Ok(pages::json_answer(200, &list));
        }
        let run = aside(move || library.run(named.as_deref())).await?;
        let plan = described(&run.plan, "finished", run.width, viewer);
        Ok(pages::json_answer(200, &plan))
    }

    /// The links of a run, by whom they are for.
    fn links(&self) -> Value {
        let mut links: serde_json::Map<String, Value> = GameRole::ALL
            .into_iter()
            .map(|(role, word)| (word.to_owned(), self.link(Entrant::Person(role)).into()))
            .collect();
        links.insert("tool".into(), self.link(Entrant::Tool).into());
        Value::Object(links)
    }

    /// The link that is for somebody.
    pub(super) fn link(&self, entrant: Entrant) -> String {
        let link = self.addresses.link(self.keys.of(entrant));
        match entrant {
            Entrant::Person(_) => link,
            Entrant::Tool => link.replace("/#key=", "/happened#key="),
        }
    }

    fn act(&self, head: &Parts, path: &str, entrant: Entrant, body: &[u8]) -> Routed {
        let Some(run) = self.live() else {
            return Err(Refusal::conflict(
                "the run has ended: nothing can be done in it any more",
            ));
        };
        let ask = Ask {
            path,
            entrant,
            session: header(&head.headers, SESSION),
            body,
        };
        let (status, answer) = lock(&run.game).ask(self.clock.now(), &ask)?;
        Ok(pages::json_answer(status, &answer))
    }

    fn entrant(&self, headers: &HeaderMap) -> Result<Entrant, Refusal> {
        let key = header(headers, KEY);
        let entrant = key.and_then(|key| self.keys.opens(key));
        entrant.ok_or_else(|| {
            Refusal::new(
                401,
                "the key is missing or unknown: open the link as it was printed, with all that \
                 follows the #",
            )
        })
    }
}

/// The most that an entrant may be; a tool looks on.
const fn role(entrant: Entrant) -> GameRole {
    match entrant {
        Entrant::Person(role) => role,
        Entrant::Tool => GameRole::Observer,
    }
}

fn nowhere(path: &str) -> Refusal {
    if ACTS.contains(&path) {
        return Refusal::new(405, "nothing is done by a GET: send a POST");
    }
    Refusal::unknown("there is no such route")
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What reads files and computes, beside the thread that answers.
async fn aside<T, F>(work: F) -> Result<T, Refusal>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, Refusal> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| {
        Err(Refusal::new(
            500,
            "this could not be read; see the terminal",
        ))
    })
}

/// The body, within its bounds.
async fn whole(body: Incoming) -> Result<Bytes, Refusal> {
    let limited = Limited::new(body, CONSOLE.length_max()).collect();
    match tokio::time::timeout(REQUEST_TIME_MAX, limited).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => Err(Refusal::new(
            413,
            format!("the body: {}", CONSOLE.too_long()),
        )),
        Ok(Err(cause)) => Err(Refusal::new(400, format!("the body broke off: {cause}"))),
        Err(_) => Err(Refusal::new(
            408,
            "the body did not come in time; send it at once",
        )),
    }
}
