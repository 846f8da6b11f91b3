//! What a user of the built-in fleet may do. Which request needs which role is
//! not known here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::UnitError;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May list.
    Viewer,
    /// May also create and update tasks.
    Contributor,
    /// May also close projects.
    Manager,
}

impl Role {
    /// How many there are.
    pub(super) const COUNT: u32 = 3;
    /// All roles, from the least to the most allowed.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Contributor, Self::Manager];

    /// The role's name as scenario files and the database write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Contributor => "contributor",
            Self::Manager => "manager",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| UnitError::new(text, "a role: viewer, contributor or manager"))
    }
}
