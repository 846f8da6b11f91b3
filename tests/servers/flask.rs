//! The founding incident on another stack: Flask under gunicorn, from
//! the virtual environment that `./test` makes. It must emerge there too.

use crate::run::{Run, alone, threadbare};

#[test]
fn a_missing_await_on_flask_outlasts_its_rollback_and_not_a_restart() {
    let _alone = alone();
    let root = env!("CARGO_MANIFEST_DIR");
    let gunicorn = format!("{root}/target/venv/bin/gunicorn");
    assert!(
        std::path::Path::new(&gunicorn).exists(),
        "there is no {gunicorn}: ./test makes it"
    );
    let folder = tempfile::tempdir().unwrap();
    let output = threadbare()
        .arg("run")
        .arg(format!("{root}/examples/flask-missing-await/scenario.toml"))
        .args(["--out", "run"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let run = Run::read(folder, output);
    run.assert_sound();
    let incident = &run.summary["incident"];
    assert_eq!(incident["verdict"], "recovered_by_intervention");
    assert_eq!(incident["sustaining"], "retries");
    let because = incident["rollback_rejected_because"].as_str().unwrap();
    assert!(because.contains("schema 1 is older"), "{because}");
    assert!(run.goodput_share("rollback") < 0.5);
    assert_eq!(run.summary["steady_state_returned"], true);
    // What was pushed and waived is taken back, whatever the timeline did: the next run
    // in this checkout finds what this one found.
    let release = format!("{root}/examples/flask-missing-await/release.json");
    let release = std::fs::read_to_string(release).unwrap();
    let release: serde_json::Value = serde_json::from_str(&release).unwrap();
    assert_eq!(release["settings"]["role_check"], "awaited");
    assert_eq!(release["waived"], false);
}
