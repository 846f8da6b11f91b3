//! What may be a secret is written nowhere: one function, and a table of what it meets.

use std::fs;
use std::process::Command;

use threadbare::model::{redact, secret};

/// The secret of every case. What is written must not hold it, nor any half of it.
const SECRET: &str = "hunter2";

/// What goes in, and what is written.
const TEXTS: [(&str, &str); 76] = [
    // Users and passwords before a host.
    ("http://admin:hunter2@db/", "http://***@db/"),
    (
        "https://hunter2@host:8443/a?b=c",
        "https://***@host:8443/a?b=c",
    ),
    (
        "see http://u:hunter2@h/x, then y",
        "see http://***@h/x, then y",
    ),
    ("(http://u:hunter2@h)", "(http://***@h)"),
    ("http://u:p/hunter2@h/", "http://***@h/"),
    ("http://u:p#hunter2@h/", "http://***@h/"),
    ("http://a@b:hunter2@h/", "http://***@h/"),
    ("ftp://u:hunter2@h", "ftp://***@h"),
    // Addresses of databases, queues and caches.
    (
        "postgres://app:hunter2@db:5432/shop",
        "postgres://***@db:5432/shop",
    ),
    (
        "postgresql+psycopg://app:hunter2@/shop",
        "postgresql+psycopg://***@/shop",
    ),
    (
        "mysql://root:hunter2@127.0.0.1/shop",
        "mysql://***@127.0.0.1/shop",
    ),
    ("redis://:hunter2@cache:6379/0", "redis://***@cache:6379/0"),
    ("amqp://guest:hunter2@mq/%2f", "amqp://***@mq/%2f"),
    (
        "mongodb+srv://u:hunter2@c.test/?w=1",
        "mongodb+srv://***@c.test/?w=1",
    ),
    (
        "app:hunter2@tcp(127.0.0.1:3306)/shop",
        "app:***@tcp(127.0.0.1:3306)/shop",
    ),
    ("app:hunter2@db:5432/shop", "app:***@db:5432/shop"),
    (
        "host=db user=app password=hunter2 dbname=shop",
        "host=db user=app password=(not shown) dbname=shop",
    ),
    (
        "jdbc:postgresql://db/shop?user=app&password=hunter2",
        "jdbc:postgresql://db/shop?user=app&password=***",
    ),
    (
        "Server=db;Password=hunter2",
        "Server=db;Password=(not shown)",
    ),
    ("db:5432:shop:app:hunter2", "db:5432:shop:app:(not shown)"),
    ("*:*:*:app:hunter2", "*:*:*:app:(not shown)"),
    // Queries.
    ("GET /health?token=hunter2", "GET /health?token=***"),
    ("/a?x=1&api_key=hunter2&y=2", "/a?x=1&api_key=***&y=2"),
    ("http://h/p?sig=hunter2#top", "http://h/p?sig=***#top"),
    (
        "http://h/p?X-Amz-Signature=hunter2",
        "http://h/p?X-Amz-Signature=***",
    ),
    (
        "http://h/?access_token=hunter2 was refused",
        "http://h/?access_token=*** was refused",
    ),
    ("\"http://h/?key=hunter2\"", "\"http://h/?key=***\""),
    (
        "failed to read http://h/x?token=hunter2: refused",
        "failed to read http://h/x?token=***: refused",
    ),
    (
        "push API_TOKEN=hunter2, BROKEN=yes",
        "push API_TOKEN=(not shown), BROKEN=yes",
    ),
    // Fields of HTTP.
    (
        "Authorization: Bearer hunter2",
        "Authorization: (not shown)",
    ),
    ("authorization:Basic hunter2==", "authorization:(not shown)"),
    (
        "Proxy-Authorization: Digest username=\"x\", response=\"hunter2\"",
        "Proxy-Authorization: (not shown)",
    ),
    ("Cookie: a=b; session=hunter2", "Cookie: (not shown)"),
    ("set-cookie: id=hunter2; Path=/", "set-cookie: (not shown)"),
    ("x-api-key: hunter2", "x-api-key: (not shown)"),
    ("X-Auth-Token:hunter2", "X-Auth-Token:(not shown)"),
    (
        "accept: */*\nauthorization: Bearer hunter2\nhost: h",
        "accept: */*\nauthorization: (not shown)\nhost: h",
    ),
    (
        "curl -H \"Authorization: Bearer hunter2\" http://h/",
        "curl -H \"Authorization: (not shown)\" http://h/",
    ),
    (
        "curl -H 'X-Api-Key: hunter2' http://h/",
        "curl -H 'X-Api-Key: (not shown)' http://h/",
    ),
    // Flags.
    (
        "serve --password hunter2 --port 80",
        "serve --password (not shown) --port 80",
    ),
    ("serve --api-token=hunter2", "serve --api-token=(not shown)"),
    (
        "serve --secret 'my hunter2'",
        "serve --secret '(not shown)'",
    ),
    (
        "curl -u admin:hunter2 http://h/",
        "curl -u admin:(not shown) http://h/",
    ),
    (
        "curl --user admin:hunter2 http://h/",
        "curl --user admin:(not shown) http://h/",
    ),
    (
        "curl -uadmin:hunter2 http://h/",
        "curl -u(not shown) http://h/",
    ),
    (
        "curl -u'admin:my hunter2' http://h/",
        "curl -u'(not shown)' http://h/",
    ),
    (
        "curl -sSu admin:hunter2 http://h/",
        "curl -sSu (not shown) http://h/",
    ),
    (
        "curl -b 'a=1; JSESSIONID=hunter2' http://h/",
        "curl -b '(not shown)' http://h/",
    ),
    ("curl -bJSESSIONID=hunter2", "curl -b(not shown)"),
    (
        "curl --cookie JSESSIONID=hunter2 http://h/",
        "curl --cookie (not shown) http://h/",
    ),
    (
        "docker login -u me -p hunter2 registry.test",
        "docker login -u me -p (not shown) registry.test",
    ),
    (
        "mongosh -u me -p hunter2 shop",
        "mongosh -u me -p (not shown) shop",
    ),
    ("ldapsearch -xw hunter2", "ldapsearch -xw (not shown)"),
    ("zip -rP hunter2 a.zip a", "zip -rP (not shown) a.zip a"),
    (
        "openssl rsa -passin pass:hunter2 -in a",
        "openssl rsa -passin (not shown) -in a",
    ),
    ("sshpass -phunter2 ssh h", "sshpass -p(not shown) ssh h"),
    ("sshpass -p hunter2 ssh h", "sshpass -p (not shown) ssh h"),
    (
        "mysql -uroot -phunter2 shop",
        "mysql -uroot -p(not shown) shop",
    ),
    (
        "/usr/bin/redis-cli -a hunter2 ping",
        "/usr/bin/redis-cli -a (not shown) ping",
    ),
    (
        "docker run -e DB_PASSWORD=hunter2 app",
        "docker run -e DB_PASSWORD=(not shown) app",
    ),
    // The environment.
    ("API_TOKEN=hunter2", "API_TOKEN=(not shown)"),
    ("PGPASSWORD=hunter2 psql", "PGPASSWORD=(not shown) psql"),
    ("PGPASS=hunter2", "PGPASS=(not shown)"),
    (
        "export AWS_SECRET_ACCESS_KEY=\"hunter2\"",
        "export AWS_SECRET_ACCESS_KEY=\"(not shown)\"",
    ),
    (
        "DB_PASSWORD = \"hunter2\" # a line of TOML",
        "DB_PASSWORD = \"(not shown)\" # a line of TOML",
    ),
    (
        "env = { DB_PASSWORD = \"hunter2\" }",
        "env = { DB_PASSWORD = \"(not shown)\" }",
    ),
    ("MYSQL_PWD=hunter2", "MYSQL_PWD=(not shown)"),
    // Captures, bodies and last words.
    (
        "{\"user\":\"a\",\"password\":\"hunter2\"}",
        "{\"user\":\"a\",\"password\":\"(not shown)\"}",
    ),
    (
        "{\\\"token\\\": \\\"hunter2\\\"}",
        "{\\\"token\\\": \\\"(not shown)\\\"}",
    ),
    (
        "and said: password: hunter2",
        "and said: password: (not shown)",
    ),
    (
        "it exited with 1 and said: token=hunter2",
        "it exited with 1 and said: token=(not shown)",
    ),
    (
        "used the Bearer hunter2 and failed",
        "used the Bearer (not shown) and failed",
    ),
    // Errors of libraries.
    (
        "failed to connect to postgres://a:hunter2@h/d: refused",
        "failed to connect to postgres://***@h/d: refused",
    ),
    (
        "invalid header `authorization: Bearer hunter2`",
        "invalid header `authorization: (not shown)",
    ),
    (
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----(not shown)-----END RSA PRIVATE KEY-----",
    ),
    // Left out already.
    (
        "password=(not shown) and http://***@h/?token=***",
        "password=(not shown) and http://***@h/?token=***",
    ),
];

