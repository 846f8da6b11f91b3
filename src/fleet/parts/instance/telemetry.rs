//! Telemetry: threads that ask the identity service again and again, while the settings
//! say so. They hold no worker; what they cost is the identity service's time.

use std::sync::Arc;
use std::thread;

use super::Shared;
use super::worker::VERIFICATION_MAX;
use crate::error::{Error, Result};
use crate::fleet::lock;
use crate::fleet::message::InstanceConfig;
use crate::fleet::wire::Client;
use crate::model::{Telemetry, TelemetrySpec};
use crate::units::Nanos;

/// Starts a thread for each call at a time, where the fleet has telemetry.
pub(super) fn collect(shared: &Arc<Shared>, config: &InstanceConfig) -> Result<()> {
    let Some(spec) = config.spec.telemetry else {
        return Ok(());
    };
    let timeout = config.spec.identity.timeout;
    let timeout = timeout.map_or(VERIFICATION_MAX, Nanos::to_duration);
    for place in 0..spec.calls {
        let identity = Client::new(config.identity, None, timeout);
        let shared = Arc::clone(shared);
        thread::Builder::new()
            .name(format!("telemetry-{}", place + 1))
            .spawn(move || ask(&shared, spec, place, identity))
            .map_err(|cause| Error::unfit(format!("failed to start a thread: {cause}")))?;
    }
    Ok(())
}

fn ask(shared: &Shared, spec: TelemetrySpec, place: u32, mut identity: Client) {
    let target = format!("/verify?user={}&held=false", shared.spec.service_user());
    thread::sleep(spec.first_call(place).to_duration());
    loop {
        shared.world.pass();
        if lock(&shared.settings).settings.telemetry == Telemetry::On {
            // Telemetry that does not arrive is missed by nobody.
            let _ = identity.call("GET", &target, &[]);
        }
        thread::sleep(spec.every.to_duration());
    }
}
