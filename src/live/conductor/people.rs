//! What people in the room ask of a run: written down with its author first, then carried out
//! by the same way as an entry of the timeline.

use std::sync::mpsc::Sender;

use super::Run;
use crate::error::Result;
use crate::load::{Command, Sending};
use crate::model::{GameOrder, Ordered, OutsideAction, Person, Reported};
use crate::plan::{Action, Entry, When};
use crate::record::{Event, Outcome};
use crate::units::Nanos;

impl Run<'_> {
    /// Does what somebody asks for, or writes down why not. An error ends the run: the record
    /// cannot be written.
    pub(super) fn ordered(
        &mut self,
        ordered: Ordered,
        generator: &dyn Sending,
        actor: &Sender<(usize, Action)>,
    ) -> Result<()> {
        let Ordered { by, order } = ordered;
        match order {
            GameOrder::Act { offer } => self.decided(by, offer, generator, actor),
            GameOrder::Hold => {
                let what = "hold the timeline";
                if self.stopping() {
                    return self.decline(by, (what, None), "the run is ending");
                }
                if !self.timeline.hold(self.clock.now()) {
                    return self.decline(by, (what, None), "it is held already");
                }
                self.event(&Event::Held { by })
            }
            GameOrder::GoOn => match self.timeline.go_on(self.clock.now()) {
                Some(held_ns) => {
                    self.event(&Event::WentOn { by, held_ns })?;
                    self.past_the_end()
                }
                None => self.decline(by, ("let the timeline go on", None), "it is not held"),
            },
            GameOrder::Stop => {
                if self.stopping() {
                    return Ok(());
                }
                self.stopped_by = Some(by.name.clone());
                generator.command(Command::Stop);
                self.event(&Event::StopOrdered { by })
            }
            words => self.write_down(by, words),
        }
    }

    /// Does what those on call decided, as far as it is due.
    pub(super) fn respond(
        &mut self,
        now: Nanos,
        generator: &dyn Sending,
        actor: &Sender<(usize, Action)>,
    ) -> Result<()> {
        while let Some(response) = self.responders.take(now, &mut self.timeline) {
            let event = Event::of_response(response);
            self.event(&event)?;
            if let Event::Ordered { entry, .. } = event {
                self.begin(entry, generator, actor)?;
            }
        }
        Ok(())
    }

    /// Writes down what somebody asked for while the run ended.
    pub(super) fn too_late(&mut self, ordered: Ordered) -> Result<()> {
        let Ordered { by, order } = ordered;
        match order {
            GameOrder::Act { offer } => {
                let wanted = usize::try_from(offer).ok();
                let wanted = wanted.and_then(|place| self.plan.timeline.get(place));
                let what = wanted.map_or_else(String::new, shown);
                self.decline(by, (&what, Some(offer)), "the run was ending")
            }
            GameOrder::Stop if self.stopped_by.is_none() => {
                self.stopped_by = Some(by.name.clone());
                self.event(&Event::StopOrdered { by })
            }
            GameOrder::Hold | GameOrder::GoOn | GameOrder::Stop => Ok(()),
            words => self.write_down(by, words),
        }
    }

    /// What is only written down, whenever it comes.
    fn write_down(&mut self, by: Person, words: GameOrder) -> Result<()> {
        match words {
            GameOrder::Join => self.event(&Event::Joined { by }),
            GameOrder::Note { text } => self.event(&Event::Noted { by, text }),
            GameOrder::Predict { question, answer } => self.event(&Event::Predicted {
                by,
                question,
                answer,
            }),
            GameOrder::Happened { what, kind } => {
                self.reported(by, OutsideAction::Happened { what, kind })
            }
            GameOrder::Act { .. } | GameOrder::Hold | GameOrder::GoOn | GameOrder::Stop => Ok(()),
        }
    }

    /// Whether the run is on its way to its end already.
    pub(super) fn stopping(&self) -> bool {
        self.stopped_by.is_some() || self.interrupt.signal().is_some()
    }

    /// Writes down what is not done, and why; of an offer its number as well.
    fn decline(
        &mut self,
        by: Person,
        (what, offer): (&str, Option<u32>),
        reason: &str,
    ) -> Result<()> {
        self.event(&Event::Declined {
            by,
            what: what.into(),
            offer,
            reason: reason.into(),
        })
    }

    /// Carries out what an offer says.
    fn decided(
        &mut self,
        by: Person,
        offer: u32,
        generator: &dyn Sending,
        actor: &Sender<(usize, Action)>,
    ) -> Result<()> {
        let place = usize::try_from(offer).unwrap_or(usize::MAX);
        let Some(wanted) = self.plan.timeline.get(place) else {
            let what = format!("offer {offer}");
            return self.decline(by, (&what, Some(offer)), "this run offers no such thing");
        };
        let what = shown(wanted);
        let injects = wanted.action.begins().is_some();
        let now = self.clock.now();
        let refusal = if self.stopping() || self.load_ended {
            Some("the load has ended".to_owned())
        } else if !by.role.may_act() || (wanted.inject.is_some() && !by.role.leads()) {
            Some(format!("this is not for a {}", by.role.word()))
        } else if self.under_way.values().any(|it| *it == wanted.action) {
            Some("the same is under way".to_owned())
        } else if injects {
            // A planned fault ends a run whose target is not healthy; people may wait and
            // try again.
            self.watch.healthy(now).err().map(|it| it.to_string())
        } else {
            None
        };
        if let Some(reason) = refusal {
            return self.decline(by, (&what, Some(offer)), &reason);
        }
        let Some(entry) = self.timeline.order(self.plan, now, place) else {
            return self.decline(by, (&what, Some(offer)), "this run offers no such thing");
        };
        let Entry { action, phase, .. } = self.timeline.entries()[entry].clone();
        self.event(&Event::Ordered {
            by,
            entry,
            action,
            phase,
        })?;
        self.begin(entry, generator, actor)
    }

    /// What others did, as they told it: an action of the record, which nobody carries out.
    fn reported(&mut self, by: Person, outside: OutsideAction) -> Result<()> {
        let detail = OutsideAction::DONE.to_owned();
        let OutsideAction::Happened { kind, .. } = &outside;
        if *kind == Reported::Began {
            self.watch.injected();
        }
        let action = Action::Outside(outside);
        let phase = self.timeline.numbered(&action.phase());
        let entry = self.timeline.add(Entry {
            when: When::At(self.clock.now()),
            action: action.clone(),
            phase: phase.clone(),
            inject: None,
        });
        let ordered = Event::Ordered {
            by,
            entry,
            action: action.clone(),
            phase,
        };
        self.event(&ordered)?;
        self.event(&Event::ActionStarted { entry, action })?;
        self.event(&Event::ActionEnded {
            entry,
            outcome: Outcome::Applied { detail },
        })
    }

    /// Warns of entries that come after the end of the load, now that the timeline was held.
    fn past_the_end(&mut self) -> Result<()> {
        let late = self.timeline.after(self.plan.end);
        if late == 0 {
            return Ok(());
        }
        let text = format!(
            "the timeline was held for so long that {late} of its entries come after the end of \
             the load at {}, and so not at all; they can still be ordered",
            self.plan.end
        );
        self.event(&Event::Warning { text })
    }
}

/// What an entry does, as everybody may read it: an inject that is not done stays the
/// facilitator's.
fn shown(entry: &Entry) -> String {
    match &entry.inject {
        Some(_) => "an inject".to_owned(),
        None => entry.action.in_words(),
    }
}
