//! What can be done to the fleet, its monitors and its clients, and when.
//!
//! Names and parameters only: who carries an action out is not known here.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize, Serializer};

use super::fault::Hold;
use super::{Breakage, HookKind, ProcessFault, ProcessSelector, SlowPart, secret};
use crate::units::{Nanos, Ratio};

/// When an entry is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At an instant of the run.
    At(Nanos),
    /// After an event, plus a delay; never, if the event does not come.
    After {
        /// The event.
        event: Trigger,
        /// How long after it.
        delay: Nanos,
    },
}

/// An event that entries can wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The alert of this name fired.
    Alert(String),
    /// A rollback was refused.
    RollbackRejected,
    /// A rollback was applied.
    RollbackApplied,
    /// A restart has ended: every instance serves again.
    Restarted,
}

impl Trigger {
    /// The event, as a sentence calls it.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Alert(name) => format!("the alert `{name}`"),
            Self::RollbackRejected => "a rollback is refused".into(),
            Self::RollbackApplied => "a rollback is applied".into(),
            Self::Restarted => "a restart".into(),
        }
    }
}

/// What can be done to the fleet, its monitors and its clients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Release a configuration with these settings changed.
    Push {
        /// Settings and their new values.
        set: BTreeMap<String, String>,
        /// The schema the document is written in; none keeps the active one.
        schema: Option<u32>,
        /// Whether its author ran the tests.
        tested: bool,
        /// The share of the instances that it goes to; none: all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        canary: Option<Ratio>,
    },
    /// Restore the version before the active one, through the same checks.
    Rollback,
    /// Make a check advisory.
    Waive {
        /// The check's name.
        check: String,
    },
    /// Restart instances.
    Restart {
        /// None: all at once. Otherwise one after the other, with this pause
        /// after each is back.
        pause: Option<Nanos>,
    },
    /// Let the balancer admit this share of the requests.
    Admit {
        /// The share.
        share: Ratio,
    },
    /// Switch every monitor on or off.
    Monitors {
        /// On or off.
        on: bool,
    },
    /// Change how many retries clients make from now on.
    Retries {
        /// Attempts after the first.
        retries: u32,
    },
    /// Have the user's own tools do something.
    Hook {
        /// The hook's name.
        hook: String,
        /// What it is to the incident.
        kind: HookKind,
    },
    /// Do something to the processes of a target.
    Process {
        /// What.
        fault: ProcessFault,
        /// To which of them.
        whom: ProcessSelector,
    },
    /// Push a configuration: start the target's command again with another
    /// environment or other arguments.
    Configure {
        /// Variables and their new values; secrets among them are not written.
        #[serde(serialize_with = "secret::map")]
        env: BTreeMap<String, String>,
        /// Arguments in place of those that it had; none keeps them.
        #[serde(serialize_with = "secret::some_words")]
        args: Option<Vec<String>>,
    },
    /// Let everything that a part draws from now on take this many times as long.
    Slow {
        /// The part.
        part: SlowPart,
        /// The factor; 1 ends it.
        factor: f64,
    },
    /// Stop the processes of instances where they are, as SIGSTOP does.
    Pause {
        /// How many, from the first on; none: all.
        instances: Option<NonZeroU32>,
    },
    /// Let them go on, as SIGCONT does.
    Continue {
        /// How many, from the first on; none: all.
        instances: Option<NonZeroU32>,
    },
    /// Break what passes a proxy.
    Fault {
        /// The proxy's name.
        proxy: String,
        /// What it is called when it is undone.
        name: String,
        /// How.
        breakage: Breakage,
    },
    /// Hold the target's workers from outside.
    Occupy {
        /// What it is called when it is undone.
        name: String,
        /// What each connection does.
        hold: Hold,
        /// The path that is asked for; its query is not written.
        #[serde(serialize_with = "without_query")]
        path: String,
        /// Connections that hold at a time.
        connections: u32,
        /// Pause between two bytes.
        every: Nanos,
    },
    /// Undo a fault of a proxy, or an occupation.
    Undo {
        /// What it is called.
        name: String,
    },
}

