//! Which format a page has, and what it holds.
//!
//! The format is told by the content, not by a setting: what a server publishes
//! begins differently each time, and a setting could be wrong.

use super::{haproxy, prometheus, puma, tomcat};
use crate::bounds::GAUGES;
use crate::model::Page;
use crate::units::counted;

/// Reads a page of metrics in whatever format it comes; series whose name
/// `keep` refuses are left out.
///
/// # Errors
///
/// Where it is none, in a clause for "the page …".
pub(crate) fn read_page(bytes: &[u8], keep: &dyn Fn(&str) -> bool) -> Result<Page, String> {
    let text = String::from_utf8_lossy(bytes);
    let begin = text.trim_start_matches('\u{feff}').trim_start();
    let page = if begin.is_empty() {
        return Err("the page is empty".into());
    } else if begin.starts_with('{') && !prometheus::begins_quoted(begin) {
        puma::parse(begin).map_err(|what| format!("the page begins like JSON, but {what}"))?
    } else if begin.starts_with("# pxname,") {
        haproxy::parse(begin, keep)
            .map_err(|what| format!("the page begins like HAProxy's CSV, but {what}"))?
    } else if begin.starts_with("<?xml") || begin.starts_with("<status") {
        tomcat::parse(begin)
    } else if begin.starts_with('<') {
        return Err("the page is HTML, not metrics; is its path right?".into());
    } else {
        prometheus::parse(begin, keep)
    };
    if page.series.len() as u64 > GAUGES.entries_max() {
        return Err(GAUGES.too_many());
    }
    if let (true, Some((line, what))) = (page.series.is_empty(), &page.malformed.first) {
        // Every line that could hold a value was read, and none was one.
        let all = counted(page.malformed.count, "line");
        return Err(format!(
            "the page is not a metrics page: {all} cannot be read, the first is line {line}: {what}"
        ));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_tells_the_format() {
        for (text, name) in [
            ("# HELP x\nx_busy 1\n", "x_busy"),
            (" {\"backlog\": 3}", "backlog"),
            ("{\"executor.active\",pool=\"web\"} 3\n", "executor.active"),
            ("# pxname,svname,qcur\na,b,3\n", "qcur"),
            (
                "<?xml version=\"1.0\"?><status><threadInfo maxThreads=\"4\"/></status>",
                "maxThreads",
            ),
        ] {
            let page = read_page(text.as_bytes(), &|_| true).unwrap();
            assert_eq!(page.series[0].name, name);
        }
        for (text, told) in [
            ("", "the page is empty"),
            (
                "{\"a\": ",
                "the page begins like JSON, but it is not valid JSON",
            ),
            ("<html>", "the page is HTML"),
            (
                "Not Found\n",
                "the page is not a metrics page: 1 line cannot be read",
            ),
            ("\u{0}\u{ff}\n", "the page is not a metrics page"),
        ] {
            let error = read_page(text.as_bytes(), &|_| true).unwrap_err();
            assert!(error.starts_with(told), "{error}");
        }
        // A page without a metric that is wanted is a page.
        assert_eq!(read_page(b"a 1", &|_| false).unwrap().series, []);
    }
}
