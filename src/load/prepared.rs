//! What operations ask for, found fit and made ready for the engine.

use super::generator::{Identities, Setup, Work};
use super::request::{Requests, Telling};
use crate::error::{Error, Result};
use crate::model::{FleetSpec, HttpWork, Part, Rows, Step};
use crate::plan::{Choice, Plan, fleet_choices, weight_ends};

/// The work of a setup as the engine takes it; every slice gets a copy.
#[derive(Debug, Clone)]
pub(super) struct PreparedWork {
    /// What each entry of the mix chooses from.
    pub(super) choices: Vec<Choice>,
    /// The bytes of each entry.
    pub(super) requests: Requests,
    /// The `host` field of monitors' requests.
    pub(super) host: String,
    /// The token that monitors carry, where the target knows any.
    pub(super) service: Option<String>,
}

impl PreparedWork {
    /// # Errors
    ///
    /// Where the work cannot be carried out: a mix without weight, a role
    /// without a token, something that would break a request.
    pub(super) fn new(setup: &Setup) -> Result<Self> {
        match &setup.work {
            Work::Fleet(identities) => fleet(setup, identities),
            Work::Http { host, work } => http(setup, host, work),
        }
    }
}

fn unfit<T>(what: &str) -> Result<T> {
    Err(Error::usage(format!("failed to plan the load: {what}")))
}

fn http(setup: &Setup, host: &str, work: &HttpWork) -> Result<PreparedWork> {
    if work.tables.iter().any(|table| table.rows.count() == 0) {
        return unfit("a table of values has no rows");
    }
    for kind in &work.operations {
        let mut captured = 0;
        for step in &kind.steps {
            fits(step, work, captured)?;
            captured += step.captures.len();
        }
        if kind.steps.is_empty() {
            return unfit("an operation has no step");
        }
    }
    let weights = work.operations.iter().map(|kind| kind.weight);
    let ends = weight_ends(weights).map_or_else(unfit, Ok)?;
    let choices = ends.into_iter().map(|weight_end| Choice {
        weight_end,
        subjects: 1,
        users: 1,
        values: !work.tables.is_empty(),
    });
    Ok(PreparedWork {
        choices: choices.collect(),
        requests: Requests::http(work, host, &setup.endpoint).traced(setup.plan.load.trace),
        host: host.to_owned(),
        service: None,
    })
}

/// Finds a step fit: nothing in it would break a request, and it names no value
/// that there is not.
fn fits(step: &Step, work: &HttpWork, captured: usize) -> Result<()> {
    let token = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_graphic);
    if !token(step.method.as_bytes()) {
        return unfit("the method must be a word such as GET");
    }
    let rooted = matches!(step.target.first(), Some(Part::Literal(text)) if text.starts_with(b"/"));
    let graphic = |part: &Part| !matches!(part, Part::Literal(text) if !token(text));
    if !rooted || !step.target.iter().all(graphic) {
        return unfit("the path must start with / and hold no blank; write a blank as %20");
    }
    let given = |wanted: &str| {
        let mut headers = step.headers.iter();
        let found = headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value)
    };
    if let Some(coding) = given("transfer-encoding") {
        let chunked = matches!(
            coding.as_slice(),
            [Part::Literal(coding)] if coding.eq_ignore_ascii_case(b"chunked")
        );
        if !chunked || given("content-length").is_some() {
            return unfit(
                "the header `transfer-encoding` can be `chunked`, and then without a \
                 `content-length`: no other coding is applied to the body",
            );
        }
    }
    for (name, value) in &step.headers {
        let breaks = |text: &[u8]| text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        let broken = |part: &Part| matches!(part, Part::Literal(text) if breaks(text));
        if !token(name.as_bytes()) || name.contains(':') || value.iter().any(broken) {
            return unfit(&format!(
                "the header `{}` contains a character that HTTP does not allow in one",
                name.escape_debug()
            ));
        }
    }
    let values = step.headers.iter().map(|(_, value)| value);
    let mut parts = values.chain([&step.target, &step.body]).flatten();
    let known = parts.all(|part| match part {
        Part::Literal(_) | Part::Number => true,
        Part::Captured(index) => *index < captured,
        Part::Cell { table, column } => work.tables.get(*table).is_some_and(|table| {
            let columns = match table.rows {
                Rows::Range { .. } => 1,
                Rows::Cells { columns, .. } => columns,
            };
            *column < columns
        }),
    });
    if known {
        Ok(())
    } else {
        unfit("a request names a value that does not exist")
    }
}

fn fleet(setup: &Setup, identities: &Identities) -> Result<PreparedWork> {
    let plan = &setup.plan;
    let users = users(plan, identities)?;
    let of_entry = |entry: usize| u32::try_from(users[entry].len()).unwrap_or(u32::MAX);
    let choices = fleet_choices(plan, of_entry).map_or_else(unfit, Ok)?;
    let told = |what: fn(&FleetSpec) -> bool| plan.fleet.as_ref().is_some_and(what);
    let telling = Telling {
        time_left: told(|fleet| fleet.propagate_deadline),
        attempt: told(|fleet| fleet.shed_above.is_some()),
    };
    let host = setup.endpoint.address.to_string();
    Ok(PreparedWork {
        choices,
        requests: Requests::fleet(&host, &plan.load.mix, users, telling).traced(plan.load.trace),
        service: Some(identities.service.clone()),
        host,
    })
}

/// The tokens that each entry of the mix chooses from.
fn users(plan: &Plan, identities: &Identities) -> Result<Vec<Vec<String>>> {
    let mix = &plan.load.mix;
    let mut tokens = vec![&identities.service];
    let mut users = Vec::new();
    for entry in mix {
        let of_role = identities.users.get(&entry.role);
        let Some(of_role) = of_role.filter(|tokens| !tokens.is_empty()) else {
            return unfit(&format!("no user has the role {}", entry.role.word()));
        };
        tokens.extend(of_role);
        users.push(of_role.clone());
    }
    if !tokens
        .iter()
        .all(|token| token.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return unfit("a bearer token contains a character that HTTP does not allow in one");
    }
    Ok(users)
}
