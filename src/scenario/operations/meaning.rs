//! What a file of operations means, and the mistakes that no schema can say.

use std::fs;
use std::path::Path;

use super::super::diagnostics::{Mistake, suggest};
use super::super::leaf::{Spanned, Text};
use super::file;
use super::texts::{Capturing, Check, value_name};
use super::values;
use crate::model::{Expected, HttpWork, OperationKind, Part, Rows, Step, Table, Template};

/// What stands for the operation's own number.
const NUMBER: &str = "number";

/// Reads the tables of a file and collects mistakes.
pub(super) struct Reader<'a> {
    folder: &'a Path,
    pub(super) mistakes: Vec<Mistake>,
    /// Names of tables with their columns; a table without columns is one value.
    known: Vec<(String, Vec<String>)>,
    /// Whether a table was wrong, so that not every name is known.
    unsure: bool,
}

impl<'a> Reader<'a> {
    /// A reader that goes on where others have reported mistakes.
    pub(super) const fn new(folder: &'a Path, mistakes: Vec<Mistake>) -> Self {
        Self {
            folder,
            mistakes,
            known: Vec::new(),
            unsure: false,
        }
    }

    fn report<T>(&mut self, at: &Spanned<T>, message: String, label: &str, suggestion: &str) {
        let mistake = Mistake::new(at.span.clone(), message, label, suggestion);
        self.mistakes.push(mistake);
    }

    /// The work of a file, as far as it can be told.
    pub(super) fn work(
        &mut self,
        values: &[Spanned<file::Values>],
        operations: &[file::Operation],
    ) -> HttpWork {
        let mut work = HttpWork::default();
        for values in values {
            match self.table(values) {
                Some(table) => work.tables.push(table),
                None => self.unsure = true,
            }
        }
        for operation in operations {
            let mut earlier = Vec::new();
            let steps = operation.step.iter().flatten();
            let steps = steps.filter_map(|step| self.step(step, &mut earlier));
            work.operations.push(OperationKind {
                name: operation.name.clone().unwrap_or_default(),
                weight: operation.weight,
                cookies: operation.cookies,
                follow: operation.follow,
                steps: steps.collect(),
            });
        }
        work
    }

    fn table(&mut self, values: &Spanned<file::Values>) -> Option<Table> {
        let (columns, rows) = self.rows(values)?;
        let name = values.value.name.as_ref()?;
        let taken = self.known.iter().any(|(known, _)| *known == name.value);
        if taken || name.value == NUMBER || !value_name(&name.value) {
            self.report(
                name,
                format!("`{}` cannot be the name of values", name.value),
                if taken { "taken" } else { "not a name" },
                "write letters, digits, - and _, another name for each table, and not `number`",
            );
            return None;
        }
        self.known.push((name.value.clone(), columns));
        Some(Table {
            order: values.value.order.0,
            rows,
        })
    }

    /// The rows of a table, and the names of its columns where it is a file.
    fn rows(&mut self, values: &Spanned<file::Values>) -> Option<(Vec<String>, Rows)> {
        let file::Values {
            list, range, csv, ..
        } = &values.value;
        match (list, range, csv) {
            (Some(list), None, None) => Some((Vec::new(), values::list(&list.value))),
            (None, Some(range), None) => {
                let rows = values::range(&range.value);
                if rows.is_none() {
                    self.report(
                        range,
                        "`range` is two whole numbers, the second not below the first".into(),
                        "no range",
                        "write it like `range = [1, 5000]`",
                    );
                }
                Some((Vec::new(), rows?))
            }
            (None, None, Some(csv)) => {
                let path = self.folder.join(&csv.value);
                let read = values::csv(&path);
                if let Err(cause) = &read {
                    self.report(
                        csv,
                        format!("the values in {} cannot be read: {cause}", path.display()),
                        "cannot be read",
                        "name a file of comma-separated values, with the columns' names first",
                    );
                }
                read.ok()
            }
            _ => {
                self.report(
                    values,
                    "values come from one of `list`, `range` and `csv`".into(),
                    "which?",
                    "give it one of them, such as `list = [\"red\", \"green\"]`",
                );
                None
            }
        }
    }

    fn step(&mut self, step: &file::Step, earlier: &mut Vec<String>) -> Option<Step> {
        let request = step.request.as_ref()?;
        let line = &request.value.0;
        let target = self.template(request, &line.target, earlier);
        let headers = step.headers.iter().map(|header| {
            let line = &header.value.0;
            let value = self.template(header, &line.value, earlier);
            (line.name.clone(), value)
        });
        let headers = headers.collect();
        let body = self.body(step, earlier);
        let captures = self.captures(&step.capture, earlier);
        Some(Step {
            method: line.method.clone(),
            target,
            headers,
            body,
            expected: expected(&step.check),
            captures,
            pause: step.pause.0,
        })
    }

