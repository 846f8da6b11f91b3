//! Agents in networks of their own, with delay, loss and a partition: what they count stays
//! exact, and what they miss is said. For root, with iproute2; part of `./test --long`.

use std::process::{Command, Output};

use rustix::process::getuid;

use super::conserved;
use super::rig::{Agent, Nats, PATIENCE, Target, load, said};
use crate::run::{alone, wait_until};

/// The bridge's address: RFC 2544 keeps 198.18.0.0/15 for tests, and none of it leaves here.
const HOST: &str = "198.18.77.1";
const BRIDGE: &str = "tb-bridge";

fn ip(arguments: &str) -> Output {
    let words = arguments.split(' ');
    let mut program = Command::new("ip");
    program.args(words).output().unwrap()
}

fn must(arguments: &str) {
    let output = ip(arguments);
    assert!(output.status.success(), "ip {arguments}: {}", said(&output));
}

/// A bridge with namespaces on it; they go with it.
struct Networks(Vec<String>);

impl Networks {
    fn of(names: &[&str]) -> Self {
        let networks = Self(names.iter().map(|name| format!("tb-{name}")).collect());
        networks.remove(); // what an earlier test that was killed has left
        must(&format!("link add {BRIDGE} type bridge"));
        must(&format!("addr add {HOST}/24 dev {BRIDGE}"));
        must(&format!("link set {BRIDGE} up"));
        for (name, number) in networks.0.iter().zip(2..) {
            must(&format!("netns add {name}"));
            must(&format!(
                "link add {name}-o type veth peer name eth0 netns {name}"
            ));
            must(&format!("link set {name}-o master {BRIDGE} up"));
            must(&format!(
                "-n {name} addr add 198.18.77.{number}/24 dev eth0"
            ));
            must(&format!("-n {name} link set eth0 up"));
            must(&format!("-n {name} link set lo up"));
        }
        networks
    }

    fn remove(&self) {
        for name in &self.0 {
            // Whether or not they are there.
            let _ = ip(&format!("netns del {name}"));
            let _ = ip(&format!("link del {name}-o"));
        }
        let _ = ip(&format!("link del {BRIDGE}"));
    }

    /// What a network does to all that leaves it, both ways.
    fn shape(name: &str, how: &str) {
        let within = format!("netns exec tb-{name} tc qdisc replace dev eth0 root netem {how}");
        must(&within);
        let mut tc = Command::new("tc");
        let device = format!("tb-{name}-o");
        let output = tc
            .args(["qdisc", "replace", "dev", &device, "root", "netem"])
            .args(how.split(' '))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }

    /// Nothing passes any more.
    fn cut_off(name: &str) {
        must(&format!("link set tb-{name}-o down"));
    }

    fn agent(name: &str, nats: &Nats, ca: &str) -> Agent {
        let mut program = Command::new("ip");
        let binary = env!("CARGO_BIN_EXE_threadbare");
        program.args(["netns", "exec", &format!("tb-{name}"), binary]);
        let arguments = ["--nats-ca", ca, "--allow-host", HOST];
        let token = [("THREADBARE_NATS_TOKEN", "s3cret")];
        Agent::by(program, &nats.encrypted_url(), name, &arguments, &token)
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        self.remove();
    }
}

#[test]
#[ignore = "for root; ./test --long"]
fn agents_behind_delay_loss_and_a_partition() {
    if !getuid().is_root() {
        eprintln!("skipped: networks of their own need root");
        return;
    }
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let _networks = Networks::of(&["near", "far", "gone"]);
    let nats = Nats::encrypted_at(HOST, folder.path(), "s3cret");
    let ca = folder.path().join("ca.pem").display().to_string();
    let agents = ["near", "far", "gone"].map(|name| Networks::agent(name, &nats, &ca));
    Networks::shape("far", "delay 40ms 10ms loss 2%");
    let target = Target::at(HOST);
    let url = nats.encrypted_url().replace("tls://", "tls://s3cret@");
    let arguments = [
        "-R",
        "300",
        "-d",
        "12s",
        "--generators",
        "3",
        "--agents-ca",
        &ca,
        "--allow-host",
        HOST,
        "--lease",
        "3s",
        "--timeout",
        "5s",
    ];
    let load = load(&target.url(), &url, &arguments);
    wait_until(PATIENCE, "the load is under way", || target.asked() > 600);
    Networks::cut_off("gone");
    agents[2].await_saying("nothing was heard of the conductor for 3s");
    let (found, code) = super::rig::found(load);
    assert_eq!(code, 97, "{found}");
    let agents = &found["agents"]["agents"];
    let of = |name: &str| {
        let mut all = agents.as_array().unwrap().iter();
        all.find(|agent| agent["name"] == name).unwrap()
    };
    assert!(
        of("near")["lost_s"].is_null() && of("far")["lost_s"].is_null(),
        "{agents}"
    );
    assert!(of("gone")["lost_s"].as_f64().unwrap() < 12.0);
    // They began together as well as round trips of 80 ms, whose two ways are unlike, tell.
    for (name, most) in [("near", 10_000.0), ("far", 60_000.0)] {
        let skew = of(name)["skew_us"].as_f64().unwrap();
        assert!(skew.abs() <= most, "{name}: {skew}");
    }
    let bound = of("far")["skew_bound_us"].as_f64().unwrap();
    assert!((10_000.0..80_000.0).contains(&bound), "{bound}");
    // The whole shares of two, and a part of the third's.
    let scheduled = conserved(&found);
    assert!((2_400..3_600).contains(&scheduled), "{scheduled}");
}
