//! What the kernel says of processes: `/proc`, as proc(5) has it.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt as _;

use super::ProcessIdentity;

/// A process, as `/proc/PID/stat` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) pid: u32,
    pub(crate) state: char,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    /// Processor time used, in ticks of 10 ms.
    pub(crate) ticks: u64,
    pub(crate) threads: u64,
    /// When it was started, in ticks since the machine was; with the id, this
    /// tells a process from a later one of the same id.
    pub(crate) started: u64,
    /// Bytes of addresses that are reserved, whether there is memory behind them or not.
    pub(crate) addresses: u64,
    /// Pages of memory in use.
    pub(crate) pages: u64,
}

/// A process that exists; a zombie is one.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(pid: u32, text: &str) -> Option<Stat> {
    // The name may hold anything, blanks and brackets too; it ends with the last bracket.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // Fields count from 3 here (proc(5)).
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        pid,
        state: fields.first()?.chars().next()?,
        parent: u32::try_from(number(4)?).ok()?,
        group: u32::try_from(number(5)?).ok()?,
        ticks: number(14)?.saturating_add(number(15)?),
        threads: number(20)?,
        started: number(22)?,
        addresses: number(23)?,
        pages: number(24)?,
    })
}

impl Stat {
    /// What it is known by.
    pub(crate) const fn identity(&self) -> ProcessIdentity {
        ProcessIdentity {
            pid: self.pid,
            started: self.started,
        }
    }

    /// Whether it has not ended.
    pub(crate) const fn alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

/// Threads of a process that run or are ready to, and threads that wait within the
/// kernel and cannot be woken.
pub(crate) fn thread_states(pid: u32) -> (u64, u64) {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return (0, 0);
    };
    let states = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("stat")).ok()?;
        Some(parse(pid, &text)?.state)
    });
    states.fold((0, 0), |(running, blocked), state| match state {
        'R' => (running + 1, blocked),
        'D' => (running, blocked + 1),
        _ => (running, blocked),
    })
}

/// Every process that has not ended; none where they cannot be read.
pub(crate) fn all() -> Vec<Stat> {
    try_all().unwrap_or_default()
}

/// Every process that has not ended.
pub(crate) fn try_all() -> io::Result<Vec<Stat>> {
    let entries = fs::read_dir("/proc")?;
    let known = entries
        .filter_map(|entry| stat(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .filter(Stat::alive);
    Ok(known.collect())
}

/// Since when this machine runs, as a name that no other start of any has; none where the
/// kernel does not say.
pub(crate) fn boot() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// Ticks since the machine was started, as the starts of processes are counted; none where
/// the kernel does not say.
pub(crate) fn ticks() -> Option<u64> {
    parse_ticks(&fs::read_to_string("/proc/uptime").ok()?)
}

fn parse_ticks(text: &str) -> Option<u64> {
    let (seconds, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    let (seconds, hundredths) = (
        seconds.parse::<u64>().ok()?,
        hundredths.parse::<u64>().ok()?,
    );
    Some(seconds * 100 + hundredths)
}

/// The user that a process belongs to.
pub(crate) fn owner(pid: u32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|it| it.uid())
}

/// Open files of a process; none where this user may not see them.
pub(crate) fn open_files(pid: u32) -> Option<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    Some(entries.count() as u64)
}

/// Threads of a process.
pub(crate) fn threads(pid: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.collect()
}

/// A socket that listens: its number, and connections that wait to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) inode: u64,
    pub(crate) waiting: u64,
}

/// Read at a time of the kernel's list of sockets: a few rows of it.
const FEW_ROWS: usize = 600;

/// The sockets that listen on a TCP port.
///
/// The kernel lists those that listen before all others (its `proc_net_tcp.rst`), and looks
/// for the others only as far as is read. Looking takes a millisecond, also where there are
/// none, so the list is read in small parts, and not past those that listen.
pub(crate) fn listeners(port: u16) -> Vec<Listener> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| File::open(path).ok())
        .flat_map(|file| parse_listeners(BufReader::with_capacity(FEW_ROWS, file), port))
        .collect()
}

