//! The page of a game day: its server over HTTP, and the page in a real browser.

mod browser;
mod driver;
mod lag;
