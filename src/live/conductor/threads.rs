//! The conductor's own threads: one that hears people, one that carries out what is done to
//! the system. What each sends is told to the conductor's inbox.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::super::message::Message;
use super::super::signals::Interrupt;
use super::super::system::SystemUnderTest;
use crate::clock::Clock;
use crate::model::{GameOrder, Ordered};
use crate::plan::Action;

/// Passes on what people ask for, until nobody can any more.
pub(super) fn hear(orders: Receiver<Ordered>, messages: Sender<Message>, interrupt: Interrupt) {
    thread::spawn(move || {
        for ordered in orders {
            // Also while a target is waited for, which reads no messages.
            if ordered.order == GameOrder::Stop {
                interrupt.stop_waiting();
            }
            // Once the run has ended nobody listens.
            if messages.send(Message::Ordered(ordered)).is_err() {
                return;
            }
        }
    });
}

/// The responder: carries out what is done to the system, in order. What takes
/// its time runs beside what follows it.
pub(super) fn start_actor(
    system: Arc<dyn SystemUnderTest>,
    clock: Clock,
    messages: Sender<Message>,
) -> Sender<(usize, Action)> {
    let (sender, inbox) = mpsc::channel::<(usize, Action)>();
    thread::spawn(move || {
        for (entry, action) in inbox {
            let beside = system.takes_time(&action);
            let (system, messages) = (Arc::clone(&system), messages.clone());
            let act = move || {
                let outcome = system.act(clock.now(), action, &|event| {
                    let _ = messages.send(Message::Event(event));
                });
                // The conductor may have stopped already; then nobody records it.
                let _ = messages.send(Message::ActionEnded { entry, outcome });
            };
            if beside {
                thread::spawn(act);
            } else {
                act();
            }
        }
    });
    sender
}
