//! That the end of a child is kept until it is awaited.

use std::fs;
use std::sync::Arc;

use signal_hook::consts::SIGCHLD;
use signal_hook::flag;

/// Sees to it that children can be awaited. Whoever started this program may have told the
/// kernel to ignore the ends of children (`trap '' CHLD`), which is handed down: then none
/// is kept, and nobody learns how one ended.
pub(crate) fn keep_children() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if ignores_children(&status) {
        // With a handler they are kept; what it notes is of no use. A child has none.
        let _ = flag::register(SIGCHLD, Arc::default());
    }
}

/// Whether a process of this `/proc/PID/status` ignores the ends of its children.
fn ignores_children(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| (mask >> (SIGCHLD - 1)) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_mask() {
        let status = |mask: &str| format!("SigBlk:\t0000000000010000\nSigIgn:\t{mask}\n");
        assert!(ignores_children(&status("0000000000011000")));
        assert!(!ignores_children(&status("0000000000001000")));
        assert!(!ignores_children(""));
    }
}