/// What has the shape of a secret, whatever stands before it.
const SHAPES: [&str; 8] = [
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "ghp_0123456789abcdefghij0123456789abcdef",
    "github_pat_0123456789abcdefghij",
    "glpat-0123456789abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA0123456789abcdefghij",
    "xoxb-0123456789-abcdefghij",
    "sk_live_0123456789abcdefghij",
];

/// What is no secret, and stays as it is.
const HARMLESS: [&str; 30] = [
    "http://127.0.0.1:8080/users/@me",
    "http://[::1]:80/a;csv",
    "postgres://db:5432/shop",
    "git@github.com:owner/repository",
    "send it to ops@shop.test",
    "push authorization.verification=detached",
    "failed to read the key: no such file",
    "the pass: it took 3 s",
    "its status is exit status: 7",
    "a token is missing",
    "cookies: yes",
    "keep-alive: timeout=5",
    "busy = app_busy{pool=\"web\"}",
    "16:01:19 bis 16:02",
    "error share > 50 % for 30s",
    "constant(1ms)",
    "load.rate=500/s",
    "accept: */*",
    "basic authentication is asked for",
    "bearer authentication",
    "a == b, token == d",
    "std::fs::read",
    "--password",
    // Flags that are a secret's with another program.
    "docker run -p 80:80 shop",
    "mysql -p shop",
    "mongosh -p",
    "curl -sS http://h/",
    "cp -b a b",
    // A usage, which says what it asks for.
    "Usage: threadbare run --set <KEY=VALUE> <SCENARIO>",
    "for '--axis <KEY=A..B>': it has no end",
];

