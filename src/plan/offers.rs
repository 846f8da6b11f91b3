//! What people may do in a game day: the entries of the timeline, and nothing else.

use super::{Entry, Plan};
use crate::model::{Action, ActionName, FleetAction, Offer};

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
        does: action.does().to_owned(),
        undone_by: action.undone_by().map(str::to_owned),
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
