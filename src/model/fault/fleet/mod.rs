//! The catalogue of faults of the built-in fleet, one file each.
//!
//! A fault is its attributes and what is said of it: one sentence, what undoes it,
//! and where it acts. What it does is up to the part that it acts in, which looks at
//! the [`FaultSet`] where it comes to the point: an instance (live or simulated), the
//! identity service, the balancer. What `threadbare faults` prints, docs/FAULTS.md and
//! the schema of scenario files follow from this list.

mod balancer_link_delayed;
mod balancer_link_lost;
mod catalogue;
mod connections_dripped;
mod connections_leaked;
mod crash_loop;
mod database_down;
mod database_full;
mod database_locked;
mod descriptors_limited;
mod identity_blocks;
mod identity_down;
mod lock_convoy;
mod page;
mod peers_added;
mod permissions_wrong;
mod processor_burned;
mod role_cache_cleared;
mod stop_the_world;
mod threads_limited;
mod workers_leaked;

pub use catalogue::FaultPlace;
pub(crate) use connections_dripped::REQUEST_BYTES;
pub(crate) use descriptors_limited::ACCEPT_PAUSE;
pub use page::{fault_page, fault_text};

use super::attribute::{Attribute, AttributeMistake};

catalogue::fleet_faults! {
    identity_down::IdentityDown = "identity_down",
    identity_blocks::IdentityBlocks = "identity_blocks",
    role_cache_cleared::RoleCacheCleared = "role_cache_cleared",
    permissions_wrong::PermissionsWrong = "permissions_wrong",
    stop_the_world::StopTheWorld = "stop_the_world",
    crash_loop::CrashLoop = "crash_loop",
    processor_burned::ProcessorBurned = "processor_burned",
    lock_convoy::LockConvoy = "lock_convoy",
    workers_leaked::WorkersLeaked = "workers_leaked",
    connections_leaked::ConnectionsLeaked = "connections_leaked",
    threads_limited::ThreadsLimited = "threads_limited",
    peers_added::PeersAdded = "peers_added",
    descriptors_limited::DescriptorsLimited = "descriptors_limited",
    database_down::DatabaseDown = "database_down",
    database_locked::DatabaseLocked = "database_locked",
    database_full::DatabaseFull = "database_full",
    balancer_link_delayed::BalancerLinkDelayed = "balancer_link_delayed",
    balancer_link_lost::BalancerLinkLost = "balancer_link_lost",
    connections_dripped::ConnectionsDripped = "connections_dripped",
}
