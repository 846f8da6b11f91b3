//! The rules of the house, held: imports point one way, time is read in one file,
//! pure modules open no door to the world, words that are gone stay gone, and
//! files stay small. No unsafe code is a lint of Cargo.toml.

mod gaps;
mod sizes;
mod source;
mod words;

use source::sources;

/// The rank of every top-level module; a module imports lower ranks only.
const RANKS: [(&str, u32); 35] = [
    ("units", 0),
    ("bounds", 0),
    ("clock", 1),
    ("rng", 1),
    ("error", 1),
    ("named", 1),
    ("slots", 1),
    ("sync", 1),
    ("model", 2),
    ("process", 2),
    ("files", 2),
    ("net", 3),
    ("plan", 3),
    ("scenario", 4),
    ("record", 5),
    ("clients", 6),
    ("analysis", 7),
    ("load", 7),
    ("target", 7),
    ("fleet", 7),
    ("proxy", 7),
    ("gauges", 7),
    ("sim", 7),
    ("report", 8),
    ("ui", 8),
    ("console", 8),
    ("telemetry", 8),
    ("live", 8),
    ("explore", 8),
    ("agents", 8),
    ("run", 9),
    ("readers", 9),
    ("compare", 10),
    ("limit", 10),
    ("cli", 11),
];

/// Modules that are told everything: their results depend on their arguments alone.
const PURE: [&str; 11] = [
    "bounds", "error", "rng", "units", "slots", "model", "plan", "clients", "analysis", "sim",
    "report",
];

/// Where a pure module may open a door all the same, and why.
const DOORS_ALLOWED: [(&str, &str); 1] = [
    // The one place where reports become files.
    ("src/report/files.rs", "write_private"),
];

/// Names by which code reaches the world: files, sockets, processes, threads, the
/// environment, the terminal, the time, and randomness without a seed.
const DOORS: [&str; 51] = [
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "env::var",
    "env::args",
    "fs::",
    "thread::",
    "process::",
    "File::",
    "OpenOptions",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "UnixListener",
    "UnixStream",
    "Command::new",
    "stdin",
    "stdout",
    "stderr",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "dbg!",
    "Instant",
    "SystemTime",
    "Clock::start",
    "wall_millis",
    "thread_cpu",
    "crate::files",
    "net::http",
    "to_socket_addrs",
    "async_nats::",
    "hyper::client",
    "hyper::server",
    "hyper_util::",
    "signal_hook::",
    "nix::",
    "rusqlite::",
    "rustix::",
    "tokio::",
    "rand::rng",
    "rand::random",
    "thread_rng",
    "OsRng",
    "SysRng",
    "write_private",
    "Record::open",
];

fn rank(module: &str) -> Option<u32> {
    RANKS
        .iter()
        .find(|(name, _)| *name == module)
        .map(|(_, rank)| *rank)
}

/// The modules named after every `crate::` in the code, `crate::{a, b}` included.
fn imports(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let word = |text: &str| -> String {
            text.trim_start()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        };
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = 0;
            for (index, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => {
                        names.push(word(&group[start..index]));
                        break;
                    }
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        names.push(word(&group[start..index]));
                        start = index + 1;
                    }
                    _ => {}
                }
            }
        } else {
            names.push(word(rest));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Whether the code names this, and not only a longer name that holds it.
fn names(code: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let longer = name.ends_with(part) && code[at + name.len()..].starts_with(part);
        !longer && !code[..at].ends_with(part)
    })
}

#[test]
fn imports_point_to_lower_ranks() {
    let mut wrong = Vec::new();
    for source in sources(&["src"], &["rs"]) {
        let module = source.module();
        // The two roots: one declares every room, the other calls the last of them.
        if module == "main" || module == "lib" {
            continue;
        }
        let own = rank(module).unwrap_or_else(|| panic!("{} has no rank", source.path));
        for import in imports(&source.code()) {
            let Some(imported) = rank(&import) else {
                continue; // a macro or an item of the crate's root
            };
            if import != module && imported >= own {
                wrong.push(format!("{}: {module} imports {import}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_clock_reads_time() {
    let readers = [
        "Instant::now",
        "SystemTime",
        "clock_gettime",
        "time::Instant",
    ];
    let mut wrong = Vec::new();
    for source in sources(&["src"], &["rs"]) {
        let code = source.code();
        let used = readers.iter().filter(|reader| names(&code, reader));
        if source.module() != "clock" {
            wrong.extend(used.map(|reader| format!("{} uses {reader}", source.path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_open_no_door() {
    let mut wrong = Vec::new();
    for source in sources(&["src"], &["rs"]) {
        if !PURE.contains(&source.module()) {
            continue;
        }
        let code = source.code();
        for door in DOORS {
            let allowed = DOORS_ALLOWED.contains(&(source.path.as_str(), door));
            if names(&code, door) && !allowed {
                wrong.push(format!("{} uses {door}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What they print to may be full or gone, and they panic over that.
const PRINTING: [&str; 4] = ["println!(", "print!(", "eprintln!(", "eprint!("];

#[test]
fn output_that_cannot_be_written_is_no_panic() {
    let mut wrong = Vec::new();
    for source in sources(&["src"], &["rs"]) {
        let code = source.code();
        let found = PRINTING.iter().filter(|it| code.contains(*it));
        wrong.extend(found.map(|it| format!("{}: {it}", source.path)));
    }
    assert!(wrong.is_empty(), "write, and look at the result: {wrong:?}");
}

#[test]
fn the_check_itself_sees_a_violation() {
    let code = "use crate::cli::Args;\nuse crate::{clock::Clock, live, model::{A, B}};";
    assert_eq!(imports(code), ["cli", "clock", "live", "model"]);
    assert!(names("use std::{fs, io};\nfs::write(a, b)", "fs::"));
    assert!(names("println!()", "println!") && !names("eprintln!()", "println!"));
    assert!(names("Instant::now()", "Instant") && !names("InstantRate", "Instant"));
}
