//! A machine that lacks what attempts need.

use std::process::Command;

use super::{Load, Summary, server};
use crate::server::{ScriptedAnswer, Server, Then};

/// Set in the process that has a network of its own.
const INSIDE: &str = "THREADBARE_TEST_FEW_PORTS";

fn count(summary: &Summary, cause: &str) -> u64 {
    let failures = summary.json["failures"].as_array().cloned();
    let mut own = failures.unwrap_or_default().into_iter();
    own.find(|it| it["cause"] == cause)
        .map_or(0, |it| it["count"].as_u64().unwrap())
}

#[test]
fn too_few_descriptors() {
    let server = server(20);
    for flags in ["-R 2000 -c 500 -d 1s", "-c 500 -d 1s"] {
        let wrapper = ["sh", "-c", "ulimit -n 40; exec \"$0\" \"$@\""];
        let summary = Load::start(&wrapper, &server, flags).end();
        summary.is_invalid().adds_up();
        assert!(count(&summary, "no_descriptor") > 0, "{}", summary.json);
        assert!(summary.reasons().contains("file descriptor"));
    }
}

/// Each look-up of a name takes two seconds: a library in front of the system's. Names are
/// looked up before the load begins, and not again where each operation connects anew.
#[test]
fn a_slow_resolver() {
    const SLOW: &str = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <netdb.h>\n\
        #include <unistd.h>\n\
        typedef int look(const char *, const char *, const struct addrinfo *, struct addrinfo **);\n\
        int getaddrinfo(const char *n, const char *s, const struct addrinfo *h, struct addrinfo **r) {\n\
        write(2, \"looked up\\n\", 10); sleep(2);\n\
        return ((look *)dlsym(RTLD_NEXT, \"getaddrinfo\"))(n, s, h, r); }\n";
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("slow.c"), folder.path().join("slow.so"));
    std::fs::write(&source, SLOW).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    assert!(built.unwrap().success());
    let preload = format!("LD_PRELOAD={}", library.display());
    let server = Server::start(|_| ScriptedAnswer::status(200).then(Then::Close));
    let url = format!("http://localhost:{}/", server.address().port());
    for flags in ["-R 100 -d 2s", "-c 4 -d 1s"] {
        let load = Load::of(&["env", &preload], &url, flags);
        let (summary, error) = load.end_with_error();
        assert!(error.contains("looked up"), "{error}");
        assert_eq!(summary.code, Some(0), "{}", summary.json);
        summary.adds_up();
        summary.serves_within(100.0);
    }
}

/// In a network of its own with sixteen local ports.
#[test]
fn too_few_local_ports() {
    if std::env::var_os(INSIDE).is_some() {
        return with_few_ports();
    }
    let own = "load::owners::lacking::too_few_local_ports";
    let few = "ip link set lo up && echo '50000 50015' > \
               /proc/sys/net/ipv4/ip_local_port_range && exec \"$0\" \"$@\"";
    let exe = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["-rn", "sh", "-c", few])
        .arg(exe)
        .args([own, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && !text.contains("running 1 test") {
        // A machine that allows nobody a network of their own.
        return println!("not tested: {error}");
    }
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{error}"
    );
}

fn with_few_ports() {
    let server = Server::start(|_| ScriptedAnswer::never());
    let summary = Summary::of(&server, "-R 200 -c 500 -d 500ms --timeout 1s");
    summary.is_invalid().adds_up();
    assert!(count(&summary, "no_port") > 0, "{}", summary.json);
    assert!(summary.reasons().contains("local port"));
}
