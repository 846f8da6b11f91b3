//! A table of permissions that is wrong.

use serde::{Deserialize, Serialize};

use super::Attribute;
use super::catalogue::Fault;

/// Roles allow what they should not, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PermissionsWrong {
    /// Whether every role allows everything, in place of nothing.
    pub allow: bool,
    /// Instances that it reaches.
    pub instances: u64,
}

impl Fault for PermissionsWrong {
    const ABOUT: &'static str = "The table of permissions is wrong: no role allows anything, so \
         that requests are answered 403, or every role allows everything.";
    const CAUSE: &'static str = "wrong table of permissions";
    const UNDO: &'static str = "The table is right again.";

    fn attributes(&mut self) -> Vec<Attribute<'_>> {
        let allow = "Whether every role allows everything, in place of nothing.";
        vec![
            Attribute::flag("allow", &mut self.allow, allow),
            Attribute::instances(&mut self.instances),
        ]
    }

    fn instances(&self) -> u64 {
        self.instances
    }
}
