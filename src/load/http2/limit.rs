//! How many requests a server takes on a connection.

/// As many as two connections have shown. One alone may have been ended for any reason:
/// a server that restarts ends all, whatever they have carried.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct RequestsLimit {
    most: u32,
    /// What the last connection that showed any has shown.
    shown: Option<u32>,
}

impl RequestsLimit {
    pub(in super::super) const NONE: Self = Self {
        most: u32::MAX,
        shown: None,
    };

    /// As many as a connection is given in all.
    pub(in super::super) const fn most(self) -> u32 {
        self.most
    }

    /// A connection has taken so many, and refused others that were under way.
    pub(in super::super) fn show(&mut self, taken: u32) {
        if self.shown.replace(taken) == Some(taken) {
            self.most = self.most.min(taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_connections_have_to_agree() {
        let mut limit = RequestsLimit::NONE;
        for (taken, most) in [
            (1, u32::MAX),
            (100, u32::MAX),
            (7, u32::MAX),
            (100, u32::MAX),
            (100, 100),
            (1, 100),
            (200, 100),
            (200, 100),
        ] {
            limit.show(taken);
            assert_eq!(limit.most(), most, "{taken}");
        }
    }
}
