//! Which instance a request goes to.

/// Takes the members in turn, whatever their state: what makes one slow
/// instance everyone's problem, and what most balancers do by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoundRobin {
    next: usize,
}

impl RoundRobin {
    /// The index of the next of `members` members; none where there are none.
    pub(crate) const fn choose(&mut self, members: usize) -> Option<usize> {
        if members == 0 {
            return None;
        }
        let chosen = self.next % members;
        self.next = (chosen + 1) % members;
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_members_in_turn() {
        let mut choice = RoundRobin::default();
        let chosen: Vec<_> = (0..4).map(|_| choice.choose(3)).collect();
        assert_eq!(chosen, [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!(choice.choose(1), Some(0)); // a member left
        assert_eq!(choice.choose(0), None);
    }
}
