//! `threadbare agent`: waits at a NATS server for work, and does it.

use std::fs;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::runtime::Builder;
use tokio::sync::mpsc;
use tokio::sync::oneshot::Receiver;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::link::{Link, Unconnected};
use super::packet::{CALL_SUBJECT, agent_subject};
use super::serving::{Hands, Own, Serving, ThreadReport};
use super::settings::AgentSettings;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::gauges::machine_facts;

/// So often an agent looks at its lease and at what was not acknowledged.
const TICK: Duration = Duration::from_millis(50);
/// A server that is not there yet is asked again after this.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// Deliveries that are taken at a time.
const BATCH: usize = 256;

/// Waits for work until it is stopped; `say` hears what its user should know.
///
/// # Errors
///
/// Where the server does not let it in. One that is not there is waited for.
pub fn serve(
    settings: &AgentSettings,
    hands: Hands,
    stop: Receiver<()>,
    say: &mut dyn FnMut(&str),
) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|cause| Error::unfit(format!("failed to start the agent's thread: {cause}")))?;
    let served = runtime.block_on(wait(settings, hands, stop, say));
    runtime.shutdown_background();
    served
}

async fn wait(
    settings: &AgentSettings,
    hands: Hands,
    mut stop: Receiver<()>,
    say: &mut dyn FnMut(&str),
) -> Result<()> {
    let link = tokio::select! {
        _ = &mut stop => return Ok(()),
        link = connect(settings, say) => link?,
    };
    let own = Own {
        id: format!("{:032x}", rand::random::<u128>()),
        name: settings.name.clone(),
        secure: settings.server.is_secure(),
        allowed: settings.allowed.clone(),
        machine: machine_facts(),
        place: place(),
    };
    let mut calls = link.subscribe(CALL_SUBJECT.to_owned()).await?;
    let mut packets = link.subscribe(agent_subject(&own.id)).await?;
    // The server knows of it before its user does.
    link.flush().await;
    say(&format!(
        "agent {} waits for work at {}",
        settings.name,
        settings.server.address()
    ));
    // Bounded by what the generator's threads tell between two looks at the lease: an agent
    // whose deliveries are not acknowledged lets go.
    let (told, mut heard) = mpsc::unbounded_channel::<ThreadReport>();
    let clock = Clock::start();
    let mut serving = Serving::new(own, clock, hands, told);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut batch = Vec::new();
    let mut was_up = true;
    loop {
        let given_up = || Error::failed("the connection to the NATS server was given up");
        tokio::select! {
            // Pings first: what they wait for is in the offset that they measure. Then the
            // lease, whoever calls how often.
            biased;
            _ = &mut stop => break,
            packet = packets.next() => {
                serving.arrived(clock.now(), &packet.ok_or_else(given_up)?.payload);
            }
            _ = ticks.tick() => serving.tick(clock.now()),
            call = calls.next() => {
                let call = call.ok_or_else(given_up)?;
                if let Some(answers) = call.reply {
                    serving.called(clock.now(), &call.payload, answers.to_string());
                }
            }
            count = heard.recv_many(&mut batch, BATCH) => {
                if count > 0 {
                    serving.told(clock.now(), std::mem::take(&mut batch));
                }
            }
        }
        publish(&link, &mut serving, say).await;
        if was_up != link.is_up() {
            was_up = !was_up;
            say(if was_up {
                "connected to the NATS server again"
            } else {
                "the connection to the NATS server is lost; it is tried again"
            });
        }
    }
    serving.end();
    publish(&link, &mut serving, say).await;
    link.flush().await;
    Ok(())
}

async fn publish(link: &Link, serving: &mut Serving, say: &mut dyn FnMut(&str)) {
    for (subject, payload) in serving.outgoing() {
        if !link.publish(subject, payload).await {
            break; // what has to arrive is sent again
        }
    }
    for text in serving.said() {
        say(&text);
    }
}

/// Connects; a server that is not there yet is waited for, as after a machine has started.
async fn connect(settings: &AgentSettings, say: &mut dyn FnMut(&str)) -> Result<Link> {
    let mut told = false;
    loop {
        match Link::connect(&settings.server, &settings.name).await {
            Ok(link) => return Ok(link),
            Err(Unconnected::Refused(error)) => return Err(error),
            Err(Unconnected::NotThere(error)) => {
                if !std::mem::replace(&mut told, true) {
                    say(&format!("{error}; it is tried again every 2 s"));
                }
                sleep(TRY_AGAIN).await;
            }
        }
    }
}

/// A text that is the same for all who share this machine's kernel and its network, and
/// for nobody else: an address of its loopback means the same to them.
pub(super) fn place() -> String {
    let boot = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let network = fs::read_link("/proc/self/ns/net").unwrap_or_default();
    if boot.is_empty() {
        // Nobody can tell: it is alone.
        return format!("{:032x}", rand::random::<u128>());
    }
    let digest = Sha256::new()
        .chain_update(boot)
        .chain_update(network.as_os_str().as_encoded_bytes())
        .finalize();
    digest[..16].iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