fn parse_listeners(text: impl BufRead, port: u16) -> Vec<Listener> {
    /// The state of a socket that listens.
    const LISTEN: &str = "0A";
    let rows = text.lines().skip(1).map_while(Result::ok);
    let listening = rows.take_while(|row| row.split_whitespace().nth(3) == Some(LISTEN));
    let on_port = listening.filter_map(|row| {
        let fields: Vec<&str> = row.split_whitespace().collect();
        let (_, hex) = fields.get(1)?.rsplit_once(':')?;
        if u16::from_str_radix(hex, 16).ok()? != port {
            return None;
        }
        let (_, waiting) = fields.get(4)?.split_once(':')?;
        Some(Listener {
            inode: fields.get(9)?.parse().ok()?,
            waiting: u64::from_str_radix(waiting, 16).ok()?,
        })
    });
    on_port.collect()
}

/// Whether a process holds one of these sockets.
pub(crate) fn holds(pid: u32, sockets: &[Listener]) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links.into_iter().any(|link| {
        let link = link.to_string_lossy();
        let inode = link
            .strip_prefix("socket:[")
            .and_then(|it| it.strip_suffix(']'));
        let inode: Option<u64> = inode.and_then(|it| it.parse().ok());
        inode.is_some_and(|inode| sockets.iter().any(|socket| socket.inode == inode))
    })
}

/// Whether the environment that a process was started with holds this variable. One that
/// has written something else in its place, or may not be read, has not.
pub(crate) fn began_with(pid: u32, variable: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|own| own == variable.as_bytes())
}

/// A process and all that descend from it, itself first.
pub(crate) fn tree(pid: u32) -> Vec<Stat> {
    let all = all();
    let first = all.iter().filter(|it| it.pid == pid).copied();
    descendants(first.collect(), &all)
}

/// These processes and all of `all` that descend from them, those first.
pub(crate) fn descendants(mut tree: Vec<Stat>, all: &[Stat]) -> Vec<Stat> {
    let mut next = 0;
    while let Some(parent) = tree.get(next).map(|it| it.pid) {
        next += 1;
        let children = all.iter().filter(|it| it.parent == parent);
        let new: Vec<Stat> = children
            .filter(|child| tree.iter().all(|known| known.pid != child.pid))
            .copied()
            .collect();
        tree.extend(new);
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_is_no_obstacle() {
        let text = "7 (a) b (c)) S 3 5 5 0 -1 4194560 1 2 0 0 10 20 0 0 20 0 6 0 999 4096 123 x";
        let stat = parse(7, text).unwrap();
        assert_eq!((stat.state, stat.parent, stat.group), ('S', 3, 5));
        assert_eq!(
            (stat.ticks, stat.threads, stat.started, stat.pages),
            (30, 6, 999, 123)
        );
        assert_eq!(stat.addresses, 4096);
    }

    #[test]
    fn a_listening_socket_is_found_with_its_queue() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F40 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 4242 1\n\
             1: 0100007F:1F40 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1\n";
        let found = parse_listeners(text.as_bytes(), 8000);
        assert_eq!(
            found,
            [Listener {
                inode: 4242,
                waiting: 3
            }]
        );
        assert_eq!(parse_listeners(text.as_bytes(), 8001), []);
    }

    #[test]
    fn ticks_are_those_that_the_starts_of_processes_are_counted_in() {
        assert_eq!(parse_ticks("350735.07 234388.90\n"), Some(35_073_507));
        let own = stat(std::process::id()).unwrap();
        assert!(own.started <= ticks().unwrap());
        assert_eq!(boot().unwrap().len(), 36);
    }

    #[test]
    fn this_process_is_its_own_tree_and_ours() {
        let own = std::process::id();
        assert!(tree(own).iter().any(|it| it.pid == own && it.alive()));
        assert_eq!(owner(own), Some(rustix::process::geteuid().as_raw()));
        assert!(threads(own).contains(&own));
        assert!(open_files(own).is_some_and(|files| files > 0));
    }
}
