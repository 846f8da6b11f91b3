//! Answers that are held until the test lets them go: what is under way for certain.

use std::sync::{Arc, Condvar, Mutex};

/// Holds answers.
#[derive(Clone, Default)]
pub(super) struct HeldAnswers(Arc<(Mutex<bool>, Condvar)>);

impl HeldAnswers {
    /// Waits until they are let go.
    pub(super) fn wait(&self) {
        let (gone, changed) = &*self.0;
        let gone = gone.lock().unwrap();
        drop(changed.wait_while(gone, |gone| !*gone).unwrap());
    }

    /// Lets those go that wait, and all that come.
    pub(super) fn let_go(&self) {
        let (gone, changed) = &*self.0;
        *gone.lock().unwrap() = true;
        changed.notify_all();
    }
}
