//! The catalogue in words, for `threadbare faults` and docs/FAULTS.md.

use std::fmt::Write as _;

use super::{FleetFault, FleetFaultKind};

/// What stands above them.
const HEAD: &str = "\
# Faults of the built-in fleet

Made from the catalogue in `src/model/fault/fleet/`; `threadbare faults NAME` prints one. Faults of
a proxy in front of your own service are in [PROXY.md](PROXY.md), those of its processes in
[TARGETS.md](TARGETS.md).

```toml
[[timeline]]
at    = \"20s\"
do    = \"break\"
fault = \"workers_leaked\"
with  = { share = \"5 %\", instances = 2 }

[[timeline]]
at    = \"30s\"
do    = \"mend\"
fault = \"workers_leaked\"
```

Each acts in live and in simulated runs alike, unless it says otherwise, until it is mended or the run ends. Live, it acts in
the processes of the fleet, which end with the run, also where the conductor is killed: nothing
is left to undo.

Limits are the kernel's. `descriptors_limited` lowers the soft limit on open files (`RLIMIT_NOFILE`)
of an instance, and only the connections by which the run reads and steers it are let in beside it;
a worker without a connection to the identity service gets none either, and answers 503. In a
simulated run workers have theirs.
`threads_limited` and `peers.limit` use the limit on a process's address space (`RLIMIT_AS`), of
which each thread for a peer reserves 512 MiB: a limit on the number of threads does not hold for
root. `crash_loop` ends the process with status 102, and a thread of the run starts it again.

";

/// One fault, as a terminal shows it.
pub fn fault_text(kind: FleetFaultKind) -> String {
    let mut text = format!("{kind}\n  {}\n", kind.about());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  acts in:  {}", kind.place().word());
    let needs = match kind.needs() {
        "" => "the built-in fleet",
        needs => needs,
    };
    let _ = writeln!(text, "  needs:    {needs}");
    let _ = writeln!(text, "  undone:   {}", kind.undo());
    if !kind.simulated() {
        text.push_str("  in live runs only\n");
    }
    for (name, usual, about) in attributes(&mut kind.usual()) {
        let _ = writeln!(text, "  {name} = {usual}\n      {about}");
    }
    text
}

/// All of them, as docs/FAULTS.md has them.
pub fn fault_page() -> String {
    let mut page = HEAD.to_owned();
    for (kind, word) in FleetFaultKind::ALL {
        let _ = writeln!(page, "## `{word}`\n\n{}\n", kind.about());
        let _ = writeln!(page, "- Acts in: {}.", kind.place().word());
        if !kind.needs().is_empty() {
            let _ = writeln!(page, "- Needs: `{}`.", kind.needs());
        }
        let _ = writeln!(page, "- Mended: {}", kind.undo());
        if !kind.simulated() {
            page.push_str("- In live runs only: in a simulated run the action fails.\n");
        }
        let mut usual = kind.usual();
        let own = attributes(&mut usual);
        if !own.is_empty() {
            page.push_str("\n| `with` | default | meaning |\n|---|---|---|\n");
        }
        for (name, usual, about) in own {
            let _ = writeln!(page, "| `{name}` | `{usual}` | {about} |");
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

/// Name, default as a scenario writes it, and meaning of each attribute.
fn attributes(fault: &mut FleetFault) -> Vec<(&'static str, String, &'static str)> {
    let own = fault.attributes();
    own.iter()
        .map(|it| {
            let value = it.value();
            let value = if it.is_text() {
                format!("\"{value}\"")
            } else {
                value
            };
            (it.name, value, it.about)
        })
        .collect()
}
