//! Every format of the answer, on a made-up record of the founding incident.

mod founding;

use std::path::Path;

use threadbare::report::text;

#[test]
fn the_terminals_answer() {
    let record = founding::record();
    let findings = founding::findings();
    let answer = text::render(&record, &findings, Some(Path::new("reports/run-1")), false);
    insta::assert_snapshot!(answer);
}
