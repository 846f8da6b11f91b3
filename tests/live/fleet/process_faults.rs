//! The faults that end processes, limit what the kernel grants them or let connections
//! drip, in real processes: each is seen in an answer or a gauge, and is over once it is
//! mended.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use threadbare::model::fault::FleetFaultKind as Kind;
use threadbare::model::{FleetSpec, PeersSpec, Role};
use threadbare::record::Event;
use threadbare::units::Nanos;

use super::faults::{PATIENCE, answered, fastest, inject, list, mend};
use super::{LIST, assert_applied, sum};
use crate::rig::{Operate as _, Rig, eventually, small};

/// Threads of a process that have this name.
fn threads(pid: u32, name: &str) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let names = tasks
        .flatten()
        .map(|task| fs::read_to_string(task.path().join("comm")));
    names.flatten().filter(|own| own.trim() == name).count()
}

/// The soft limit of a process on what this line of `/proc/PID/limits` is about.
fn limit(pid: u32, line: &str) -> String {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let own = limits.lines().find_map(|it| it.strip_prefix(line)).unwrap();
    own.split_whitespace().next().unwrap().to_owned()
}

/// The ports on which a process listens.
fn listening(pid: u32) -> Vec<u16> {
    let own = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let own: Vec<_> = own
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap();
    let ports = table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (local, state, inode) = (fields[1], fields[3], fields[9]);
        let owned = own.contains(&format!("socket:[{inode}]").into());
        let port = local.split_once(':')?.1;
        (state == "0A" && owned).then(|| u16::from_str_radix(port, 16).unwrap())
    });
    ports.collect()
}

/// A connection to this port and the status that a request got on it; none where it was not
/// answered.
fn asked(port: u16) -> Option<(TcpStream, u16)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET /readyz HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut line = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut line).ok()?;
    let status = std::str::from_utf8(&line[9..]).unwrap().parse().unwrap();
    Some((stream, status))
}

#[test]
fn an_instance_that_crashes_is_another_process_until_the_loop_is_mended() {
    let rig = Rig::launch(&small());
    rig.fleet.supervise().unwrap();
    let others = rig.pid("instance-2");
    let mut before = rig.pid("instance-1");
    let with = json!({ "after": "constant(200ms)", "back_off": 100, "most": 100, "instances": 1 });
    inject(&rig, Kind::CrashLoop, &with);
    for _ in 0..2 {
        eventually("nobody answers at its address", || {
            (list(&rig) == 502).then_some(())
        });
        before = eventually("another process has its place", || {
            let processes = rig.fleet.processes();
            let own = processes.iter().find(|it| it.name == "instance-1")?;
            (own.pid != before).then_some(own.pid)
        });
    }
    mend(&rig, Kind::CrashLoop);
    // One that had crashed before comes back.
    eventually("both serve", || {
        (0..8).all(|_| list(&rig) == 200).then_some(())
    });
    let stays = rig.pid("instance-1");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(rig.pid("instance-1"), stays);
    assert_eq!(rig.pid("instance-2"), others);
    // Each crash is told with what was counted, and none ends the run.
    let news = rig.fleet.news();
    let stopped = |event: &&Event| matches!(event, Event::Stopped { source, .. } if source.to_string() == "instance-1");
    let serving = |event: &&Event| matches!(event, Event::Serving { .. });
    let (stopped, serving) = (
        news.iter().filter(stopped).count(),
        news.iter().filter(serving).count(),
    );
    assert!(stopped >= 2 && stopped == serving, "{news:?}");
    assert_eq!(news.len(), stopped + serving, "{news:?}");
    assert_eq!(rig.fleet.dead(), []);
    let all = sum(&rig.instances());
    let gone = all.finished + all.expired + all.lost;
    assert_eq!(all.enqueued, gone + all.waiting + all.running, "{all:?}");
}

