//! Many runs: the list of them, and where a figure changed.

mod command;
mod detector;
mod figures;
mod folder;
mod list;
mod plain;
mod published;
