//! `HAProxy`'s statistics as CSV: a column is a metric, a row its labels.
//!
//! Columns are read by the names in the heading, since each version adds some
//! (management manual, section 9.1). An empty cell has no value.

use crate::model::{Malformed, Page, Series};

/// Columns and rows at most: a proxy with a thousand servers has some 100,000 cells.
const CELLS_MAX: usize = 1_000_000;

/// Reads the statistics; columns that `keep` refuses are left out.
pub(super) fn parse(text: &str, keep: &dyn Fn(&str) -> bool) -> Result<Page, &'static str> {
    let mut page = Page {
        series: Vec::new(),
        malformed: Malformed::default(),
    };
    let text = text.trim_start().trim_start_matches('#').trim_start();
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let names = reader.headers().map_err(|_| "it has no heading")?.clone();
    let place = |name: &str| names.iter().position(|own| own == name);
    let (Some(proxy), Some(server)) = (place("pxname"), place("svname")) else {
        return Err("it has no columns pxname and svname");
    };
    let mut cells = 0;
    for (row, record) in (2..).zip(reader.records()) {
        let Ok(record) = record else {
            page.malformed.note(row, "it is not a row of CSV");
            continue;
        };
        cells += record.len();
        if cells > CELLS_MAX {
            return Err("it has more than a million cells");
        }
        let (Some(proxy), Some(server)) = (record.get(proxy), record.get(server)) else {
            page.malformed
                .note(row, "it lacks the columns pxname and svname");
            continue;
        };
        for (name, value) in names.iter().zip(&record) {
            if let (true, Ok(value)) = (keep(name), value.parse::<f64>()) {
                let series = Series::new(name, value);
                page.series
                    .push(series.with("pxname", proxy).with("svname", server));
            }
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Preset, Roles};

    /// As `HAProxy` 2.6 gave it, with ten requests for a server that takes four.
    const PAGE: &str = "# pxname,svname,qcur,qmax,scur,smax,slim,stot,hrsp_2xx,hrsp_3xx,hrsp_4xx,\
        hrsp_5xx,\n\
        web,FRONTEND,,,10,10,200,10,9,0,0,3,\nstats,FRONTEND,,,1,1,200,1,1,0,0,0,\n\
        app,app1,0,0,4,4,4,4,9,0,1,2,\napp,BACKEND,6,6,10,10,20,10,9,0,1,3,\n";

    #[test]
    fn servers_are_the_workers_and_the_backends_queue_is_theirs() {
        let roles = Roles::of(Preset::of("haproxy").unwrap());
        let page = parse(PAGE, &|name| roles.reads(name)).unwrap();
        assert!(page.series.iter().all(|series| series.name != "stot"));
        let reading = roles.reading(&page);
        let values = reading
            .each()
            .map(|(_, value)| value.unwrap().as_ref().unwrap().value);
        assert!(
            values
                .iter()
                .zip([4.0, 4.0, 6.0, 12.0])
                .all(|(own, it)| (own - it).abs() < 1e-9),
            "{values:?}"
        );
    }

    #[test]
    fn what_is_no_such_page_is_told() {
        assert!(parse("# a,b\n1,2\n", &|_| true).is_err());
        assert!(parse("", &|_| true).is_err());
        let torn = parse("# pxname,qcur,svname\nweb\napp,3,BACKEND\n", &|_| true).unwrap();
        assert_eq!((torn.series.len(), torn.malformed.count), (1, 1));
    }
}
