//! The console's address, driven as a page and a tool drive it.

mod page;
mod random;
mod server;
