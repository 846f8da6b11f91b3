//! What `[target.fleet.autoscaler]` says together with the rest of the fleet.

use super::file::File;
use super::meaning::Reader;

/// Reports bounds that do not hold the instances that there are, and two shares between
/// which there is nothing.
pub(super) fn fits(reader: &mut Reader, file: &File) {
    let fleet = file.target.as_ref().and_then(|it| it.value.fleet.as_ref());
    let Some(fleet) = fleet.filter(|_| !reader.file_lacks("target")) else {
        return;
    };
    let Some(autoscaler) = &fleet.value.autoscaler else {
        return;
    };
    let (own, there) = (&autoscaler.value, fleet.value.instances);
    if own.least > there || own.most < there {
        reader.report(
            autoscaler,
            format!(
                "there are {there} instances at the start, and the autoscaler has {} at least and \
                 {} at most",
                own.least, own.most
            ),
            "not within them",
            "write `least` and `most` around `instances`",
        );
    }
    if own.remove_below.0.0 >= own.add_above.0.0 {
        reader.report(
            autoscaler,
            "it would add and remove at the same share of busy workers",
            "without end",
            "write a `remove_below` well below `add_above`",
        );
    }
}
