//! The conductor: processes, timeline, journal, leases, guardian.
