//! One rule and one flag for which host may be sent to, in every command that sends.
//! `threadbare run` asks for the scenario's word too: tests/live/target/.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

fn threadbare(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), text)
}

#[test]
fn another_machine_is_refused_in_the_same_words_by_every_command() {
    // 192.0.2.0/24 is for documentation (RFC 5737); its address as one number is no way in.
    for (host, known) in [("192.0.2.1", ""), ("3221225985", " 192.0.2.1,")] {
        let (url, place) = (format!("http://{host}/"), format!("{host}:80"));
        for arguments in [
            &["load", &url][..],
            &["gauges", &url],
            &["occupy", &place],
            &["proxy", "--no-api", "--listen", ":0", "--to", &place],
        ] {
            for near in ["192.0.2", "192.0.2.10", "*"] {
                let (code, said) = threadbare(&[arguments, &["--allow-host", near]].concat());
                assert_eq!(code, Some(2), "{arguments:?}: {said}");
                let told = format!(
                    "{host} is{known} not this machine's loopback; if you may use it, allow it \
                     with --allow-host {host}"
                );
                assert!(said.contains(&told), "{arguments:?}: {said}");
            }
        }
    }
}

#[test]
fn a_host_that_is_named_is_sent_to_and_the_older_flag_is_taken() {
    // 0.0.0.0 leads to this machine, but has to be named like any other host.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nbusy 1\n");
        }
    });
    let url = format!("http://0.0.0.0:{port}/");
    for arguments in [
        &["load", &url, "-n", "1", "--allow-host", "0.0.0.0"][..],
        &["load", &url, "-n", "1", "--allow", "0.0.0.0"],
        &["gauges", &url, "--busy", "busy", "--allow-host", "0.0.0.0"],
    ] {
        let (code, said) = threadbare(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
    }
}