fn without_query<S: Serializer>(path: &str, serializer: S) -> Result<S::Ok, S::Error> {
    path.split('?')
        .next()
        .unwrap_or_default()
        .serialize(serializer)
}

/// What can begin an incident, and goes on until something ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A configuration was pushed.
    Push,
    /// A part of the fleet became slow.
    Slow(SlowPart),
    /// Instances or processes were paused.
    Pause,
    /// Processes were killed.
    Kill,
    /// What processes may use was limited.
    Limit,
    /// What passes a proxy was broken.
    Fault,
    /// Workers were held from outside.
    Occupation,
    /// The load rose above that of the baseline. No action: the load does it.
    Surge,
}

impl Cause {
    /// What sentences call it, without an article.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Slow(SlowPart::Application) => "slowdown of the application",
            Self::Slow(SlowPart::Database) => "slowdown of the database",
            Self::Slow(SlowPart::Identity) => "slowdown of the identity service",
            Self::Pause => "pause",
            Self::Kill => "kill",
            Self::Limit => "limit",
            Self::Fault => "fault",
            Self::Occupation => "occupation",
            Self::Surge => "surge",
        }
    }
}

/// What an action is to an incident: it may begin a cause, end one that another
/// action began, or be a way out after all causes have ceased. An action that
/// is none of these only happens. This is the one place that says so.
impl Action {
    /// The cause that begins to act with it.
    #[must_use]
    pub fn begins(&self) -> Option<Cause> {
        match self {
            Self::Push { .. }
            | Self::Configure { .. }
            | Self::Hook {
                kind: HookKind::Push,
                ..
            } => Some(Cause::Push),
            Self::Process { fault, .. } => match fault {
                ProcessFault::Pause => Some(Cause::Pause),
                ProcessFault::Kill => Some(Cause::Kill),
                ProcessFault::Limit(_) => Some(Cause::Limit),
                ProcessFault::Continue | ProcessFault::Lift => None,
            },
            Self::Slow { part, factor } if *factor > 1.0 => Some(Cause::Slow(*part)),
            Self::Pause { .. } => Some(Cause::Pause),
            Self::Fault { .. } => Some(Cause::Fault),
            Self::Occupy { .. } => Some(Cause::Occupation),
            _ => None,
        }
    }

    /// Whether the cause that `begun` began acts no longer once this is done.
    #[must_use]
    pub fn ends(&self, begun: &Self) -> bool {
        if let Self::Process { fault, .. } = begun {
            return self.ends_process_fault(*fault);
        }
        if begun.begins() == Some(Cause::Push) && self.rolls_back() {
            return true;
        }
        match (begun, self) {
            (Self::Fault { name, .. } | Self::Occupy { name, .. }, Self::Undo { name: undone }) => {
                name == undone
            }
            // The process that was paused is gone, and its successor runs.
            (Self::Pause { .. }, Self::Restart { .. }) => true,
            (Self::Slow { part: slow, .. }, Self::Slow { part, factor }) => {
                slow == part && *factor <= 1.0
            }
            (Self::Pause { instances: paused }, Self::Continue { instances }) => {
                instances.is_none_or(|go_on| paused.is_some_and(|paused| paused <= go_on))
            }
            _ => false,
        }
    }

    /// Whether a fault of processes acts no longer once this is done: it was
    /// taken back, or other processes have taken their place.
    const fn ends_process_fault(&self, begun: ProcessFault) -> bool {
        let replaced = self.restarts() || matches!(self, Self::Configure { .. } | Self::Rollback);
        let taken_back = match (begun, self) {
            (ProcessFault::Pause, Self::Process { fault, .. }) => {
                matches!(fault, ProcessFault::Continue)
            }
            (ProcessFault::Limit(_), Self::Process { fault, .. }) => {
                matches!(fault, ProcessFault::Lift)
            }
            _ => false,
        };
        replaced || taken_back
    }

