//! What every fault of the fleet says of itself, and the one list of them as types.

use crate::named::named;

use super::Attribute;

named! {
    /// The part of the fleet that a fault acts in.
    pub enum FaultPlace {
        /// Every instance that it reaches.
        Instances = "instances",
        /// The identity service.
        Identity = "identity service",
        /// The balancer.
        Balancer = "balancer",
    }
}

/// What a fault says of itself, in its own file.
pub(super) trait Fault {
    /// What it does, in one sentence.
    const ABOUT: &'static str;
    /// What sentences call the cause of an incident that it is, without an article.
    const CAUSE: &'static str;
    /// What is so once it is mended, in one sentence.
    const UNDO: &'static str;
    /// Where it acts.
    const PLACE: FaultPlace = FaultPlace::Instances;
    /// Whether it is over at once, so that there is nothing to mend.
    const MOMENTARY: bool = false;
    /// Whether simulated runs have it.
    const SIMULATED: bool = true;
    /// What the fleet must have for it, in words.
    const NEEDS: &'static str = "";

    /// Its attributes, in the order in which they are written.
    fn attributes(&mut self) -> Vec<Attribute<'_>>;

    /// What is wrong with the attributes, beside what holds for every one of their kind.
    fn mistake(&self) -> Option<(&'static str, String)> {
        None
    }

    /// How many instances it reaches, from the first on; zero: all.
    fn instances(&self) -> u64 {
        0
    }
}

/// Whether a fault that reaches so many instances, from the first on, reaches this one.
pub(super) fn reaches(instances: u64, index: usize) -> bool {
    instances == 0 || u64::try_from(index).is_ok_and(|index| index < instances)
}

/// Makes the one list of faults, of types and names, the types that hold them.
macro_rules! fleet_faults {
    ($($file:ident :: $fault:ident = $name:literal),* $(,)?) => {
        $(pub(crate) use $file::$fault;)*

        crate::named::named! {
            /// Which fault of the built-in fleet.
            #[expect(missing_docs, reason = "each is described in its own file")]
            pub enum FleetFaultKind { $($fault = $name),* }
        }

        /// A fault of the built-in fleet, with its attributes.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "fault", content = "with")]
        #[expect(missing_docs, reason = "each is described in its own file")]
        pub enum FleetFault { $(#[serde(rename = $name)] $fault($fault)),* }

        /// The faults that act on the fleet, or on a part of it.
        #[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        #[expect(missing_docs, reason = "each is described in its own file")]
        pub struct FaultSet {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $file: Option<$fault>),*
        }

        impl FleetFaultKind {
            /// What it does, in one sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$fault => <$fault as catalogue::Fault>::ABOUT),* }
            }

            /// What sentences call the cause that it is, without an article.
            pub const fn cause(self) -> &'static str {
                match self { $(Self::$fault => <$fault as catalogue::Fault>::CAUSE),* }
            }

            /// What is so once it is mended, in one sentence.
            pub const fn undo(self) -> &'static str {
                match self { $(Self::$fault => <$fault as catalogue::Fault>::UNDO),* }
            }

            /// Where it acts.
            pub const fn place(self) -> FaultPlace {
                match self { $(Self::$fault => <$fault as catalogue::Fault>::PLACE),* }
            }

            /// Whether it is over at once.
            pub const fn momentary(self) -> bool {
                match self { $(Self::$fault => <$fault as catalogue::Fault>::MOMENTARY),* }
            }

            /// Whether simulated runs have it.
            pub const fn simulated(self) -> bool {
                match self { $(Self::$fault => <$fault as catalogue::Fault>::SIMULATED),* }
            }

            /// What the fleet must have for it, in words; empty: nothing.
            pub const fn needs(self) -> &'static str {
                match self { $(Self::$fault => <$fault as catalogue::Fault>::NEEDS),* }
            }

            /// It with the defaults of its attributes.
            pub fn usual(self) -> FleetFault {
                match self { $(Self::$fault => FleetFault::$fault($fault::default())),* }
            }
        }

        impl FleetFault {
            /// Which it is.
            pub const fn kind(&self) -> FleetFaultKind {
                match self { $(Self::$fault(_) => FleetFaultKind::$fault),* }
            }

            /// Its attributes.
            pub fn attributes(&mut self) -> Vec<Attribute<'_>> {
                match self { $(Self::$fault(fault) => catalogue::Fault::attributes(fault)),* }
            }

            /// How many instances it reaches, from the first on; zero: all.
            pub fn instances(&self) -> u64 {
                match self { $(Self::$fault(fault) => catalogue::Fault::instances(fault)),* }
            }

            fn own_mistake(&self) -> Option<(&'static str, String)> {
                match self { $(Self::$fault(fault) => catalogue::Fault::mistake(fault)),* }
            }
        }

        impl FaultSet {
            /// The fault acts from now on; one of its kind that did is replaced.
            pub fn put(&mut self, fault: FleetFault) {
                match fault { $(FleetFault::$fault(fault) => self.$file = Some(fault)),* }
            }

            /// The fault acts no longer; false where it did not.
            pub fn mend(&mut self, kind: FleetFaultKind) -> bool {
                match kind { $(FleetFaultKind::$fault => self.$file.take().is_some()),* }
            }

            /// Those that act on the instance at this place.
            pub fn of(&self, index: usize) -> Self {
                let mut own = self.clone();
                $(own.$file = own.$file.filter(|fault| {
                    catalogue::reaches(catalogue::Fault::instances(fault), index)
                });)*
                own
            }
        }
    };
}

