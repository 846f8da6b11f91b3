//! The API by hand: statuses, bodies, and who is refused.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::{Value, json};
use threadbare::bounds::{LISTENER_CONNECTIONS_MAX, PROXY_API};
use threadbare::net::AllowedHosts;
use threadbare::proxy::{Api, Proxies, Settings};

use super::peers::{connect, round};
use crate::echo::echo;

fn api() -> (Api, Arc<Proxies>) {
    let proxies = Arc::new(Proxies::new(Settings {
        seed: 1,
        connections_max: 100,
        allowed: AllowedHosts::default(),
    }));
    let any = "127.0.0.1:0".parse().unwrap();
    (Api::start(any, Arc::clone(&proxies)).unwrap(), proxies)
}

/// Asks, and gives status and body.
fn ask(api: &Api, method: &str, path: &str, body: &Value) -> (u16, Value) {
    ask_with(api, method, path, &body.to_string(), &[])
}

fn ask_with(
    api: &Api,
    method: &str,
    path: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> (u16, Value) {
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build(),
    );
    let mut request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", api.address()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = agent.run(request.body(body.to_owned()).unwrap()).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn listen_of(proxy: &Value) -> SocketAddr {
    proxy["listen"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_proxy_and_a_toxic_live_and_end() {
    let (api, _proxies) = api();
    let upstream = echo().to_string();
    let draft = json!({ "name": "db", "listen": "localhost:0", "upstream": upstream });
    let (status, created) = ask(&api, "POST", "/proxies", &draft);
    assert_eq!(status, 201);
    let listen = created["listen"].clone();
    assert_eq!(
        created,
        json!({
            "name": "db", "listen": listen, "upstream": upstream, "enabled": true,
            "mode": "tcp", "toxics": []
        })
    );
    round(&mut connect(listen_of(&created)));

    let sent = json!({ "type": "latency", "attributes": { "latency": 5 } });
    let toxic = json!({
        "name": "latency_downstream", "type": "latency", "stream": "downstream",
        "toxicity": 1.0, "attributes": { "latency": 5, "jitter": 0 }
    });
    let toxics = "/proxies/db/toxics";
    let one = "/proxies/db/toxics/latency_downstream";
    assert_eq!(ask(&api, "POST", toxics, &sent), (200, toxic.clone()));
    assert_eq!(
        ask(&api, "GET", toxics, &Value::Null),
        (200, json!([toxic]))
    );
    assert_eq!(ask(&api, "GET", one, &Value::Null), (200, toxic));
    let (_, updated) = ask(
        &api,
        "PATCH",
        one,
        &json!({ "attributes": { "jitter": 2 } }),
    );
    assert_eq!(updated["attributes"], json!({ "latency": 5, "jitter": 2 }));
    let (_, all) = ask(&api, "GET", "/proxies", &Value::Null);
    assert_eq!(all["db"]["toxics"], json!([updated]));

    assert_eq!(ask(&api, "DELETE", one, &Value::Null), (204, Value::Null));
    assert_eq!(ask(&api, "DELETE", "/proxies/db", &Value::Null).0, 204);
    assert!(TcpStream::connect(listen_of(&created)).is_err());
    let (status, version) = ask(&api, "GET", "/version", &Value::Null);
    assert_eq!((status, version["version"].is_string()), (200, true));
}

#[test]
fn refusals_have_toxiproxys_statuses_and_words() {
    let (api, _proxies) = api();
    let upstream = echo().to_string();
    let draft = json!({ "name": "db", "upstream": upstream });
    assert_eq!(ask(&api, "POST", "/proxies", &draft).0, 201);
    for (method, path, body, status, told) in [
        (
            "POST",
            "/proxies",
            draft.clone(),
            409,
            "proxy already exists",
        ),
        (
            "POST",
            "/proxies",
            json!({ "upstream": upstream }),
            400,
            "missing required field: name",
        ),
        (
            "POST",
            "/proxies",
            json!({ "name": "x" }),
            400,
            "missing required field: upstream",
        ),
        ("GET", "/proxies/x", Value::Null, 404, "proxy not found"),
        (
            "POST",
            "/proxies/x/toxics",
            json!({}),
            404,
            "proxy not found",
        ),
        ("DELETE", "/proxies/x", Value::Null, 404, "proxy not found"),
        (
            "GET",
            "/proxies/db/toxics/x",
            Value::Null,
            404,
            "toxic not found",
        ),
        (
            "POST",
            "/proxies/db/toxics",
            json!({ "type": "x" }),
            400,
            "invalid toxic type",
        ),
        (
            "POST",
            "/proxies/db/toxics",
            json!({ "type": "latency", "stream": "x" }),
            400,
            "stream was invalid, can be either upstream or downstream",
        ),
        ("GET", "/x", Value::Null, 404, "there is no such route"),
        (
            "PUT",
            "/proxies",
            Value::Null,
            405,
            "PUT is not possible here",
        ),
    ] {
        let expected = json!({ "error": told, "status": status });
        assert_eq!(ask(&api, method, path, &body), (status, expected), "{path}");
    }
    let sent = json!({ "type": "timeout" });
    assert_eq!(ask(&api, "POST", "/proxies/db/toxics", &sent).0, 200);
    let (status, answer) = ask(&api, "POST", "/proxies/db/toxics", &sent);
    assert_eq!(
        (status, answer["error"] == "toxic already exists"),
        (409, true)
    );
}

#[test]
fn what_cannot_be_is_told() {
    let (api, _proxies) = api();
    let draft = json!({ "name": "db", "upstream": echo().to_string() });
    assert_eq!(ask(&api, "POST", "/proxies", &draft).0, 201);
    for (path, body, part) in [
        ("/proxies", "{", "bad request body: "),
        ("/proxies/db/toxics", "[]", "bad request body: "),
        (
            "/proxies/db/toxics",
            r#"{"type":"latency","attributes":{"latency":-5}}"#,
            "bad request body: ",
        ),
        (
            "/proxies/db/toxics",
            r#"{"type":"http_abort"}"#,
            "needs HTTP",
        ),
        (
            "/proxies",
            r#"{"name":"x","upstream":"192.0.2.1:80"}"#,
            "--allow-host 192.0.2.1",
        ),
        (
            "/proxies",
            r#"{"name":"x","listen":"0.0.0.0:0","upstream":"127.0.0.1:1"}"#,
            "--allow-host 0.0.0.0",
        ),
    ] {
        let (status, answer) = ask_with(&api, "POST", path, body, &[]);
        assert_eq!(status, 400, "{body}");
        let told = answer["error"].as_str().unwrap();
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn strangers_are_refused() {
    let (api, _proxies) = api();
    for (name, value) in [
        ("origin", "http://example.com"),
        ("origin", "null"),
        ("user-agent", "Mozilla/5.0"),
        ("host", "example.com"),
        ("host", "localhost.example.com:8474"),
    ] {
        let (status, _) = ask_with(&api, "POST", "/reset", "", &[(name, value)]);
        assert_eq!(status, 403, "{name}: {value}");
    }
    assert_eq!(ask(&api, "POST", "/reset", &Value::Null).0, 204);
    let elsewhere = "0.0.0.0:0".parse().unwrap();
    let proxies = Arc::new(Proxies::new(Settings {
        seed: 1,
        connections_max: 1,
        allowed: AllowedHosts::default(),
    }));
    assert!(Api::start(elsewhere, proxies).is_err());
}

#[test]
fn populate_is_whole_or_not_at_all() {
    let (api, _proxies) = api();
    let upstream = echo().to_string();
    let first = json!([
        { "name": "a", "listen": "127.0.0.1:0", "upstream": upstream },
        { "name": "b", "listen": "127.0.0.1:0", "upstream": upstream, "enabled": false }
    ]);
    let (status, answer) = ask(&api, "POST", "/populate", &first);
    assert_eq!(status, 201);
    assert_eq!(answer["proxies"][1]["enabled"], false);
    let address = listen_of(&answer["proxies"][0]);
    let mut stream = connect(address);
    round(&mut stream);
    // Again: what does not differ stays as it is, with its connections.
    assert_eq!(ask(&api, "POST", "/populate", &first).0, 201);
    round(&mut stream);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_, before) = ask(&api, "GET", "/proxies", &Value::Null);
    let port = taken.local_addr().unwrap().to_string();
    for wrong in [
        json!([{ "name": "c", "upstream": upstream }, { "name": "d", "upstream": "no" }]),
        json!([{ "name": "c", "upstream": upstream }, { "name": "c", "upstream": upstream }]),
        json!([{ "name": "c", "upstream": upstream }, { "name": "a", "upstream": "127.0.0.1:1", "listen": "127.0.0.1:0" }, { "name": "d", "listen": port, "upstream": upstream }]),
        json!([{ "name": "c", "upstream": upstream }, { "upstream": upstream }]),
    ] {
        let (status, answer) = ask(&api, "POST", "/populate", &wrong);
        assert!(status == 400 || status == 500, "{answer}");
        assert!(answer["error"].is_string());
        let (_, after) = ask(&api, "GET", "/proxies", &Value::Null);
        assert_eq!(before, after);
    }
    round(&mut stream);
}

#[test]
fn reset_brings_everything_up_and_takes_every_fault() {
    let (api, _proxies) = api();
    let upstream = echo().to_string();
    let draft = json!({ "name": "a", "upstream": upstream });
    let (_, created) = ask(&api, "POST", "/proxies", &draft);
    ask(
        &api,
        "POST",
        "/proxies/a/toxics",
        &json!({ "type": "reset_peer" }),
    );
    let down = json!({ "enabled": false });
    assert_eq!(ask(&api, "POST", "/proxies/a", &down).1["enabled"], false);
    assert!(TcpStream::connect(listen_of(&created)).is_err());
    assert_eq!(ask(&api, "POST", "/reset", &Value::Null).0, 204);
    assert_eq!(ask(&api, "GET", "/proxies/a", &Value::Null).1, created);
    round(&mut connect(listen_of(&created)));
    // Elsewhere: another target, another port; the faults stay.
    ask(
        &api,
        "POST",
        "/proxies/a/toxics",
        &json!({ "type": "slow_close" }),
    );
    let other = echo().to_string();
    let (_, moved) = ask(&api, "PATCH", "/proxies/a", &json!({ "upstream": other }));
    assert_eq!(
        (&moved["upstream"], &moved["listen"]),
        (&json!(other), &created["listen"])
    );
    round(&mut connect(listen_of(&moved)));
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().to_string();
    assert_eq!(
        ask(&api, "POST", "/proxies/a", &json!({ "listen": port })).0,
        500
    );
    drop(free);
    let (_, moved) = ask(&api, "POST", "/proxies/a", &json!({ "listen": port }));
    assert_eq!(moved["toxics"][0]["type"], "slow_close");
    round(&mut connect(listen_of(&moved)));
    assert!(TcpStream::connect(listen_of(&created)).is_err());
}

#[test]
fn connections_that_say_half_of_it_keep_nobody_out() {
    let (api, _proxies) = api();
    let mut open = Vec::new();
    for said in [
        "",
        "GET /version HT",
        "POST /populate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n[",
    ] {
        for _ in 0..3 * LISTENER_CONNECTIONS_MAX {
            let mut stream = connect(api.address());
            // It may have been closed already for the next.
            let _ = stream.write_all(said.as_bytes());
            open.push(stream);
        }
        assert_eq!(ask(&api, "GET", "/version", &json!({})).0, 200, "{said}");
    }
    let long = " ".repeat(PROXY_API.length_max() + 1);
    let (status, told) = ask_with(&api, "POST", "/populate", &long, &[]);
    assert_eq!(status, 413);
    assert!(
        told["error"]
            .as_str()
            .unwrap()
            .contains("longer than 1 MiB"),
        "{told}"
    );
}
