//! What packaging/ holds: manifests that Kubernetes' published schemas allow, a unit that systemd
//! reads, and no argument that the program does not have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::run::threadbare;
use crate::server::installed;

fn packaged(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("packaging")
        .join(name)
}

fn said(output: &Output) -> String {
    let all = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// What the published schemas say of a manifest; none where they allow it.
fn refused(manifest: &Path) -> Option<String> {
    let output = Command::new(installed("kubernetes-validate"))
        .args(["--strict"])
        .arg(manifest)
        .output()
        .unwrap_or_else(|cause| panic!("{cause}; `./test setup` installs it"));
    (!output.status.success()).then(|| said(&output))
}

#[test]
fn manifests_are_what_the_published_schemas_of_kubernetes_allow() {
    let manifest = packaged("kubernetes/agents.yaml");
    assert_eq!(refused(&manifest), None);
    // What they do not allow is found.
    let text = fs::read_to_string(&manifest).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (right, wrong) in [
        ("replicas: 4", "replicas: four"),
        ("readOnly: true", "readonly: true"),
        ("secretName:", "secret_name:"),
    ] {
        assert!(text.contains(right), "{right}");
        let file = folder.path().join("wrong.yaml");
        fs::write(&file, text.replacen(right, wrong, 1)).unwrap();
        assert!(refused(&file).is_some(), "{wrong}");
    }
}

/// What systemd says of a unit; nothing where it reads all of it.
fn of_systemd(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("threadbare-agent.service");
    // The program that it starts must be there.
    let program = env!("CARGO_BIN_EXE_threadbare");
    fs::write(&file, text.replace("/usr/bin/threadbare", program)).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&file)
        .output()
        .unwrap_or_else(|cause| panic!("{cause}; `./test setup` installs it"));
    said(&output)
}

#[test]
fn systemd_reads_the_whole_unit() {
    let text = fs::read_to_string(packaged("systemd/threadbare-agent.service")).unwrap();
    // What it says of other units of this machine is of no interest.
    let own = |said: String| -> Vec<String> {
        let lines = said
            .lines()
            .filter(|line| line.contains("threadbare-agent"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(own(of_systemd(&text)), [""; 0]);
    let wrong = text.replace("ProtectSystem=", "ProtectSystm=");
    assert_eq!(own(of_systemd(&wrong)).len(), 1);
}

#[test]
fn what_is_packaged_starts_agents_with_arguments_that_there_are() {
    let output = threadbare().args(["agent", "--help"]).output().unwrap();
    let help = said(&output);
    let mut seen = 0;
    for name in ["kubernetes/agents.yaml", "systemd/threadbare-agent.service"] {
        let text = fs::read_to_string(packaged(name)).unwrap();
        let lines = text.lines().map(str::trim_start);
        for line in lines.filter(|line| !line.starts_with('#')) {
            for word in line.split_whitespace() {
                let Some(argument) = word.strip_prefix("--") else {
                    continue;
                };
                let argument = argument.split('=').next().unwrap();
                assert!(help.contains(&format!("--{argument} ")), "{name}: {word}");
                seen += 1;
            }
        }
    }
    // Four of the manifest, one of the unit.
    assert_eq!(seen, 5);
}
