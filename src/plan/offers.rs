//! What people may do in a game day: the entries of the timeline, and nothing else.

use super::{Entry, Plan};
use crate::model::{
    Action, ActionName, ClientsAction, FleetAction, Offer, OutsideAction, ServiceAction,
};

impl Plan {
    /// What people may do, one offer for each entry of the timeline that differs from those
    /// before it, in the timeline's order. Numbers are places in the timeline.
    pub fn offers(&self) -> Vec<Offer> {
        let mut offers: Vec<Offer> = Vec::new();
        for (place, entry) in self.timeline.iter().enumerate() {
            let same =
                |offer: &&Offer| offer.action == entry.action && offer.inject == entry.inject;
            if offers.iter().find(same).is_none() {
                offers.push(offer(place, entry));
            }
        }
        offers
    }

    /// The offers as they stand after these entries have been carried out: one that has a
    /// later entry of the same kind stands for that.
    pub fn entry_for(&self, offer: usize, is_done: impl Fn(usize) -> bool) -> Option<usize> {
        let wanted = self.timeline.get(offer)?;
        let same = self.timeline.iter().enumerate();
        let mut same =
            same.filter(|(_, it)| it.action == wanted.action && it.inject == wanted.inject);
        same.find(|(place, _)| !is_done(*place))
            .map(|(place, _)| place)
    }
}

/// The button that an entry which is carried out is: its own, or one of the same action.
pub(crate) fn offer_of(offers: &[Offer], entry: usize, action: &Action) -> Option<u32> {
    let own = offers.iter().find(|offer| offer.entry == entry);
    let same = || offers.iter().find(|offer| offer.action == *action);
    own.or_else(same).map(|offer| offer.id)
}

fn offer(place: usize, entry: &Entry) -> Offer {
    let action = &entry.action;
    Offer {
        id: u32::try_from(place).unwrap_or(u32::MAX),
        action: action.clone(),
        phase: entry.phase.clone(),
        entry: place,
        inject: entry.inject.clone(),
        dangerous: is_dangerous(action),
        does: does(action),
        undone_by: undone_by(action),
    }
}

/// Whether it makes things worse before it makes them better.
fn is_dangerous(action: &Action) -> bool {
    let stops = matches!(
        action.name(),
        ActionName::Restart | ActionName::ColdStart | ActionName::Hook | ActionName::Waive
    );
    stops || action.begins().is_some() || matches!(action, Action::Fleet(FleetAction::Admit { .. }))
}

/// What it does, as a sentence.
fn does(action: &Action) -> String {
    let what = match action {
        Action::Fleet(FleetAction::Push { .. }) => "Releases a configuration with these changes.",
        Action::Service(ServiceAction::Rollback) => {
            "Restores the configuration before the last push; a check may refuse it."
        }
        Action::Service(ServiceAction::Restart { pause: None }) => {
            "Restarts everything that serves at once; what is in flight is lost."
        }
        Action::Service(ServiceAction::Restart { pause: Some(_) }) => {
            "Restarts what serves one instance after the other; what an instance has in flight \
             is lost."
        }
        Action::Fleet(FleetAction::Waive { .. }) => {
            "Makes this check advisory: it warns, and refuses nothing any more."
        }
        Action::Fleet(FleetAction::Admit { .. }) => {
            "Lets the balancer admit this share of the requests, and refuse the rest at once."
        }
        Action::Fleet(FleetAction::Slow { factor, .. }) if *factor > 1.0 => {
            "Makes this part of the fleet slower by this factor."
        }
        Action::Fleet(FleetAction::Slow { .. }) => "Makes this part of the fleet as fast as usual.",
        Action::Fleet(FleetAction::Pause { .. }) => {
            "Stops the processes of instances where they are."
        }
        Action::Fleet(FleetAction::Lose { .. }) => {
            "Ends instances with all that they hold; new ones come in their places."
        }
        Action::Fleet(FleetAction::ColdStart { .. }) => {
            "Stops every instance, then starts one after the other; nobody is served in between."
        }
        Action::Fleet(FleetAction::Break(_)) => "Injects this fault into the fleet.",
        Action::Fleet(FleetAction::Mend { .. }) => "Takes this fault of the fleet back.",
        Action::Fleet(FleetAction::Continue { .. }) => "Lets paused instances go on.",
        Action::Clients(ClientsAction::Monitors { on: true }) => "Switches every monitor on.",
        Action::Clients(ClientsAction::Monitors { on: false }) => "Switches every monitor off.",
        Action::Clients(ClientsAction::Retries { .. }) => {
            "Changes how often the clients try again from now on."
        }
        Action::Target(_) => "Does this to the target.",
        Action::Proxy(_) => "Does this to what passes between the clients and the target.",
        Action::Outside(OutsideAction::Happened { .. }) => "Writes down what was done elsewhere.",
    };
    what.to_owned()
}

/// What takes it back, as a sentence.
fn undone_by(action: &Action) -> Option<String> {
    let own = match action {
        Action::Fleet(FleetAction::Push { .. }) => Some("A rollback, and the end of the run."),
        Action::Fleet(FleetAction::Slow { factor, .. }) if *factor > 1.0 => {
            Some("The same part as fast as usual, and the end of the run.")
        }
        Action::Fleet(FleetAction::Pause { .. }) => {
            Some("`continue`, a restart, and the end of the run.")
        }
        Action::Fleet(FleetAction::Admit { .. }) => Some("Another share, and the end of the run."),
        Action::Fleet(FleetAction::Break(_)) => Some("`mend`, and the end of the run."),
        Action::Fleet(FleetAction::Lose { .. }) => {
            Some("By itself, once the new instances serve; and the end of the run.")
        }
        Action::Fleet(FleetAction::Waive { .. }) => Some("The end of the run."),
        Action::Target(action) => action.undone_by(),
        Action::Proxy(action) => action.undone_by(),
        _ => None,
    };
    own.map(str::to_owned)
}
