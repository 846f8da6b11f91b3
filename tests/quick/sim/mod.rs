//! The simulator against theory, the literature and itself.

mod actions;
mod carried_out;
mod fleet;
mod fleet_faults;
mod herds;
mod literature;
mod parity;
mod properties;
mod published;
mod responder;
mod theory;
