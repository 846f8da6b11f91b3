//! What the timeline can do, grouped by what carries it out.
//!
//! Each group is a file with everything that is so of its actions: what they
//! are called, what they begin and end, and how they are told. A carrier takes its own
//! group and meets no other's. Names and parameters only: nothing is carried
//! out here.

mod cause;
mod clients;
mod fleet;
mod outside;
mod proxy;
mod service;
mod target;
mod when;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{HookKind, ProcessFault};
use crate::named::named;

pub use cause::Cause;
pub use clients::ClientsAction;
pub use fleet::FleetAction;
pub(crate) use fleet::first;
pub use outside::OutsideAction;
pub use proxy::ProxyAction;
pub use service::ServiceAction;
pub(crate) use service::restarted;
pub use target::TargetAction;
pub use when::{Trigger, When};

/// What can be done, by what carries it out. Records hold the action alone,
/// without its group: `{"admit":{"share":0.45}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Action {
    /// The run's own clients and monitors, whatever the target.
    Clients(ClientsAction),
    /// Whatever serves: the built-in fleet, or a target started by a command.
    Service(ServiceAction),
    /// The built-in fleet.
    Fleet(FleetAction),
    /// The user's target.
    Target(TargetAction),
    /// The run's own proxies and occupations, in front of the user's target.
    Proxy(ProxyAction),
    /// Nobody here: others did it, and told the run.
    Outside(OutsideAction),
}

named! {
    /// The names of actions, as scenario files and reports write them.
    #[expect(missing_docs, reason = "each is described at its action")]
    pub enum ActionName {
        Push = "push",
        Rollback = "rollback",
        Waive = "waive",
        Restart = "restart",
        Admit = "admit",
        Monitors = "monitors",
        Retries = "retries",
        Hook = "hook",
        Process = "process",
        Configure = "configure",
        Slow = "slow",
        Pause = "pause",
        Continue = "continue",
        Fault = "fault",
        Occupy = "occupy",
        Undo = "undo",
        Happened = "happened",
        Break = "break",
        Mend = "mend",
        Lose = "lose",
        ColdStart = "cold_start",
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What every group says of its actions, in its own file.
trait Group {
    /// The action's name.
    fn name(&self) -> ActionName;

    /// What it does, in a few words without secrets.
    fn in_words(&self) -> String;

    /// What it does, as a sentence.
    fn does(&self) -> &'static str;

    /// What takes it back, in words; none where nothing does.
    fn undone_by(&self) -> Option<&'static str> {
        None
    }

    /// The name of the phase that begins with it.
    fn phase(&self) -> String {
        self.name().to_string()
    }

    /// The cause that begins to act with it.
    fn begins(&self) -> Option<Cause> {
        None
    }
}

impl Action {
    fn group(&self) -> &dyn Group {
        match self {
            Self::Clients(action) => action,
            Self::Service(action) => action,
            Self::Fleet(action) => action,
            Self::Target(action) => action,
            Self::Proxy(action) => action,
            Self::Outside(action) => action,
        }
    }

    /// The action's name.
    pub fn name(&self) -> ActionName {
        self.group().name()
    }

    /// The name of the phase that begins with it, unless the scenario gives one.
    pub fn phase(&self) -> String {
        self.group().phase()
    }

    /// What it does, in a few words without secrets; not yet safe to print on a
    /// terminal.
    pub fn in_words(&self) -> String {
        self.group().in_words()
    }

    /// What it does, as a sentence.
    pub(crate) fn does(&self) -> &'static str {
        self.group().does()
    }

    /// What takes it back, in words; none where nothing does.
    pub(crate) fn undone_by(&self) -> Option<&'static str> {
        self.group().undone_by()
    }

    /// Whether it restarts what serves.
    pub(crate) fn restarts(&self) -> bool {
        matches!(self.name(), ActionName::Restart | ActionName::ColdStart)
    }

    /// Whether it is a rollback, which a check may refuse.
    pub(crate) fn rolls_back(&self) -> bool {
        matches!(self.name(), ActionName::Rollback)
    }
}

/// What an action is to an incident: it may begin a cause, end one that another
/// action began, or be a way out after all causes have ceased. An action that
/// is none of these only happens.
impl Action {
    /// The cause that begins to act with it.
    pub fn begins(&self) -> Option<Cause> {
        self.group().begins()
    }

    /// Whether the cause that `begun` began acts no longer once this is done.
    pub fn ends(&self, begun: &Self) -> bool {
        match (begun, self) {
            _ if begun.begins() == Some(Cause::Push) && self.rolls_back() => true,
            (Self::Fleet(begun), Self::Fleet(ends)) => ends.ends(begun),
            (Self::Proxy(begun), Self::Proxy(ends)) => ends.ends(begun),
            (Self::Outside(begun), Self::Outside(ends)) => ends.ends(begun),
            // The process that was paused is gone, and its successor runs.
            (Self::Fleet(FleetAction::Pause { .. }), Self::Service(ends)) => {
                matches!(ends, ServiceAction::Restart { .. })
            }
            (Self::Target(TargetAction::Process { fault, .. }), _) => {
                self.ends_process_fault(*fault)
            }
            _ => false,
        }
    }

    /// Whether a fault of processes acts no longer once this is done: it was
    /// taken back, or other processes serve now.
    fn ends_process_fault(&self, begun: ProcessFault) -> bool {
        match self {
            Self::Service(_) | Self::Target(TargetAction::Configure { .. }) => true,
            Self::Target(TargetAction::Hook { kind, .. }) => matches!(kind, HookKind::Restart),
            Self::Target(ends) => ends.takes_back(begun),
            Self::Clients(_) | Self::Fleet(_) | Self::Proxy(_) | Self::Outside(_) => false,
        }
    }

