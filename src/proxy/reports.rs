//! What is injected through the API, for whoever keeps a record of it.
//!
//! A call that was carried out is told in the words of its fault. What was begun is
//! remembered, so that a call that takes everything back tells of each of its ends, and so
//! does the end of the proxies.

use std::sync::Mutex;

use super::link::Proxy;
use super::proxies::Proxies;
use crate::model::Reported;
use crate::sync::lock;

/// Something that was injected, or was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injected {
    /// What it is; the same when it ends.
    pub what: String,
    /// Whether it began or has ended.
    pub kind: Reported,
}

/// Who is told.
pub type Listener = Box<dyn Fn(Injected) + Send + Sync>;

/// Tells what is injected.
pub(super) struct Reports {
    listener: Listener,
    /// What acts, as it was told.
    acts: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Reports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reports").finish_non_exhaustive()
    }
}

impl Reports {
    pub(super) fn new(listener: Listener) -> Self {
        Self {
            listener,
            acts: Mutex::default(),
        }
    }

    /// Compares what acts now with what acted, and tells the difference. A fault with other
    /// attributes is another one.
    pub(super) fn look(&self, proxies: &Proxies) {
        let mut now = Vec::new();
        proxies.each(|proxy| now.extend(active(proxy)));
        let mut acts = lock(&self.acts);
        let before = std::mem::replace(&mut *acts, now.clone());
        for what in before.iter().filter(|what| !now.contains(what)) {
            self.tell(what, Reported::Ended);
        }
        for what in now.iter().filter(|what| !before.contains(what)) {
            self.tell(what, Reported::Began);
        }
    }

    fn tell(&self, what: &str, kind: Reported) {
        (self.listener)(Injected {
            what: what.to_owned(),
            kind,
        });
    }
}

/// What acts ends with the proxies.
impl Drop for Reports {
    fn drop(&mut self) {
        for what in std::mem::take(&mut *lock(&self.acts)) {
            self.tell(&what, Reported::Ended);
        }
    }
}

/// What of a proxy acts, in words.
fn active(proxy: &Proxy) -> Vec<String> {
    let name = proxy.name();
    let down = (!proxy.enabled()).then(|| format!("proxy `{name}` down"));
    let faults = proxy.faults().into_iter();
    let faults = faults.map(|fault| format!("{fault} at proxy `{name}`"));
    down.into_iter().chain(faults).collect()
}
