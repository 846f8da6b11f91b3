//! The simulator against theory, the literature and itself.

mod actions;
mod balancer;
mod carried_out;
mod fleet;
mod fleet_faults;
mod held;
mod herds;
mod literature;
mod parity;
mod process_faults;
mod properties;
mod published;
mod responder;
mod theory;