#[test]
fn a_restart_takes_over_what_is_down_since_a_crash() {
    let rig = Rig::launch(&small());
    rig.fleet.supervise().unwrap();
    let with = json!({ "after": "constant(50ms)", "back_off": "1h", "most": "1h" });
    inject(&rig, Kind::CrashLoop, &with);
    eventually("both are down", || {
        rig.fleet.news();
        (rig.fleet.processes().len() == 2).then_some(())
    });
    assert_eq!((list(&rig), list(&rig)), (502, 502));
    mend(&rig, Kind::CrashLoop);
    assert_eq!(list(&rig), 502);
    assert_applied(&rig.fleet.restart(None, &|_| ()), "2 instances restarted");
    assert_eq!((list(&rig), list(&rig)), (200, 200));
    assert_eq!(rig.fleet.dead(), []);
}

fn clustered(again: Option<Nanos>) -> FleetSpec {
    FleetSpec {
        peers: Some(PeersSpec {
            members: 3,
            limit: None,
            again,
        }),
        ..small()
    }
}

#[test]
fn the_kernel_refuses_a_thread_past_the_limit_and_the_map_is_broken_until_a_restart() {
    let rig = Rig::launch(&clustered(None));
    let pid = rig.pid("instance-1");
    let unlimited = limit(pid, "Max address space");
    assert_eq!(threads(pid, "peer"), 3);
    // Capacity that is added does no harm, and goes again.
    inject(&rig, Kind::PeersAdded, &json!({ "members": 2 }));
    eventually("five threads", || (threads(pid, "peer") == 5).then_some(()));
    assert_eq!((list(&rig), list(&rig)), (200, 200));
    mend(&rig, Kind::PeersAdded);
    eventually("three threads", || {
        (threads(pid, "peer") == 3).then_some(())
    });
    assert_eq!((list(&rig), list(&rig)), (200, 200));
    inject(&rig, Kind::ThreadsLimited, &json!({ "limit": 4 }));
    eventually("the limit is the kernel's", || {
        (limit(pid, "Max address space") != unlimited).then_some(())
    });
    assert_eq!((list(&rig), list(&rig)), (200, 200));
    inject(&rig, Kind::PeersAdded, &json!({ "members": 2 }));
    eventually("both maps are broken", || {
        ([list(&rig), list(&rig)] == [500, 500]).then_some(())
    });
    assert_eq!(threads(pid, "peer"), 4);
    let (_, body) = rig.ask("GET", LIST, rig.token(Role::Viewer), "");
    assert!(body.contains("no thread for peer 5 of 5"), "{body}");
    assert!(body.contains("os error"), "{body}");
    // Gauges are read and what needs no map is answered.
    assert_eq!(rig.instances().len(), 2);
    assert_eq!(rig.ask("GET", "/readyz", "", "").0, 200);
    mend(&rig, Kind::PeersAdded);
    mend(&rig, Kind::ThreadsLimited);
    eventually("the limit is what it was", || {
        (limit(pid, "Max address space") == unlimited).then_some(())
    });
    assert_eq!((list(&rig), list(&rig)), (500, 500));
    rig.fleet.restart(None, &|_| ());
    assert_eq!((list(&rig), list(&rig)), (200, 200));
}

#[test]
fn an_instance_that_tries_again_has_its_map_once_threads_are_granted() {
    let rig = Rig::launch(&clustered(Some(Nanos::from_millis(50))));
    inject(&rig, Kind::ThreadsLimited, &json!({ "limit": 2 }));
    // A new process needs all of them.
    rig.fleet.restart(None, &|_| ());
    assert_eq!((list(&rig), list(&rig)), (500, 500));
    assert_eq!(threads(rig.pid("instance-1"), "peer"), 2);
    mend(&rig, Kind::ThreadsLimited);
    eventually("both maps are whole", || {
        ([list(&rig), list(&rig)] == [200, 200]).then_some(())
    });
    assert_eq!(threads(rig.pid("instance-1"), "peer"), 3);
}

