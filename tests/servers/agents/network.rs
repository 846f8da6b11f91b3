//! Agents in networks of their own, with delay, loss and a partition: what they count stays
//! exact, and what they miss is said. Part of `./test --long`. It needs root, iproute2, and a
//! machine that lets it make networks: a container without `CAP_NET_ADMIN` does not. Where one
//! of them is missing it says which, and is skipped; where the kernel has no `netem`, delay and
//! loss are left out and everything else is still tested.

use std::process::Command;

use rustix::process::getuid;

use super::conserved;
use super::rig::{Agent, Nats, PATIENCE, Target, load, said};
use crate::run::{alone, wait_until};

/// Where the NATS server and the target listen, so that an agent can be cut off from one
/// alone: RFC 2544 keeps 198.18.0.0/15 for tests, and none of it leaves here.
const SERVER: &str = "198.18.77.1";
const TARGET: &str = "198.18.78.1";
const BRIDGE: &str = "tb-bridge";
const NAMES: [&str; 3] = ["near", "far", "gone"];

/// Runs a command of iproute2.
///
/// # Errors
///
/// What it says.
fn run(program: &str, arguments: &str) -> Result<(), String> {
    let output = Command::new(program)
        .args(arguments.split(' '))
        .output()
        .map_err(|cause| format!("{program}: {cause}; `./test setup` installs it"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {arguments}: {}", said(&output).trim()))
}

fn ip(arguments: &str) -> Result<(), String> {
    run("ip", arguments)
}

/// A bridge with a namespace for each agent on it; they go with it.
struct Networks;

impl Networks {
    /// Makes them.
    ///
    /// # Errors
    ///
    /// Why this machine does not let it.
    fn make() -> Result<Self, String> {
        if !getuid().is_root() {
            return Err("only root can make networks".to_owned());
        }
        Self::remove(); // what an earlier test that was killed has left
        let networks = Self;
        ip(&format!("link add {BRIDGE} type bridge"))?;
        for host in [SERVER, TARGET] {
            ip(&format!("addr add {host}/24 dev {BRIDGE}"))?;
        }
        ip(&format!("link set {BRIDGE} up"))?;
        for (name, number) in NAMES.into_iter().zip(2..) {
            let space = format!("tb-{name}");
            ip(&format!("netns add {space}"))?;
            ip(&format!(
                "link add {space}-o type veth peer name eth0 netns {space}"
            ))?;
            ip(&format!("link set {space}-o master {BRIDGE} up"))?;
            for how in [
                format!("addr add 198.18.77.{number}/24 dev eth0").as_str(),
                "link set eth0 up",
                "link set lo up",
                "route add 198.18.78.0/24 dev eth0",
            ] {
                ip(&format!("-n {space} {how}"))?;
            }
        }
        Ok(networks)
    }

    /// Whatever of them is there.
    fn remove() {
        for name in NAMES {
            let _ = ip(&format!("netns del tb-{name}"));
            let _ = ip(&format!("link del tb-{name}-o"));
        }
        let _ = ip(&format!("link del {BRIDGE}"));
        let _ = ip(&format!("rule del {}", dropped()));
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        Self::remove();
    }
}

/// What a network does to all that leaves it, both ways.
///
/// # Errors
///
/// Why the kernel cannot.
fn shape(name: &str, how: &str) -> Result<(), String> {
    let own = format!("netns exec tb-{name} tc qdisc replace dev eth0 root netem {how}");
    ip(&own)?;
    run(
        "tc",
        &format!("qdisc replace dev tb-{name}-o root netem {how}"),
    )
}

/// What the server sends to the last of them.
fn dropped() -> String {
    format!("from {SERVER} to 198.18.77.4 blackhole")
}

/// Nothing passes any more between the last of them and the server, either way; the target
/// is there for it as before.
fn cut_off() -> Result<(), String> {
    ip(&format!("rule add {}", dropped()))?;
    ip(&format!("-n tb-gone route add blackhole {SERVER}/32"))
}

fn agent(name: &str, nats: &Nats, ca: &str) -> Agent {
    let mut program = Command::new("ip");
    let binary = env!("CARGO_BIN_EXE_threadbare");
    program.args(["netns", "exec", &format!("tb-{name}"), binary]);
    let arguments = ["--nats-ca", ca, "--allow-host", TARGET];
    let token = [("THREADBARE_NATS_TOKEN", "s3cret")];
    Agent::by(program, &nats.encrypted_url(), name, &arguments, &token)
}

#[test]
#[ignore = "makes networks, as root: ./test --long"]
fn agents_behind_delay_loss_and_a_partition() {
    let _alone = alone();
    let _networks = match Networks::make() {
        Ok(networks) => networks,
        Err(why) => {
            eprintln!("SKIPPED: this machine makes no networks of their own for agents: {why}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let nats = Nats::encrypted_at(SERVER, folder.path(), "s3cret");
    let ca = folder.path().join("ca.pem").display().to_string();
    let agents = NAMES.map(|name| agent(name, &nats, &ca));
    let shaped = shape("far", "delay 40ms 10ms loss 2%");
    if let Err(why) = &shaped {
        eprintln!("SKIPPED: no delay and no loss, for which the kernel has no means: {why}");
    }
    let target = Target::at(TARGET);
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
        TARGET,
        "--lease",
        "3s",
        "--timeout",
        "5s",
    ];
    let load = load(&target.url(), &url, &arguments);
    wait_until(PATIENCE, "the load is under way", || target.asked() > 600);
    cut_off().unwrap();
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
    if shaped.is_ok() {
        let bound = of("far")["skew_bound_us"].as_f64().unwrap();
        assert!((10_000.0..80_000.0).contains(&bound), "{bound}");
    }
    // The whole shares of two, and a part of the third's.
    let scheduled = conserved(&found);
    assert!((2_400..3_600).contains(&scheduled), "{scheduled}");
    // Who was cut off from the server alone went on for its lease, which no count has, and
    // stopped by itself: the rest of its share, most of 1,200, was never sent.
    let uncounted = target.asked() as u64 - scheduled;
    assert!((100..800).contains(&uncounted), "{uncounted}");
}
