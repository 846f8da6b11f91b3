//! A table in a page of docs/ that stands there as a test computed it.

use std::fs;
use std::path::Path;

/// Holds a page to a table between its marks of this name; with `THREADBARE_UPDATE`
/// in the environment it is written there. `again` is the command that does so.
pub(crate) fn documented(page: &str, mark: &str, table: &str, again: &str) {
    let (begin, end) = (
        format!("<!-- {mark}: generated -->\n"),
        format!("<!-- {mark}: end -->"),
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(&begin).unwrap();
    let (own, after) = rest.split_once(&end).unwrap();
    if own == table {
        return;
    }
    assert!(
        std::env::var_os("THREADBARE_UPDATE").is_some(),
        "{page} is not current: run `THREADBARE_UPDATE=1 {again}`"
    );
    fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
}
