//! What operations ask for, found fit and made ready for the engine.

use super::generator::{HttpRequest, Identities, Setup, Work};
use super::request::Requests;
use super::schedule::Choice;
use crate::error::{Error, Result};
use crate::plan::{Plan, Request};

/// The work of a setup as the engine takes it; every slice gets a copy.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// What each entry of the mix chooses from.
    pub(super) choices: Vec<Choice>,
    /// Of each entry: whether it is to be refused.
    pub(super) refused: Vec<bool>,
    /// The bytes of each entry.
    pub(super) requests: Requests,
    /// The token that monitors carry.
    pub(super) service: String,
}

impl Asked {
    /// # Errors
    ///
    /// Where the work cannot be carried out: a mix without weight, a role
    /// without a token, something that would break a request.
    pub(super) fn new(setup: &Setup) -> Result<Self> {
        match &setup.work {
            Work::Fleet(identities) => fleet(setup, identities),
            Work::Http(request) => http(setup, request),
        }
    }
}

fn unfit<T>(what: &str) -> Result<T> {
    Err(Error::usage(format!("failed to plan the load: {what}")))
}

fn http(setup: &Setup, request: &HttpRequest) -> Result<Asked> {
    let token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let value = |text: &str| !text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    if !token(&request.method) {
        return unfit("the method must be a word such as GET");
    }
    if !request.target.starts_with('/') || !token(&request.target) {
        return unfit("the path must start with / and hold no blank; write a blank as %20");
    }
    for (name, text) in &request.headers {
        if !token(name) || name.contains(':') || !value(text) {
            return unfit(&format!(
                "the header `{}` holds a character that HTTP does not allow in one",
                name.escape_debug()
            ));
        }
    }
    Ok(Asked {
        choices: vec![Choice {
            weight_end: 1,
            subjects: 1,
            users: 1,
        }],
        refused: vec![false],
        requests: Requests::of(request, &setup.endpoint),
        service: String::new(),
    })
}

fn fleet(setup: &Setup, identities: &Identities) -> Result<Asked> {
    let plan = &setup.plan;
    let users = users(plan, identities)?;
    let Some(spec) = plan
        .fleet
        .as_ref()
        .filter(|f| f.projects > 0 && f.tasks > 0)
    else {
        return unfit("there must be at least one project and one task to ask about");
    };
    let mut weight_end = 0;
    let choices = plan.load.mix.iter().zip(&users).map(|(entry, users)| {
        weight_end += entry.weight;
        Choice {
            weight_end,
            subjects: match entry.request {
                Request::UpdateTask => spec.tasks,
                _ => spec.projects,
            },
            users: u32::try_from(users.len()).unwrap_or(u32::MAX),
        }
    });
    Ok(Asked {
        choices: choices.collect(),
        refused: plan.load.mix.iter().map(|entry| entry.refused).collect(),
        requests: Requests::fleet(&setup.endpoint.address.to_string(), &plan.load.mix, users),
        service: identities.service.clone(),
    })
}

/// The tokens that each entry of the mix chooses from.
fn users(plan: &Plan, identities: &Identities) -> Result<Vec<Vec<String>>> {
    let mix = &plan.load.mix;
    let weights = mix
        .iter()
        .try_fold(0u32, |sum, entry| sum.checked_add(entry.weight));
    if weights.is_none_or(|sum| sum == 0) || u16::try_from(mix.len()).is_err() {
        return unfit("the weights of `mix` must add up to more than zero");
    }
    let mut tokens = vec![&identities.service];
    let mut users = Vec::new();
    for entry in mix {
        let of_role = identities.users.get(&entry.role);
        let Some(of_role) = of_role.filter(|tokens| !tokens.is_empty()) else {
            return unfit(&format!("no user has the role {}", entry.role.name()));
        };
        tokens.extend(of_role);
        users.push(of_role.clone());
    }
    if !tokens
        .iter()
        .all(|token| token.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return unfit("a bearer token holds a character that HTTP does not allow in one");
    }
    Ok(users)
}