#[test]
fn connections_wait_in_the_kernel_where_no_descriptor_is_left_for_them() {
    let rig = Rig::launch(&small());
    inject(&rig, Kind::DescriptorsLimited, &json!({}));
    // A new process has no connection yet, and accepts none.
    rig.fleet.restart(None, &|_| ());
    let pid = rig.pid("instance-1");
    assert!(!answered(&rig) && !answered(&rig));
    // Control connections are let in beside the limit, and leave nothing to others however
    // they come and go.
    let control = eventually("one of its listeners answers", || {
        let mut ports = listening(pid).into_iter();
        ports.find(|port| asked(*port).is_some())
    });
    let mut strangers: Vec<_> = (0..6)
        .map(|_| eventually("it answers again", || asked(control)))
        .collect();
    while !strangers.is_empty() {
        assert_eq!(rig.instances().len(), 2);
        assert!(!answered(&rig) && !answered(&rig), "{}", strangers.len());
        strangers.drain(..2);
    }
    assert!(!answered(&rig) && !answered(&rig));
    // It tries, and no more often than it should; its gauges can be read meanwhile.
    let failed = eventually("tries fail", || {
        let failed = sum(&rig.instances()).accepts_failed;
        (failed > 0).then_some(failed)
    });
    assert!(failed < 1_000, "{failed}");
    let low: u64 = limit(pid, "Max open files").parse().unwrap();
    assert!(low < 200, "{low}");
    mend(&rig, Kind::DescriptorsLimited);
    eventually("both accept", || {
        (answered(&rig) && answered(&rig)).then_some(())
    });
    let high: u64 = limit(pid, "Max open files").parse().unwrap();
    assert!(high > low, "{high}");
    rig.instances();
    assert!(answered(&rig) && answered(&rig));
    assert_eq!(sum(&rig.instances()).accepts_failed, 0);
}

#[test]
fn who_closes_makes_room_for_one_whatever_number_it_had() {
    let rig = Rig::launch(&small());
    let pid = rig.pid("instance-1");
    let served = eventually("one of its listeners serves users", || {
        let mut ports = listening(pid).into_iter();
        ports.find(|port| asked(*port).is_some_and(|(_, status)| status == 200))
    });
    let open = || fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let close = |clients: &mut Vec<_>, place: usize| {
        let before = open();
        drop(clients.remove(place));
        eventually("it has closed", || (open() < before).then_some(()));
    };
    let mut clients: Vec<_> = (0..6).map(|_| asked(served).unwrap()).collect();
    // A number below others is free when the limit is put.
    close(&mut clients, 1);
    inject(&rig, Kind::DescriptorsLimited, &json!({}));
    eventually("the limit is near what is open", || {
        let limit: u64 = limit(pid, "Max open files").parse().unwrap();
        (limit < 200).then_some(())
    });
    assert!(asked(served).is_none());
    close(&mut clients, 4);
    let one = eventually("one is let in", || asked(served));
    assert!(asked(served).is_none());
    drop(one);
    mend(&rig, Kind::DescriptorsLimited);
}

#[test]
fn connections_that_there_are_go_on_where_descriptors_are_limited() {
    // The only worker of each has its own to the identity service.
    let spec = FleetSpec {
        workers: 1,
        ..small()
    };
    let rig = Rig::launch(&spec);
    assert_eq!((list(&rig), list(&rig)), (200, 200));
    inject(&rig, Kind::DescriptorsLimited, &json!({}));
    let pid = rig.pid("instance-1");
    eventually("the limit is near what is open", || {
        let limit: u64 = limit(pid, "Max open files").parse().unwrap();
        (limit < 200).then_some(())
    });
    for _ in 0..8 {
        assert_eq!(list(&rig), 200);
    }
    mend(&rig, Kind::DescriptorsLimited);
    assert_eq!((list(&rig), list(&rig)), (200, 200));
}

#[test]
fn requests_drip_to_an_instance_and_hold_no_worker() {
    let rig = Rig::launch(&small());
    assert!(fastest(&rig) < Duration::from_millis(60));
    let drips = json!({ "bytes": 40, "every": 30 });
    inject(&rig, Kind::ConnectionsDripped, &drips);
    // Some 150 bytes or more, so three pauses at least.
    assert!(fastest(&rig) >= Duration::from_millis(80));
    rig.instances();
    // One that drips for longer than its caller waits has had no worker.
    let drips = json!({ "bytes": 1, "every": 20 });
    inject(&rig, Kind::ConnectionsDripped, &drips);
    assert!(!answered(&rig));
    let all = sum(&rig.instances());
    assert_eq!((all.enqueued, all.running), (0, 0), "{all:?}");
    mend(&rig, Kind::ConnectionsDripped);
    assert!(fastest(&rig) < Duration::from_millis(60));
}
