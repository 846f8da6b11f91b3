//! The cases that every carrier of clients must meet, over real sockets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::conformance::{self, Reply};
use crate::server::{ScriptedAnswer, Server, Then};
use crate::told::run;

fn answer(reply: Reply) -> ScriptedAnswer {
    match reply {
        Reply::Status(status) => ScriptedAnswer::status(status),
        Reply::Late(status, after) => {
            ScriptedAnswer::status(status).after(Duration::from_millis(after))
        }
        Reply::Close => ScriptedAnswer::text("").then(Then::Close),
        Reply::Garbage => ScriptedAnswer::text("this is not HTTP\r\n\r\n").then(Then::Close),
        Reply::Silence => ScriptedAnswer::never(),
    }
}

#[test]
fn sockets_carry_clients_as_they_should() {
    conformance::holds(|plan, replies| {
        let turn = AtomicUsize::new(0);
        let server = Server::start(move |_| {
            answer(replies[turn.fetch_add(1, Ordering::Relaxed) % replies.len()])
        });
        run(plan, server.address()).samples
    });
}
