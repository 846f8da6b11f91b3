//! Clients that hold a session each: what `[load.sessions]` comes to.

use super::file::File;
use super::meaning::Reader;
use crate::model::MonitorPolicy;
use crate::units::Nanos;

/// The clients that hold sessions, where there are some: they set up their first ones
/// within the first half of the warm-up.
pub(super) fn read(reader: &mut Reader, file: &File) -> Option<MonitorPolicy> {
    let sessions = file.load.as_ref()?.value.sessions.as_ref()?;
    if super::target::names_one(reader, file) {
        reader.report(
            sessions,
            "sessions are those of the built-in fleet, and this is a target of your own",
            "not for this target",
            "take this table out",
        );
    }
    let reconnect = &sessions.value.reconnect;
    if reconnect.value.0.longest() == Nanos::ZERO {
        reader.report(
            reconnect,
            "a client whose session is refused would ask again without any pause, for ever",
            "no pause at all",
            "write a pause, such as \"100ms\" or \"exponential 100ms..10s, full jitter\"",
        );
    }
    let mut monitors = file.monitor.iter();
    let policy = MonitorPolicy::sessions(
        sessions.value.count?,
        reconnect.value.0,
        Nanos((file.warm_up.value.0.0 / 2).max(1)),
    );
    let named = monitors.find_map(|monitor| {
        let name = monitor.name.as_ref()?;
        (name.value == policy.name).then_some(name)
    });
    if let Some(name) = named {
        let message = format!(
            "the clients of [load.sessions] are called `{}`",
            policy.name
        );
        reader.report(name, message, "taken", "give it a name of its own");
    }
    Some(policy)
}
