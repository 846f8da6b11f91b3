//! Which users' roles an instance holds: what "cold" means.

/// The users an instance has verified since it started.
///
/// A verification for a user it does not hold takes the identity service
/// longer, so an instance warms at the pace of the distinct users it sees:
/// nobody says when it is warm.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoleCache {
    held: Vec<bool>,
}

impl RoleCache {
    /// The cache of an instance that has long been in service: holds all of `users`.
    pub(crate) fn warm(users: u32) -> Self {
        Self {
            held: vec![true; users as usize],
        }
    }

    /// Whether the user's roles are held.
    pub(crate) fn holds(&self, user: u32) -> bool {
        self.held.get(user as usize).copied().unwrap_or(false)
    }

    /// The user's verification has ended: from now on its roles are held.
    pub(crate) fn insert(&mut self, user: u32) {
        let index = user as usize;
        if index >= self.held.len() {
            self.held.resize(index + 1, false);
        }
        self.held[index] = true;
    }
}
