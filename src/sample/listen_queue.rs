//! The queue of a listening socket: connections that nobody has accepted yet.
//!
//! The kernel keeps it whatever the program does, so it tells of a program that
//! can no longer tell anything itself. It is the column `rx_queue` of a socket in
//! the state LISTEN (`ss -lt` calls it Recv-Q). A server that accepts everything
//! and queues inside has an empty one, however exhausted it is.

use std::fs;

/// LISTEN, among the states of TCP (`include/net/tcp_states.h`).
const LISTEN: &str = "0A";

/// Connections that wait to be accepted on this port, on whatever address,
/// seen from a process's network or else from ours; none where nothing listens.
///
/// # Errors
///
/// The cause, in a clause, where the kernel's tables cannot be read.
pub(super) fn waiting(pid: Option<u32>, port: u16) -> Result<Option<u64>, String> {
    let whose = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let mut waiting = None;
    let mut failed = None;
    for table in ["tcp", "tcp6"] {
        match fs::read_to_string(format!("/proc/{whose}/net/{table}")) {
            Ok(text) => {
                for own in queues(&text, port) {
                    *waiting.get_or_insert(0) += own;
                }
            }
            // A kernel without IPv6 has no such table.
            Err(cause) if table == "tcp" => failed = Some(cause),
            Err(_) => {}
        }
    }
    match failed {
        Some(cause) => Err(format!(
            "failed to read the kernel's table of sockets: {cause}"
        )),
        None => Ok(waiting),
    }
}

/// The queue of each socket that listens on the port (`proc_net_tcp` in the
/// kernel's documentation: place, local and remote address, state, `tx:rx`).
fn queues(table: &str, port: u16) -> impl Iterator<Item = u64> {
    table.lines().skip(1).filter_map(move |line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let (_, own) = columns.next()?.rsplit_once(':')?;
        let state = columns.nth(1)?;
        let (_, queue) = columns.next()?.split_once(':')?;
        let here = u16::from_str_radix(own, 16).ok()? == port && state == LISTEN;
        here.then(|| u64::from_str_radix(queue, 16).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        // As Linux 6.1 wrote it, with twelve connections waiting on port 38000.
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when\n   \
            0: 0100007F:9470 00000000:0000 0A 00000000:0000000C 00:00000000 00000000     0\n   \
            1: 0100007F:9470 0100007F:1234 01 00000000:00000063 00:00000000 00000000     0\n   \
            2: 00000000:07E8 00000000:0000 0A 00000000:00000001 00:00000000 00000000     0\ntorn";
        assert_eq!(queues(table, 38000).collect::<Vec<_>>(), [12]);
        assert_eq!(queues(table, 1).count(), 0);
    }

    #[test]
    fn what_nobody_accepts_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(waiting(None, address.port()), Ok(Some(0)));
        let _kept: Vec<_> = (0..3)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let own = Some(std::process::id());
        assert_eq!(waiting(own, address.port()), Ok(Some(3)));
        listener.accept().unwrap();
        assert_eq!(waiting(None, address.port()), Ok(Some(2)));
        drop(listener);
        assert_eq!(waiting(None, address.port()), Ok(None));
    }
}
