//! Files of operations: what is sent for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::server::{Request, ScriptedAnswer, Server};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop.toml")
}

/// The shop of the example.
fn shop(request: &Request) -> ScriptedAnswer {
    let json = |status: &str, headers: &str, body: &str| {
        ScriptedAnswer::text(&format!(
            "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        ))
    };
    let line = request.line();
    let user = request
        .text
        .lines()
        .find(|line| line.starts_with("authorization"));
    if line.starts_with("GET /items/") {
        json("200 OK", "", r#"{"price": 7}"#)
    } else if line.starts_with("POST /orders") {
        // The order's number is the user's token, so that steps can be told apart.
        let token = user.unwrap().rsplit(' ').next().unwrap();
        let chunked = format!(
            "HTTP/1.1 201 Created\r\netag: \"{token}\"\r\ntransfer-encoding: chunked\r\n\r\n\
             8\r\n{{\"id\": \"\r\n{:x}\r\n{token}\r\n2\r\n\"}}\r\n0\r\n\r\n",
            token.len()
        );
        ScriptedAnswer::text(&chunked).byte_by_byte()
    } else {
        json("204 No Content", "", "")
    }
}

fn load(server: &Server, file: &Path, flags: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .args(["load", &format!("http://{}/", server.address()), "--file"])
        .arg(file)
        .args(flags)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    // On a busy machine an open loop's measurement is invalid; what was sent is not.
    // Where nothing is as expected the code is 1.
    assert!(matches!(output.status.code(), Some(0 | 1 | 97)), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_operation_goes_from_step_to_step_with_what_it_captured() {
    let server = Server::start(shop);
    let table = load(
        &server,
        &example(),
        &["-n", "200", "-c", "4", "-H", "x-run: 7"],
    );
    assert!(table.contains("200 of 200 (100.00 %)"), "{table}");
    let requests = server.requests();
    assert!(requests.iter().all(|it| it.text.contains("x-run: 7\r\n")));
    let of = |start: &str| {
        let mut texts = requests.iter().map(|it| it.text.as_str());
        texts
            .by_ref()
            .filter(|text| text.starts_with(start))
            .collect::<Vec<_>>()
    };
    let (looks, orders, paid) = (of("GET /items/"), of("POST /orders"), of("PUT /orders/"));
    assert_eq!(
        (looks.len() + orders.len(), orders.len()),
        (200, paid.len())
    );
    // Weight 3 to 1: four standard deviations of 200 draws are 25.
    assert!((125..=175).contains(&looks.len()), "{}", looks.len());
    for text in paid {
        let (token, name) = if text.starts_with("PUT /orders/ada-1/paid ") {
            ("ada-1", "Ada")
        } else {
            ("bob-2", "Bob, the second")
        };
        assert!(text.contains(&format!("Bearer {token}\r\n")), "{text}");
        assert!(
            text.contains(&format!("if-match: \"{token}\"\r\n")),
            "{text}"
        );
        assert!(
            orders
                .iter()
                .any(|order| order.contains(&format!("of {name}\"}}")))
        );
    }
    // In turn: even numbers are the first user's.
    for text in orders {
        let number: u64 = text
            .split("order ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let user = if number.is_multiple_of(2) {
            "Ada"
        } else {
            "Bob"
        };
        assert!(text.contains(&format!("of {user}")), "{text}");
    }
}

#[test]
fn the_same_seed_asks_the_same_however_many_threads_share_it() {
    let asked = |threads: &str| {
        let server = Server::start(shop);
        load(
            &server,
            &example(),
            &[
                "-R",
                "2000",
                "-n",
                "100",
                "-t",
                threads,
                "--backlog",
                "1000",
            ],
        );
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for request in server.requests() {
            let line = request.line().to_owned();
            let body = request.text.rsplit("\r\n").next().unwrap().to_owned();
            *counts.entry(line + &body).or_default() += 1;
        }
        counts
    };
    assert_eq!(asked("1"), asked("3"));
}

/// A file of one operation with these lines in its only step.
fn one(folder: &TempDir, lines: &str) -> PathBuf {
    let file = folder.path().join("one.toml");
    let text = format!("[[operation]]\nname = \"one\"\n[[operation.step]]\n{lines}\n");
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn an_answer_that_fails_a_check_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_| {
        ScriptedAnswer::text(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nno",
        )
    });
    for (check, told) in [
        (r#"check = ["body: yes"]"#, "failed a check 5"),
        (
            r#"check = ["header content-type: json"]"#,
            "failed a check 5",
        ),
        (r#"capture = ["id = body /id"]"#, "failed a check 5"),
        (r#"check = ["status 201"]"#, "unexpected statuses 5"),
        (r#"check = ["status 403"]"#, "wrongly allowed 5"),
    ] {
        let file = one(&folder, &format!("request = \"GET /\"\n{check}"));
        let table = load(&server, &file, &["-n", "5", "-c", "1"]);
        assert!(table.starts_with("NOTHING SUCCEEDED"), "{check}: {table}");
        assert!(table.contains(told), "{check}: {table}");
    }
    let check = r#"check = ["status 404", "status 200", "header content-type: plain", "body: no"]"#;
    let file = one(&folder, &format!("request = \"GET /\"\n{check}"));
    let table = load(&server, &file, &["-n", "5", "-c", "1"]);
    assert!(table.contains("5 of 5 (100.00 %)"), "{table}");
}
