//! A server that answers each path with bytes of its own, whatever they are.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It waits for another request.
    Stays,
    /// It is closed.
    Closes,
    /// It is reset.
    Resets,
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) bytes: Vec<u8>,
    pub(super) after: After,
}

/// How long a connection may be silent: a bound for what a test left behind.
const SILENCE: Duration = Duration::from_secs(20);

/// Serves so many sites, each at its number's path: `/7`.
pub(super) fn serve(sites: Vec<Site>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sites: Arc<[Site]> = sites.into();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let sites = Arc::clone(&sites);
            thread::spawn(move || {
                let _ = connection.set_read_timeout(Some(SILENCE));
                let _ = answer(connection, &sites);
            });
        }
    });
    address
}

fn answer(mut connection: TcpStream, sites: &[Site]) -> std::io::Result<()> {
    loop {
        let Some(head) = head(&mut connection)? else {
            return Ok(());
        };
        let path = head.split(' ').nth(1).unwrap_or_default();
        let number: usize = path.trim_start_matches('/').parse().unwrap_or(usize::MAX);
        let Some(site) = sites.get(number) else {
            return Ok(());
        };
        connection.write_all(&site.bytes)?;
        match site.after {
            After::Stays => {}
            After::Closes => return connection.shutdown(Shutdown::Both),
            After::Resets => {
                let linger = rustix::net::sockopt::set_socket_linger;
                linger(&connection, Some(Duration::ZERO))?;
                return Ok(());
            }
        }
    }
}

/// The head of a request; none where the connection ends.
fn head(connection: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if connection.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}
