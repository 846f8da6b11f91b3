//! The page of a game day: its server, driven as a page and a tool drive it, and the page itself
//! in a real browser.

mod browser;
mod driver;
mod lag;
mod page;
mod random;
mod server;
mod tell;
