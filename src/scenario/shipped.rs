//! The scenarios that the binary carries, and the door through which commands
//! open one: by its name or as a file.

use std::path::{Path, PathBuf};

use super::diagnostics::nearest;
use super::parse;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::{bounds, files};

/// Every shipped scenario: its name and the text of its file.
const SHIPPED: [(&str, &str); 16] = [
    (
        "blocking-auth",
        include_str!("../../scenarios/blocking-auth.toml"),
    ),
    (
        "capacity-dip",
        include_str!("../../scenarios/capacity-dip.toml"),
    ),
    (
        "cold-cache-restart",
        include_str!("../../scenarios/cold-cache-restart.toml"),
    ),
    (
        "health-check-eviction",
        include_str!("../../scenarios/health-check-eviction.toml"),
    ),
    (
        "missing-await",
        include_str!("../../scenarios/missing-await.toml"),
    ),
    (
        "missing-await-allow",
        include_str!("../../scenarios/missing-await-allow.toml"),
    ),
    (
        "missing-await-hang",
        include_str!("../../scenarios/missing-await-hang.toml"),
    ),
    (
        "pool-starvation",
        include_str!("../../scenarios/pool-starvation.toml"),
    ),
    (
        "queue-outlives-surge",
        include_str!("../../scenarios/queue-outlives-surge.toml"),
    ),
    (
        "reconnect-herd",
        include_str!("../../scenarios/reconnect-herd.toml"),
    ),
    (
        "restart-herd",
        include_str!("../../scenarios/restart-herd.toml"),
    ),
    (
        "retry-collapse",
        include_str!("../../scenarios/retry-collapse.toml"),
    ),
    (
        "slow-database",
        include_str!("../../scenarios/slow-database.toml"),
    ),
    ("surge", include_str!("../../scenarios/surge.toml")),
    (
        "telemetry-overload",
        include_str!("../../scenarios/telemetry-overload.toml"),
    ),
    (
        "thread-limit",
        include_str!("../../scenarios/thread-limit.toml"),
    ),
];

/// The scenarios that are embedded in the binary, by name, with their text.
pub const fn shipped() -> &'static [(&'static str, &'static str)] {
    &SHIPPED
}

/// The scenario in the file at this path or, where there is none, the shipped
/// one of this name.
///
/// # Errors
///
/// Wrong usage: no such file or name, with the nearest name; a file that cannot
/// be read; every mistake in it, rendered with colour or without.
pub fn load(name_or_path: &str, colour: bool) -> Result<Plan> {
    find(name_or_path)?.open(colour)
}

/// A scenario's file that was found and read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    /// As diagnostics show it.
    pub(super) path: String,
    pub(super) text: String,
    /// Where files that it names are looked for.
    pub(super) folder: PathBuf,
}

impl Found {
    pub(super) fn open(&self, colour: bool) -> Result<Plan> {
        parse::parse_in(&self.folder, &self.name, &self.path, &self.text)
            .map_err(|diagnostics| Error::usage(diagnostics.render(colour)))
    }
}

/// The file at this path or, where there is none, the shipped one of this name.
pub(super) fn find(name_or_path: &str) -> Result<Found> {
    let path = Path::new(name_or_path);
    // Not only regular files: a shell may hand over a pipe.
    if path.exists() && !path.is_dir() {
        let stem = path.file_stem().unwrap_or_default();
        return Ok(Found {
            name: stem.to_string_lossy().into_owned(),
            path: name_or_path.to_owned(),
            text: read(path)?,
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
        });
    }
    let shipped = SHIPPED.iter().find(|(name, _)| *name == name_or_path);
    let Some((name, text)) = shipped else {
        return Err(unknown(name_or_path));
    };
    Ok(Found {
        name: (*name).to_owned(),
        path: format!("{name}.toml"),
        text: (*text).to_owned(),
        folder: PathBuf::new(),
    })
}

/// The text of a scenario file.
pub(super) fn read(path: &Path) -> Result<String> {
    files::read_text(path, &bounds::SCENARIO)
        .map_err(|cause| Error::usage(format!("failed to read {}: {cause}", path.display())))
}

fn unknown(name: &str) -> Error {
    let stem = Path::new(name).file_stem().unwrap_or_default();
    let names = SHIPPED.iter().map(|(name, _)| *name);
    let hint = nearest(&stem.to_string_lossy(), names)
        .map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    Error::usage(format!(
        "there is no scenario {name:?}, neither a file nor a shipped one; \
         {hint}`threadbare list` shows those that are shipped"
    ))
}
