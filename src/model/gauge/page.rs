//! A page of metrics, whatever format it came in: series with a value each.
//!
//! Every format that servers publish (a Prometheus page, Puma's JSON, `HAProxy`'s
//! CSV, Tomcat's XML, statsd datagrams) is made into this one shape, so that one
//! small language of expressions reads them all.

/// One value of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The metric: `puma_backlog`.
    pub name: String,
    /// What tells it from others of its name, in the order of the page.
    pub labels: Vec<(String, String)>,
    /// Its value: any number, not-a-number and infinities included.
    pub value: f64,
}

impl Series {
    /// A series without labels.
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self {
            name: name.into(),
            labels: Vec::new(),
            value,
        }
    }

    /// The same with one more label.
    pub fn with(mut self, label: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((label.into(), value.into()));
        self
    }

    /// The value of a label; empty where the series has none of this name.
    pub fn label(&self, name: &str) -> &str {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Everything that one page holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The series, in the order of the page.
    pub series: Vec<Series>,
    /// Lines that could not be read, and the first of them.
    pub malformed: Malformed,
}

/// What of a page could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Malformed {
    /// How many lines or entries.
    pub count: u64,
    /// The first: its number, counted from 1, and what is wrong with it.
    pub first: Option<(u64, String)>,
}

impl Malformed {
    /// Notes a line that could not be read.
    pub fn note(&mut self, line: u64, what: impl Into<String>) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some((line, what.into()));
        }
    }
}

impl Page {
    /// The series of this name.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Series> {
        self.series.iter().filter(move |series| series.name == name)
    }
}
