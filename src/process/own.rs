//! This program's own file.

use std::env;
use std::path::PathBuf;

/// What the kernel keeps for as long as the process runs.
const RUNNING: &str = "/proc/self/exe";

/// This program's own file, for another process of it: by its name, or by the kernel's link
/// where it was replaced or removed since. A long search outlives an upgrade.
pub(crate) fn own_program() -> PathBuf {
    let named = env::current_exe().ok().filter(|path| path.exists());
    named.unwrap_or_else(|| RUNNING.into())
}