#[test]
fn nothing_of_the_table_is_written() {
    for (given, written) in TEXTS {
        let shown = redact::text(given);
        assert_eq!(shown, written, "of {given}");
        assert!(!shown.contains(SECRET), "{shown}");
        // Once is enough: what was written is read and written again.
        assert_eq!(redact::text(&shown), shown, "again");
        // Places stay what they are.
        let starred = redact::starred(given);
        assert_eq!(starred.len(), given.len());
        assert!(!starred.contains(SECRET), "{starred}");
        // And the same within a document.
        let document = serde_json::json!({ "text": given, "other": 1 }).to_string();
        let read: serde_json::Value = serde_json::from_str(&redact::json(&document)).unwrap();
        assert_eq!(read, serde_json::json!({ "text": written, "other": 1 }));
    }
}

#[test]
fn what_has_the_shape_of_a_secret_is_one() {
    for secret in SHAPES {
        for given in [
            secret.to_owned(),
            format!("SESSION={secret}"),
            format!("it said {secret}."),
            format!("http://h/?x={secret}&y=1"),
        ] {
            let shown = redact::text(&given);
            assert!(!shown.contains(&secret[6..]), "{shown}");
        }
    }
}

#[test]
fn what_is_no_secret_stays_as_it_is() {
    for text in HARMLESS {
        assert_eq!(redact::text(text), text);
    }
}