    /// Whether it is one of the ways out that verdicts know: a restart, an
    /// admission share, monitors off, another number of retries.
    #[must_use]
    pub const fn intervenes(&self) -> bool {
        match self {
            Self::Admit { .. } | Self::Retries { .. } => true,
            Self::Monitors { on } => !*on,
            _ => self.restarts(),
        }
    }
}

impl Action {
    /// Whether it restarts what serves.
    #[must_use]
    pub const fn restarts(&self) -> bool {
        match self {
            Self::Restart { .. } => true,
            Self::Hook { kind, .. } => matches!(kind, HookKind::Restart),
            _ => false,
        }
    }

    /// Whether it is a rollback, which a check may refuse.
    #[must_use]
    pub const fn rolls_back(&self) -> bool {
        match self {
            Self::Rollback => true,
            Self::Hook { kind, .. } => matches!(kind, HookKind::Rollback),
            _ => false,
        }
    }

    /// The action's name, as scenario files and reports write it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Push { .. } => "push",
            Self::Rollback => "rollback",
            Self::Waive { .. } => "waive",
            Self::Restart { .. } => "restart",
            Self::Admit { .. } => "admit",
            Self::Monitors { .. } => "monitors",
            Self::Retries { .. } => "retries",
            Self::Hook { kind, .. } => match kind {
                HookKind::Push => "push",
                HookKind::Rollback => "rollback",
                HookKind::Restart => "restart",
                HookKind::Other => "hook",
            },
            Self::Process { .. } => "process",
            Self::Configure { .. } => "configure",
            Self::Slow { .. } => "slow",
            Self::Pause { .. } => "pause",
            Self::Continue { .. } => "continue",
            Self::Fault { .. } => "fault",
            Self::Occupy { .. } => "occupy",
            Self::Undo { .. } => "undo",
        }
    }

    /// What is so once it has been done, in words, to a fleet of so many
    /// instances; a release is named by its document.
    #[must_use]
    pub fn done(&self, instances: usize) -> String {
        match self {
            Self::Push { .. }
            | Self::Rollback
            | Self::Hook { .. }
            | Self::Configure { .. }
            | Self::Fault { .. }
            | Self::Occupy { .. }
            | Self::Undo { .. } => String::new(),
            Self::Process { fault, .. } => fault.to_string(),
            Self::Waive { check } => format!("the check `{check}` is advisory from now on"),
            Self::Restart { pause } => {
                let how = pause.map_or_else(
                    || "all at once".to_owned(),
                    |pause| format!("one after the other, {pause} apart"),
                );
                format!("{instances} instances restarted {how}")
            }
            Self::Admit { share } => format!("{share} of the requests are admitted"),
            Self::Monitors { on } => format!("monitors {}", if *on { "on" } else { "off" }),
            Self::Retries { retries } => format!("{retries} retries"),
            Self::Slow { part, factor } if *factor > 1.0 => {
                format!("the {part} takes {factor} times as long")
            }
            Self::Slow { part, .. } => format!("the {part} takes as long as usual"),
            Self::Pause { instances: count } => {
                format!(
                    "{} of {instances} instances are paused",
                    first(*count, instances)
                )
            }
            Self::Continue { instances: count } => {
                format!(
                    "{} of {instances} instances go on",
                    first(*count, instances)
                )
            }
        }
    }
}

