//! What a user of the built-in fleet may do. Which request needs which role is
//! not known here.

use std::fmt;
use std::str::FromStr;

use crate::named::named;
use crate::units::UnitError;

named! {
    /// What a user may do.
    #[derive(PartialOrd, Ord, Hash)]
    pub enum Role {
        /// May list.
        Viewer = "viewer",
        /// May also create and update tasks.
        Contributor = "contributor",
        /// May also close projects.
        Manager = "manager",
    }
}

impl Role {
    /// How many there are.
    pub(super) const COUNT: u32 = 3;
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let found = Self::ALL.into_iter().find(|(_, word)| *word == text);
        let (role, _) =
            found.ok_or_else(|| UnitError::new(text, "a role: viewer, contributor or manager"))?;
        Ok(role)
    }
}