    fn body(&mut self, step: &file::Step, earlier: &[String]) -> Template {
        match (&step.body, &step.body_file) {
            (None, None) => Template::new(),
            (Some(body), None) => self.template(body, &body.value, earlier),
            (None, Some(file)) => {
                let path = self.folder.join(&file.value);
                match fs::read(&path) {
                    Ok(bytes) if bytes.is_empty() => Template::new(),
                    Ok(bytes) => vec![Part::Literal(bytes)],
                    Err(cause) => {
                        self.report(
                            file,
                            format!("the body in {} cannot be read: {cause}", path.display()),
                            "cannot be read",
                            "name a file, relative to this file's folder",
                        );
                        Template::new()
                    }
                }
            }
            (Some(_), Some(file)) => {
                self.report(
                    file,
                    "a request has one body, and here are `body` and `body_file`".into(),
                    "a second body",
                    "remove one of them",
                );
                Template::new()
            }
        }
    }

    fn captures(
        &mut self,
        captures: &[Spanned<Text<Capturing>>],
        earlier: &mut Vec<String>,
    ) -> Vec<crate::model::Source> {
        let mut sources = Vec::new();
        for capture in captures {
            let Capturing { name, source } = &capture.value.0;
            let known = self.known.iter().any(|(known, _)| known == name);
            if known || earlier.contains(name) || name == NUMBER {
                self.report(
                    capture,
                    format!("there is a value `{name}` already"),
                    "taken",
                    "give it another name",
                );
            }
            earlier.push(name.clone());
            sources.push(source.clone());
        }
        sources
    }

    /// A text with `${…}` for values; `$${` stands for `${` itself.
    fn template<T>(&mut self, at: &Spanned<T>, text: &str, earlier: &[String]) -> Template {
        let mut parts = Template::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            if let Some(before) = rest[..start].strip_suffix('$') {
                literal.push_str(before);
                literal.push_str("${");
                rest = &rest[start + 2..];
                continue;
            }
            literal.push_str(&rest[..start]);
            let Some(end) = rest[start..].find('}') else {
                self.report(
                    at,
                    "a value begins with `${` and does not end".into(),
                    "no }",
                    "write `}` after its name, or `$${` for the two characters themselves",
                );
                return parts;
            };
            let name = &rest[start + 2..start + end];
            rest = &rest[start + end + 1..];
            let Some(part) = self.part(at, name, earlier) else {
                continue;
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal).into_bytes()));
            }
            parts.push(part);
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into_bytes()));
        }
        parts
    }

    /// The value of a name; none where there is no such value, which is reported.
    fn part<T>(&mut self, at: &Spanned<T>, name: &str, earlier: &[String]) -> Option<Part> {
        if name == NUMBER {
            return Some(Part::Number);
        }
        if let Some(index) = earlier.iter().position(|known| known == name) {
            return Some(Part::Captured(index));
        }
        for (table, (known, columns)) in self.known.iter().enumerate() {
            if columns.is_empty() && known == name {
                return Some(Part::Cell { table, column: 0 });
            }
            let column = name
                .strip_prefix(known.as_str())
                .and_then(|rest| rest.strip_prefix('.'))
                .and_then(|rest| columns.iter().position(|column| column == rest));
            if let Some(column) = column {
                return Some(Part::Cell { table, column });
            }
        }
        if !self.unsure {
            let tables = self.known.iter().flat_map(|(table, columns)| {
                let whole = columns.is_empty().then(|| table.clone());
                let cells = columns
                    .iter()
                    .map(move |column| format!("{table}.{column}"));
                whole.into_iter().chain(cells)
            });
            let names: Vec<String> = tables.chain(earlier.to_vec()).collect();
            let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
            names.push(NUMBER);
            let suggestion = suggest(name, &names);
            self.report(
                at,
                format!("there is no value `{name}` here"),
                "unknown value",
                &suggestion,
            );
        }
        None
    }
}

fn expected(checks: &[Text<Check>]) -> Expected {
    let mut expected = Expected {
        statuses: Vec::new(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    for check in checks {
        match &check.0 {
            Check::Status(range) => expected.statuses.push(range.clone()),
            Check::Header(name, text) => expected.headers.push((name.clone(), text.clone())),
            Check::Body(text) => expected.body.push(text.clone()),
        }
    }
    if expected.statuses.is_empty() {
        expected.statuses = Expected::default().statuses;
    }
    expected
}
