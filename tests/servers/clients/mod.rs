//! Published clients of Toxiproxy drive the API, unchanged.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use threadbare::net::AllowedHosts;
use threadbare::proxy::{Api, Proxies, Settings};

use crate::echo::echo;

/// Where `./test` installs the clients.
fn installed(path: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let path = folder.join(path);
    assert!(
        path.exists(),
        "{} is missing: run `./test setup`, which installs Toxiproxy's clients there",
        path.display()
    );
    path
}

/// Runs a script with the API's address and that of an echo.
fn drives(program: &Path, script: &str) {
    let proxies = Arc::new(Proxies::new(Settings {
        seed: 1,
        connections_max: 100,
        allowed: AllowedHosts::default(),
    }));
    let any = "127.0.0.1:0".parse().unwrap();
    let api = Api::start(any, Arc::clone(&proxies)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/servers/clients")
        .join(script);
    let output = Command::new(program)
        .arg(script)
        .arg(api.address().to_string())
        .arg(echo().to_string())
        .env(
            "NODE_PATH",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("target/node/node_modules"),
        )
        .output();
    let output =
        output.unwrap_or_else(|cause| panic!("failed to start {}: {cause}", program.display()));
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "driven\n");
}

#[test]
fn the_python_client_drives_it() {
    drives(&installed("venv/bin/python"), "drive.py");
}

#[test]
fn the_node_client_drives_it() {
    installed("node/node_modules/toxiproxy-node-client");
    drives(Path::new("node"), "drive.cjs");
}