#[test]
fn words_of_a_command_are_looked_at_one_by_one() {
    for (words, written) in [
        (
            &["serve", "--port=1", "--api-token=hunter2"][..],
            "serve --port=1 --api-token=(not shown)",
        ),
        (
            &["serve", "--password", "my hunter2"],
            "serve --password (not shown)",
        ),
        (
            &["serve", "--password=my hunter2"],
            "serve --password=(not shown)",
        ),
        (
            &["curl", "-H", "Authorization: Bearer hunter2", "http://h/"],
            "curl -H Authorization: (not shown) http://h/",
        ),
        (
            &["curl", "-u", "admin:hunter2", "http://h/"],
            "curl -u admin:(not shown) http://h/",
        ),
        (
            &["env", "TOKEN=hunter2", "serve"],
            "env TOKEN=(not shown) serve",
        ),
        (&["sudo", "mysql", "-phunter2"], "sudo mysql -p(not shown)"),
        // A value with blanks is one word, and so is the secret.
        (
            &["curl", "-b", "a=1; JSESSIONID=hunter2", "http://h/"],
            "curl -b (not shown) http://h/",
        ),
        (
            &["curl", "-uadmin:my hunter2", "http://h/"],
            "curl -u(not shown) http://h/",
        ),
        (
            &["curl", "-u", "admin:my hunter2", "http://h/"],
            "curl -u admin:(not shown) http://h/",
        ),
        (
            &["docker", "login", "-p", "my hunter2", "registry.test"],
            "docker login -p (not shown) registry.test",
        ),
        (
            &["docker", "run", "-p", "80:80", "shop"],
            "docker run -p 80:80 shop",
        ),
        (
            &["psql", "postgres://a:hunter2@h/d"],
            "psql postgres://***@h/d",
        ),
        (
            &["serve", "--token", "--verbose"],
            "serve --token --verbose",
        ),
    ] {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(secret::command(&words), written);
    }
}

/// Who is asked whether a command may run sees all that it would do.
#[test]
fn a_command_that_is_asked_for_is_shown_whole() {
    for (words, written) in [
        (
            &["sh", "-c", "token=1; touch X"][..],
            "sh -c 'token=(not shown); touch X'",
        ),
        (
            &["sh", "-c", "token=$(touch X)"],
            "sh -c 'token=$(touch X)'",
        ),
        (
            &["sh", "-c", "curl -H \"Authorization: a`touch X`\""],
            "sh -c 'curl -H \"Authorization: (not shown)`touch X`\"'",
        ),
        (
            &["sh", "-c", "password='a'; touch X"],
            "sh -c 'password=(not shown); touch X'",
        ),
        (
            &["sh", "-c", "curl http://u:$(touch X)@h/"],
            "sh -c 'curl http://u:$(touch X)@h/'",
        ),
        (
            &["deploy", "--token", "hunter2", "v 1"],
            "deploy --token '(not shown)' 'v 1'",
        ),
        (
            &["deploy", "--token", "x; touch X"],
            "deploy --token '(not shown); touch X'",
        ),
    ] {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(secret::command_in_full(&words), written);
    }
}

#[test]
fn the_environment_is_told_by_names_and_by_values() {
    for (name, value, written) in [
        ("API_KEY", "x", "(not shown)"),
        ("PGPASS", "x", "(not shown)"),
        ("ROLE_CHECK", "awaited", "awaited"),
        (
            "DATABASE_URL",
            "postgres://a:hunter2@h/d",
            "postgres://***@h/d",
        ),
        ("SESSION", SHAPES[0], "(not shown)"),
        ("PASSWORD", "", ""),
    ] {
        assert_eq!(secret::shown(name, value), written, "{name}");
    }
}

/// A mistake beside a secret shows the line, and not the secret.
#[test]
fn errors_of_check_show_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let text = "title = \"x\"\nclaim = \"x\"\nend = \"3s\"\n[target]\n\
                url = \"http://admin:hunter2@127.0.0.1:8000\"\n\
                command = [\"serve\", \"--password\", \"hunter2\"]\n\
                env = { DB_PASSWORD = \"hunter2\", X = 1 }\n[load]\nrate = \"50/s\"\n";
    fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_threadbare"))
        .arg("check")
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("DB_PASSWORD"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
}