    /// Whether the cause that it begins is over at once.
    pub(crate) fn momentary(&self) -> bool {
        match self {
            Self::Fleet(FleetAction::Break(fault)) => fault.kind().momentary(),
            // It is over once the new instances serve, which ends the action.
            Self::Fleet(FleetAction::Lose { .. }) => true,
            _ => false,
        }
    }

    /// Whether it is one of the ways out that verdicts know: a restart, an
    /// admission share, monitors off, another number of retries.
    pub(crate) fn intervenes(&self) -> bool {
        match self {
            Self::Clients(action) => action.intervenes(),
            Self::Fleet(FleetAction::Admit { .. }) => true,
            _ => self.restarts(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::SlowPart;
    use super::*;
    use crate::units::{Nanos, Ratio};

    /// As journals and plans of earlier versions hold them, byte for byte.
    const WRITTEN: [&str; 29] = [
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
        r#"{"lose":{"instances":1}}"#,
        r#"{"cold_start":{"pause":3000000000}}"#,
        r#"{"fault":{"proxy":"front","name":"down","breakage":"down"}}"#,
        r#"{"fault":{"proxy":"db","name":"slow","breakage":{"fault":{"name":"slow","stream":"downstream","toxicity":0.5,"type":"latency","attributes":{"latency":2000,"jitter":100}}}}}"#,
        r#"{"fault":{"proxy":"db","name":"s","breakage":{"fault":{"name":"s","stream":"upstream","toxicity":1.0,"type":"slicer","attributes":{"average_size":10,"size_variation":2,"delay":500}}}}}"#,
        r#"{"fault":{"proxy":"db","name":"h","breakage":{"fault":{"name":"h","stream":"upstream","toxicity":1.0,"type":"http_delay","attributes":{"match":{"path":"/a"},"delay":20,"jitter":0}}}}}"#,
        r#"{"occupy":{"name":"o","hold":"slow-endpoint","path":"/report","connections":16,"every":1000000000}}"#,
        r#"{"undo":{"name":"o"}}"#,
        r#"{"happened":{"what":"disk of db-1 filled","kind":"began"}}"#,
    ];

    #[test]
    fn actions_are_read_and_written_as_ever() {
        for written in WRITTEN {
            let action: Action = serde_json::from_str(written).unwrap();
            assert_eq!(serde_json::to_string(&action).unwrap(), written);
            let name = serde_json::to_value(action.name()).unwrap();
            assert_eq!(name, action.name().word());
        }
    }

    #[test]
    fn a_committed_journal_is_written_as_it_was() {
        let journal = include_str!("../../../reports/sample-missing-await/journal.jsonl");
        let begun = journal
            .lines()
            .filter(|line| line.contains("action_started"));
        let mut actions = 0;
        for line in begun {
            let (_, rest) = line.split_once("\"action\":").unwrap();
            let action = serde_json::Deserializer::from_str(rest).into_iter::<Action>();
            let action = action.flatten().next().unwrap();
            let written = serde_json::to_string(&action).unwrap();
            assert!(rest.starts_with(&written), "{rest}: {written}");
            actions += 1;
        }
        assert!(actions > 5, "{actions}");
    }

    #[test]
    fn causes_end_with_what_undoes_them() {
        let count = NonZeroU32::new;
        let slow = |part, factor| Action::Fleet(FleetAction::Slow { part, factor });
        let push = Action::Fleet(FleetAction::Push {
            set: std::collections::BTreeMap::new(),
            schema: None,
            tested: true,
            canary: None,
        });
        let pause = |instances| Action::Fleet(FleetAction::Pause { instances });
        let go_on = |instances| Action::Fleet(FleetAction::Continue { instances });
        let restart = Action::Service(ServiceAction::Restart { pause: None });
        let database = slow(SlowPart::Database, 5.0);
        for (begun, action, ends) in [
            (&push, Action::Service(ServiceAction::Rollback), true),
            (&push, restart.clone(), false),
            (&database, slow(SlowPart::Database, 1.0), true),
            (&database, slow(SlowPart::Database, 2.0), false), // less slow is slow
            (&database, slow(SlowPart::Identity, 1.0), false),
            (&database, Action::Service(ServiceAction::Rollback), false),
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
    fn actions_read_as_sentences() {
        let push = Action::Fleet(FleetAction::Push {
            set: [("a".into(), "1".into()), ("b".into(), "2".into())].into(),
            schema: Some(3),
            tested: false,
            canary: Ratio::new(0.25),
        });
        let admit = Action::Fleet(FleetAction::Admit {
            share: Ratio::new(0.45).unwrap(),
        });
        let restart = Action::Service(ServiceAction::Restart {
            pause: Some(Nanos::from_secs(2)),
        });
        let slow = |factor| {
            Action::Fleet(FleetAction::Slow {
                part: SlowPart::Database,
                factor,
            })
        };
        for (action, text) in [
            (push, "push a = 1, b = 2 to 25 %"),
            (admit, "admit 45 %"),
            (restart, "restart one after the other"),
            (
                Action::Clients(ClientsAction::Monitors { on: false }),
                "monitors off",
            ),
            (
                Action::Clients(ClientsAction::Retries { retries: 0 }),
                "retries 0",
            ),
            (slow(5.0), "database 5× as slow"),
            (slow(1.0), "database as usual"),
            (
                Action::Fleet(FleetAction::Pause { instances: None }),
                "pause",
            ),
            (
                Action::Fleet(FleetAction::Continue {
                    instances: NonZeroU32::new(2),
                }),
                "continue 2 instances",
            ),
        ] {
            assert_eq!(action.in_words(), text);
        }
    }
}
