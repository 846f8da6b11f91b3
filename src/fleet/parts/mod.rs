//! The fleet's child processes: balancer, instances, identity service.
//!
//! Each is this binary, started with a hidden subcommand that calls [`serve_part`].

mod balancer;
mod burners;
mod connections;
mod dripping;
mod identity;
mod instance;
mod serve;

pub(crate) use serve::serve_part;
