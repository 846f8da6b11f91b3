//! Arguments and subcommands, one file each.
