//! How long a file may be: as long as it is read in one go.

use super::source::sources;

/// Lines of a file of tests.
const TEST_LINES_MAX: usize = 500;
/// Lines of a file of the program, its unit tests included.
const SOURCE_LINES_MAX: usize = 600;
/// Files that are longer today, and are to be divided. None comes to this list, and one that is
/// short again goes.
const LONGER: [&str; 3] = [
    "src/load/request.rs",
    "src/model/client.rs",
    "src/target/service.rs",
];

#[test]
fn no_file_is_too_long() {
    let mut wrong = Vec::new();
    let mut longer = Vec::new();
    for (place, max) in [("tests", TEST_LINES_MAX), ("src", SOURCE_LINES_MAX)] {
        for source in sources(&[place], &["rs"]) {
            let lines = source.text.lines().count();
            if lines <= max {
                continue;
            }
            if LONGER.contains(&source.path.as_str()) {
                longer.push(source.path);
            } else {
                wrong.push(format!("{}: {lines} lines, at most {max}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(longer, LONGER, "a file of the list is gone, or short again");
}
