//! An application of `examples/`, on the port that its `serve.sh` has.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Process, directory};

/// One that runs.
pub(crate) struct Example(Process);

impl Example {
    /// Starts it with these variables, and waits until its health check answers.
    pub(crate) fn start(name: &str, port: u16, variables: &[(&str, &str)]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(root.join("examples").join(name).join("serve.sh"));
        command.envs(variables.iter().copied());
        Self(Process::start(command, directory(&[]), port, "/health"))
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.0.address
    }
}
