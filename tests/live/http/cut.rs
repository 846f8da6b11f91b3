//! Answers that end with an encrypted connection: with its word, or cut.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::curl::{curl, own};
use crate::https::authority;

/// The URL of a server that answers each connection's request so and closes; `word`: it
/// says so first, as TLS demands (RFC 8446, section 6.1).
fn serve(config: &Arc<ServerConfig>, answer: &'static str, word: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::clone(config);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, stream);
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0)
            {
                head.push(byte[0]);
            }
            let _ = stream.write_all(answer.as_bytes());
            if word {
                stream.conn.send_close_notify();
            }
            let _ = stream.flush();
        }
    });
    format!("https://localhost:{port}/")
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole_where_that_was_said() {
    let folder = tempfile::tempdir().unwrap();
    let config = Arc::new(authority(folder.path()));
    let authority = folder.path().join("ca.pem");
    let flags = ["--cacert", authority.to_str().unwrap()];
    for (answer, word, whole) in [
        ("HTTP/1.1 200 OK\r\n\r\nok", true, true),
        // Whoever cuts the connection cuts the answer (RFC 9112, section 9.8); curl does not
        // look whether that was said.
        ("HTTP/1.1 200 OK\r\n\r\nok", false, false),
        // Its length says that it is whole.
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            false,
            true,
        ),
    ] {
        let url = serve(&config, answer, word);
        let read = (curl(&url, &flags), own(&url, &flags));
        assert_eq!(read, (Some(200), whole.then_some(200)), "{answer:?} {word}");
    }
}
