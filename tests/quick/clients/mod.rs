//! The clients over a script in virtual time: the cases that every carrier must
//! meet, and what holds for any plan and any server.

mod properties;
mod script;

use crate::conformance::{self, Reply};
use script::{Script, run};

#[test]
fn a_script_carries_clients_as_it_should() {
    conformance::holds(|plan, replies| {
        let mut turn = replies.iter().cycle();
        let next = move |_| *turn.next().unwrap_or(&Reply::Silence);
        let mut script = Script::new(plan, Box::new(next));
        run(plan, &mut script);
        script.samples
    });
}
