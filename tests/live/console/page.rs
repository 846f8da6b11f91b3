//! A page without a browser: it asks with a key, and reads the messages.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

/// A link, and what is asked by it.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) base: String,
    pub(crate) key: String,
    pub(crate) session: Option<String>,
}

impl Page {
    /// By the link as it is printed.
    pub(crate) fn of(link: &str) -> Self {
        let (base, key) = link.split_once("/#key=").unwrap();
        Self {
            base: base.to_owned(),
            key: key.to_owned(),
            session: None,
        }
    }

    /// Asks with these headers besides those of a page.
    pub(crate) fn ask_with(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut answer = self.send(method, path, body, headers);
        let text = answer.body_mut().read_to_string().unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> ureq::http::Response<ureq::Body> {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = ureq::Agent::new_with_config(config.build());
        let uri = format!("{}{path}", self.base);
        let mut request = ureq::http::Request::builder().method(method).uri(uri);
        let mut all = vec![("x-threadbare-key", self.key.as_str())];
        all.extend(
            self.session
                .as_deref()
                .map(|it| ("x-threadbare-session", it)),
        );
        all.extend(body.map(|_| ("content-type", "application/json")));
        // A later one of the same name is meant in place of the first.
        all.retain(|(name, _)| !headers.iter().any(|(own, _)| own == name));
        for (name, value) in all.iter().chain(headers) {
            request = request.header(*name, *value);
        }
        match body {
            Some(body) => agent.run(request.body(body.to_owned()).unwrap()).unwrap(),
            None => agent.run(request.body(()).unwrap()).unwrap(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.ask_with("GET", path, None, &[])
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask_with("POST", path, Some(&body.to_string()), &[])
    }

    /// Joins with a name and a role.
    pub(crate) fn joined(mut self, name: &str, role: &str) -> Self {
        let body = serde_json::json!({ "name": name, "role": role });
        let (status, answer) = self.post("/join", &body);
        assert_eq!(status, 200, "{answer}");
        self.session = answer["session"].as_str().map(str::to_owned);
        self
    }

    /// Begins to read what follows a number.
    pub(crate) fn events(&self, from: u64) -> impl Read + use<> {
        let answer = self.send("GET", &format!("/events?from={from}"), None, &[]);
        assert_eq!(answer.status().as_u16(), 200);
        answer.into_body().into_reader()
    }

    /// Reads messages on a thread of its own, until the stream ends.
    pub(crate) fn follow(&self, from: u64) -> Follower {
        let events = BufReader::new(self.events(from));
        let seen = Arc::<Mutex<Vec<Value>>>::default();
        let into = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            for line in events.lines().map_while(Result::ok) {
                if let Some(data) = line.strip_prefix("data: ") {
                    let message = serde_json::from_str(data).unwrap();
                    into.lock().unwrap().push(message);
                }
            }
        });
        Follower { seen, thread }
    }
}

/// A reader of messages.
pub(crate) struct Follower {
    seen: Arc<Mutex<Vec<Value>>>,
    thread: JoinHandle<()>,
}

impl Follower {
    /// What has come so far.
    pub(crate) fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }

    /// All there was, once the stream has ended.
    pub(crate) fn all(self) -> Vec<Value> {
        self.thread.join().unwrap();
        let seen = self.seen.lock().unwrap();
        seen.clone()
    }
}

/// What is left of messages where a frame replaces the one of its instant: as a page has it.
pub(crate) fn latest(messages: &[Value]) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for message in messages {
        if message["kind"] == "frame" {
            kept.retain(|own| own["kind"] != "frame" || own["t"] != message["t"]);
        }
        kept.push(message.clone());
    }
    kept
}