pub(super) use fleet_faults;

impl super::FleetFault {
    /// Sets these attributes; what is wrong with them, or with the fault as a whole.
    pub fn set<'de, V, E>(
        &mut self,
        given: impl IntoIterator<Item = (String, V)>,
    ) -> Vec<super::AttributeMistake>
    where
        V: serde::de::IntoDeserializer<'de, E>,
        E: serde::de::Error,
    {
        let word = self.kind().word();
        let mut mistakes = super::super::attribute::set(word, &mut self.attributes(), given);
        if mistakes.is_empty() {
            mistakes.extend(self.mistake());
        }
        mistakes
    }

    fn mistake(&self) -> Option<super::AttributeMistake> {
        let mut own = self.clone();
        let attributes = own.attributes();
        let each = || attributes.iter();
        let (name, sentence) = each()
            .find_map(|one| Some((one.name, one.mistake()?)))
            .or_else(|| self.own_mistake())
            .or_else(|| each().find_map(|one| Some((one.name, one.without_effect()?))))?;
        Some(super::AttributeMistake {
            name: name.to_owned(),
            sentence,
        })
    }
}

/// As a sentence calls it: `identity_down (share 50 %)`.
impl std::fmt::Display for super::FleetFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut own = self.clone();
        let word = own.kind().word();
        let parts: Vec<String> = own
            .attributes()
            .iter()
            .map(|it| format!("{} {}", it.name, it.value()))
            .collect();
        if parts.is_empty() {
            f.write_str(word)
        } else {
            write!(f, "{word} ({})", parts.join(", "))
        }
    }
}

impl std::fmt::Display for super::FleetFaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{FaultSet, FleetFault, FleetFaultKind};

    #[test]
    fn records_hold_a_fault_with_its_attributes() {
        for (kind, word) in FleetFaultKind::ALL {
            let usual = kind.usual();
            assert_eq!(usual.kind(), kind);
            let written = serde_json::to_value(&usual).unwrap();
            assert_eq!(written["fault"], word);
            assert_eq!(
                serde_json::from_value::<FleetFault>(written).unwrap(),
                usual
            );
            let mut set = FaultSet::default();
            assert!(!set.mend(kind), "{word}");
            set.put(usual);
            assert_ne!(set, FaultSet::default(), "{word}");
            assert!(set.mend(kind), "{word}");
            assert_eq!(set, FaultSet::default(), "{word}");
        }
        assert_eq!(
            serde_json::to_value(FaultSet::default()).unwrap(),
            json!({})
        );
    }

    #[test]
    fn every_default_is_right_and_every_fault_is_described() {
        for (kind, word) in FleetFaultKind::ALL {
            assert_eq!(kind.usual().mistake(), None, "{word}");
            for text in [kind.about(), kind.undo()] {
                assert!(text.ends_with('.') && text.len() > 20, "{word}: {text}");
            }
            let mut causes = FleetFaultKind::ALL.iter().map(|(kind, _)| kind.cause());
            assert_eq!(causes.by_ref().filter(|it| *it == kind.cause()).count(), 1);
        }
    }

    #[test]
    fn a_fault_that_does_nothing_is_refused_at_its_attribute() {
        for (kind, attribute, value) in [
            (FleetFaultKind::IdentityDown, "share", "0 %"),
            (FleetFaultKind::WorkersLeaked, "share", "0 %"),
            (FleetFaultKind::BalancerLinkLost, "share", "0 %"),
            (FleetFaultKind::ProcessorBurned, "share", "0 %"),
            (FleetFaultKind::LockConvoy, "holds", "constant(0s)"),
            (FleetFaultKind::BalancerLinkDelayed, "delay", "constant(0s)"),
            (FleetFaultKind::StopTheWorld, "lasts", "constant(0s)"),
        ] {
            let set = |value: &str| {
                let mut fault = kind.usual();
                fault.set([(attribute.to_owned(), json!(value))])
            };
            let mistakes = set(value);
            assert_eq!(mistakes.len(), 1, "{kind}: {mistakes:?}");
            assert_eq!(mistakes[0].name, attribute, "{kind}");
            let least = if attribute == "share" {
                "1 %"
            } else {
                "constant(1ms)"
            };
            assert_eq!(set(least), [], "{kind}");
        }
    }

    #[test]
    fn a_fault_reaches_so_many_instances_from_the_first_on() {
        let mut fault = FleetFaultKind::PermissionsWrong.usual();
        let none: Vec<_> = fault.set([("instances".to_owned(), json!(2))]);
        assert!(none.is_empty(), "{none:?}");
        let mut set = FaultSet::default();
        set.put(fault);
        let reached = (0..4).filter(|index| set.of(*index) != FaultSet::default());
        assert_eq!(reached.collect::<Vec<_>>(), [0, 1]);
    }
}
