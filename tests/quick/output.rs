//! What cannot be written is no panic: the exit code says it where nobody can hear it.

use std::fs::OpenOptions;
use std::process::Command;

#[test]
fn a_full_disk_under_the_output_is_an_exit_code() {
    for (arguments, codes) in [
        (&["list"][..], [1, 1]),
        (&["check", "missing-await"], [1, 1]),
        (&["schema"], [1, 1]),
        (&["man"], [1, 1]),
        (&["completions", "bash"], [1, 1]),
        (&["run", "missing-await", "--dry-run"], [1, 1]),
        (&["runs", "reports"], [1, 1]),
        (&["trend", "reports"], [1, 1]),
        (&["gauges", "--list"], [1, 2]),
        // Wrong usage stays wrong usage.
        (&["check", "no-such-scenario"], [2, 2]),
        (&["no-such-command"], [2, 2]),
    ] {
        let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_threadbare"))
            .args(arguments)
            .stdout(full())
            .stderr(full())
            .status()
            .unwrap();
        let code = status.code();
        assert!(codes.map(Some).contains(&code), "{arguments:?}: {code:?}");
    }
}
