//! The cases that every carrier of clients must meet, over real sockets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::conformance::{self, Reply};
use crate::server::{Answer, Server, Then};
use crate::told::run;

fn answer(reply: Reply) -> Answer {
    match reply {
        Reply::Status(status) => Answer::status(status),
        Reply::Late(status, after) => Answer::status(status).after(Duration::from_millis(after)),
        Reply::Close => Answer::text("").then(Then::Close),
        Reply::Garbage => Answer::text("this is not HTTP\r\n\r\n").then(Then::Close),
        Reply::Silence => Answer::never(),
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
