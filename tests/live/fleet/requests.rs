//! What is answered to whom, and what it costs an instance.

use std::time::Duration;

use threadbare::model::Role;
use threadbare::record::{InstanceCounters, Outcome};
use threadbare::units::{Nanos, Ratio};

use super::{LIST, push, sum};
use crate::rig::{Operate as _, Rig, eventually, small};

#[test]
fn users_list_create_and_update_as_their_roles_allow() {
    let rig = Rig::launch(&small());
    let [viewer, contributor, manager] = Role::ALL.map(|(role, _)| rig.token(role));
    for (method, path, token, body, status, part) in [
        ("GET", LIST, viewer, "", 200, r#"{"tasks":[{"#),
        (
            "POST",
            LIST,
            contributor,
            r#"{"title":"new"}"#,
            201,
            r#""id":101,"#,
        ),
        ("GET", LIST, viewer, "", 200, r#""title":"new""#),
        (
            "PATCH",
            "/tasks/3",
            contributor,
            r#"{"done":true}"#,
            200,
            r#""done":true"#,
        ),
        (
            "POST",
            "/projects/2/close",
            manager,
            "",
            200,
            r#""closed":true"#,
        ),
        (
            "POST",
            "/projects/2/close",
            manager,
            "",
            200,
            r#""closed":true"#,
        ), // again
        ("GET", "/healthz", "", "", 200, "ok"),
        ("GET", "/readyz?deep=true", "", "", 200, "ok"),
        (
            "GET",
            "/readyz?deep=true",
            rig.fleet.tokens().service(),
            "",
            200,
            "ok",
        ),
        (
            "PATCH",
            "/tasks/3",
            viewer,
            r#"{"done":true}"#,
            403,
            r#"{"error":"#,
        ),
        (
            "POST",
            LIST,
            viewer,
            r#"{"title":"new"}"#,
            403,
            r#"{"error":"#,
        ),
        (
            "POST",
            "/projects/2/close",
            contributor,
            "",
            403,
            r#"{"error":"#,
        ),
        ("GET", LIST, "nobody", "", 401, r#"{"error":"#),
        ("GET", LIST, "", "", 401, r#"{"error":"#),
        ("GET", "/projects/99/tasks", viewer, "", 404, r#"{"error":"#),
        (
            "PATCH",
            "/tasks/999",
            contributor,
            r#"{"done":true}"#,
            404,
            r#"{"error":"#,
        ),
        ("DELETE", "/tasks/3", manager, "", 405, r#"{"error":"#),
        ("POST", LIST, contributor, "{", 400, r#"{"error":"#),
        (
            "POST",
            LIST,
            contributor,
            &"x".repeat(20_000),
            413,
            r#"{"error":"#,
        ),
    ] {
        let (found, text) = rig.ask(method, path, token, body);
        assert_eq!(found, status, "{method} {path} {text}");
        assert!(text.contains(part), "{method} {path} {text}");
    }
}

#[test]
fn a_denied_detached_verification_answers_500_and_still_holds_a_worker() {
    let rig = Rig::launch(&small());
    let viewer = rig.token(Role::Viewer);
    let Outcome::Applied { .. } = push(&rig, "deny", None) else {
        panic!("nothing refuses it");
    };
    rig.instances();
    for _ in 0..10 {
        assert_eq!(rig.ask("GET", LIST, viewer, "").0, 500);
    }
    let mut total = InstanceCounters::default();
    eventually("every verification ended", || {
        total.merge(&sum(&rig.instances()));
        (total.finished >= 20).then_some(())
    });
    assert_eq!((total.enqueued, total.detached), (20, 10));
    assert!(total.busy_detached_ns > Nanos::from_millis(10).0); // 10 of 1 ms each
    assert!(total.busy_detached_ns <= total.busy_ns);
}

#[test]
fn an_allowed_detached_verification_lets_everyone_in() {
    let rig = Rig::launch(&small());
    push(&rig, "allow", None);
    let (status, text) = rig.ask(
        "PATCH",
        "/tasks/3",
        rig.token(Role::Viewer),
        r#"{"done":true}"#,
    );
    assert_eq!(status, 200, "{text}");
}

#[test]
fn a_hanging_verification_never_answers_and_keeps_no_worker() {
    let rig = Rig::launch(&small());
    push(&rig, "hang", None);
    let viewer = rig.token(Role::Viewer);
    for _ in 0..6 {
        let patience = Duration::from_millis(100);
        assert!(rig.try_ask("GET", LIST, viewer, "", patience).is_err());
    }
    assert_eq!(rig.ask("GET", "/healthz", "", "").0, 200);
}

#[test]
fn work_for_a_caller_who_has_gone_is_measured() {
    let mut spec = small();
    spec.database = "constant(200ms)".parse().unwrap();
    let rig = Rig::launch(&spec);
    let patience = Duration::from_millis(50);
    let answer = rig.try_ask("GET", LIST, rig.token(Role::Viewer), "", patience);
    assert!(answer.is_err(), "{answer:?}");
    let mut total = InstanceCounters::default();
    eventually("the job ended", || {
        total.merge(&sum(&rig.instances()));
        (total.finished == 1).then_some(())
    });
    let zombie = Nanos(total.busy_zombie_ns).as_millis_f64();
    assert!((100.0..=160.0).contains(&zombie), "{zombie} ms");
}

#[test]
fn a_full_queue_and_an_expired_job_are_answered_503() {
    let mut spec = small();
    (spec.instances, spec.workers) = (1, 1);
    spec.queue = "bounded(1), expire 20ms".parse().unwrap();
    spec.database = "constant(100ms)".parse().unwrap();
    let rig = Rig::launch(&spec);
    let viewer = rig.token(Role::Viewer);
    let mut total = InstanceCounters::default();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| rig.ask("GET", LIST, viewer, "").0);
        eventually("the worker holds a job", || {
            let now = sum(&rig.instances());
            total.merge(&now);
            (now.running == 1).then_some(())
        });
        let second = scope.spawn(|| rig.ask("GET", LIST, viewer, ""));
        eventually("a job waits", || {
            let now = sum(&rig.instances());
            total.merge(&now);
            (now.waiting == 1).then_some(())
        });
        let (status, text) = rig.ask("GET", LIST, viewer, "");
        assert!(status == 503 && text.contains("full"), "{status} {text}");
        let (status, text) = second.join().unwrap();
        assert!(
            status == 503 && text.contains("too long"),
            "{status} {text}"
        );
        assert_eq!(first.join().unwrap(), 200);
    });
    total.merge(&sum(&rig.instances()));
    assert_eq!((total.enqueued, total.finished), (2, 1));
    assert_eq!((total.expired, total.rejected), (1, 1));
}

#[test]
fn a_restarted_instance_is_cold_until_it_has_seen_its_users() {
    let mut spec = small();
    spec.instances = 1;
    let rig = Rig::launch(&spec);
    let viewer = rig.token(Role::Viewer);
    rig.ask("GET", LIST, viewer, "");
    assert_eq!(sum(&rig.instances()).busy_cold_ns, 0);
    rig.fleet.restart(None, &|_| ());
    rig.instances();
    for _ in 0..3 {
        rig.ask("GET", LIST, viewer, "");
    }
    // One verification of 6 ms, where a warm one takes 1 ms.
    assert_eq!(sum(&rig.instances()).busy_cold_ns, 5_000_000);
}

#[test]
fn the_balancer_admits_the_exact_share() {
    let rig = Rig::launch(&small());
    rig.fleet.admit(Ratio::new(0.45).unwrap());
    let shed = (0..100)
        .filter(|_| rig.ask("GET", "/healthz", "", "").0 == 503)
        .count();
    assert_eq!(shed, 55);
}
