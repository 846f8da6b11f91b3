//! Tomcat's manager: the XML of `/manager/status?XML=true`.
//!
//! Of the whole page only `<threadInfo>` is wanted, whose attributes become
//! metrics with the label `connector`, and how many requests `<requestInfo>` counted. No
//! XML parser for that: it reads the tags and their attributes as Tomcat writes them (`StatusTransformer`), and a page
//! that is written otherwise has no series, which is told.

use crate::model::{Malformed, Page, Series};

/// Reads the status.
pub(super) fn parse(text: &str) -> Page {
    let mut page = Page {
        series: Vec::new(),
        malformed: Malformed::default(),
    };
    let mut connector = String::new();
    for tag in text.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        if let Some(rest) = tag.strip_prefix("connector ") {
            let name = attributes(rest).find(|(name, _)| *name == "name");
            // Its name is in quotation marks within the attribute.
            connector = name.map_or_else(String::new, |(_, text)| text.trim_matches('"').into());
        } else if let Some(rest) = tag.strip_prefix("threadInfo ") {
            let numbers = attributes(rest).filter_map(|(name, text)| {
                let series = Series::new(name, text.parse().ok()?);
                Some(series.with("connector", connector.clone()))
            });
            page.series.extend(numbers);
        } else if let Some(rest) = tag.strip_prefix("requestInfo ") {
            let mut counts = attributes(rest).filter(|(name, _)| *name == "requestCount");
            let count = counts.next().and_then(|(_, text)| text.parse().ok());
            page.series.extend(count.map(|count| {
                Series::new("requestCount", count).with("connector", connector.clone())
            }));
        }
    }
    page
}

/// `name="text"` or `name='text'`, one after the other.
fn attributes(mut rest: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (text, after) = after[1..].split_once(quote)?;
        rest = after;
        Some((name.trim(), text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_of_every_connector_are_read() {
        // As Tomcat 10.1 gave it, shortened.
        let page = parse(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><status><jvm><memory free='309928312'/></jvm>\
             <connector name='\"http-nio-127.0.0.1-39400\"'><threadInfo  maxThreads=\"4\" \
             currentThreadCount=\"2\" currentThreadsBusy=\"1\" /><requestInfo  maxTime=\"5\" \
             processingTime=\"9\" requestCount=\"7\" errorCount=\"0\" />\
             </connector><connector name='\"ajp\"'><threadInfo maxThreads=\"3\" \
             currentThreadsBusy=\"2\" /></connector></status>",
        );
        let busy: Vec<_> = page.of("currentThreadsBusy").collect();
        assert_eq!(busy[0].label("connector"), "http-nio-127.0.0.1-39400");
        let sum: f64 = busy.iter().map(|series| series.value).sum();
        assert!((sum - 3.0).abs() < 1e-9);
        assert_eq!(page.series.len(), 6);
        let count = page.of("requestCount").next().unwrap();
        assert!((count.value - 7.0).abs() < 1e-9);
        for torn in [
            "<threadInfo maxThreads=",
            "<connector name='",
            "<",
            "threadInfo",
        ] {
            assert_eq!(parse(torn).series, []);
        }
    }
}
