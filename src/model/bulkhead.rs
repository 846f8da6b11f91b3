//! A bulkhead: so many may be inside at a time, and nobody waits at the door.
//!
//! A semaphore around one dependency keeps it from taking every worker when it is
//! slow (Nygard, "Release It!", which gave it its name). A queue at the door would only
//! move the workers that wait.

/// Who is inside, and how many may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bulkhead {
    limit: Option<u32>,
    inside: u32,
}

impl Bulkhead {
    /// One that lets so many in at a time, or everyone.
    pub(crate) const fn new(limit: Option<u32>) -> Self {
        Self { limit, inside: 0 }
    }

    /// Somebody would go in; false where they may not.
    pub(crate) fn enter(&mut self) -> bool {
        let enters = self.limit.is_none_or(|limit| self.inside < limit);
        self.inside += u32::from(enters);
        enters
    }

    /// Somebody who went in comes out.
    pub(crate) const fn leave(&mut self) {
        self.inside -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_inside_at_a_time() {
        let mut bulkhead = Bulkhead::new(Some(2));
        assert!(bulkhead.enter());
        assert!(bulkhead.enter());
        assert!(!bulkhead.enter());
        bulkhead.leave();
        assert!(bulkhead.enter());
        assert!(!bulkhead.enter()); // who was turned away did not go in
        let mut open = Bulkhead::new(None);
        assert!((0..1_000).all(|_| open.enter()));
    }
}