/// How many instances of `all` are meant.
#[must_use]
pub fn first(count: Option<NonZeroU32>, all: usize) -> usize {
    count.map_or(all, |count| {
        usize::try_from(count.get()).unwrap_or(all).min(all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As journals and plans of earlier versions hold them, byte for byte.
    const WRITTEN: [&str; 26] = [
        r#"{"push":{"set":{"a":"b"},"schema":2,"tested":true,"canary":0.25}}"#,
        r#"{"push":{"set":{},"schema":null,"tested":false}}"#,
        r#""rollback""#,
        r#"{"waive":{"check":"schema"}}"#,
        r#"{"restart":{"pause":null}}"#,
        r#"{"restart":{"pause":800000000}}"#,
        r#"{"admit":{"share":0.45}}"#,
        r#"{"monitors":{"on":false}}"#,
        r#"{"retries":{"retries":3}}"#,
        r#"{"hook":{"hook":"deploy","kind":"push"}}"#,
        r#"{"hook":{"hook":"note","kind":"other"}}"#,
        r#"{"process":{"fault":"pause","whom":"all"}}"#,
        r#"{"process":{"fault":{"limit":{"open_files":16,"threads":null,"processors":null}},"whom":"first"}}"#,
        r#"{"process":{"fault":"lift","whom":"all"}}"#,
        r#"{"configure":{"env":{"ROLE_CHECK":"detached"},"args":["-v"]}}"#,
        r#"{"configure":{"env":{},"args":null}}"#,
        r#"{"slow":{"part":"database","factor":5.0}}"#,
        r#"{"pause":{"instances":null}}"#,
        r#"{"pause":{"instances":2}}"#,
        r#"{"continue":{"instances":null}}"#,
        r#"{"fault":{"proxy":"front","name":"down","breakage":"down"}}"#,
        r#"{"fault":{"proxy":"db","name":"slow","breakage":{"fault":{"name":"slow","stream":"downstream","toxicity":0.5,"type":"latency","attributes":{"latency":2000,"jitter":100}}}}}"#,
        r#"{"fault":{"proxy":"db","name":"s","breakage":{"fault":{"name":"s","stream":"upstream","toxicity":1.0,"type":"slicer","attributes":{"average_size":10,"size_variation":2,"delay":500}}}}}"#,
        r#"{"fault":{"proxy":"db","name":"h","breakage":{"fault":{"name":"h","stream":"upstream","toxicity":1.0,"type":"http_delay","attributes":{"match":{"path":"/a"},"delay":20,"jitter":0}}}}}"#,
        r#"{"occupy":{"name":"o","hold":"slow-endpoint","path":"/report","connections":16,"every":1000000000}}"#,
        r#"{"undo":{"name":"o"}}"#,
    ];

    #[test]
    fn actions_are_read_and_written_as_ever() {
        for written in WRITTEN {
            let action: Action = serde_json::from_str(written).unwrap();
            assert_eq!(serde_json::to_string(&action).unwrap(), written);
        }
    }

    #[test]
    fn causes_end_with_what_undoes_them() {
        let count = NonZeroU32::new;
        let slow = |part, factor| Action::Slow { part, factor };
        let push = Action::Push {
            set: BTreeMap::new(),
            schema: None,
            tested: true,
            canary: None,
        };
        let pause = |instances| Action::Pause { instances };
        let go_on = |instances| Action::Continue { instances };
        let restart = Action::Restart { pause: None };
        let database = slow(SlowPart::Database, 5.0);
        for (begun, action, ends) in [
            (&push, Action::Rollback, true),
            (&push, restart.clone(), false),
            (&database, slow(SlowPart::Database, 1.0), true),
            (&database, slow(SlowPart::Database, 2.0), false), // less slow is slow
            (&database, slow(SlowPart::Identity, 1.0), false),
            (&database, Action::Rollback, false),
            (&pause(None), go_on(None), true),
            (&pause(count(2)), go_on(None), true),
            (&pause(count(2)), go_on(count(2)), true),
            (&pause(count(2)), go_on(count(1)), false), // one is left
            (&pause(None), go_on(count(3)), false),
            (&pause(None), restart, true),
        ] {
            assert_eq!(action.ends(begun), ends, "{begun:?}, {action:?}");
        }
        assert_eq!(slow(SlowPart::Database, 1.0).begins(), None);
        assert_eq!(database.begins(), Some(Cause::Slow(SlowPart::Database)));
    }

    #[test]
    fn a_push_is_written_as_before_where_it_has_no_canary() {
        let text = r#"{"push":{"set":{},"schema":null,"tested":true}}"#;
        let push: Action = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&push).unwrap(), text);
    }
}
