//! How attributes of faults are written: as whole counts of Toxiproxy's units.
//!
//! Its clients send `"latency": 2000`, and so does the record. A scenario gives
//! times as texts such as "2s". Both are read here, so that everybody else has
//! durations and bytes, and no one multiplies by a thousand.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use crate::units::Nanos;

/// A day: longer than any run, and far from where sums of times end.
const TIME_MAX: Nanos = Nanos::from_secs(24 * 3600);
/// A petabyte in all, or in kilobytes a second; more is a mistake of units.
const AMOUNT_MAX: u64 = 1_000_000_000_000;

/// What is wrong with an attribute that is a time.
pub(super) fn time_mistake(time: Nanos) -> Option<String> {
    (time > TIME_MAX).then(|| "a time is longer than a day (86400000 ms)".into())
}

/// What is wrong with an attribute that counts bytes or kilobytes.
pub(super) fn amount_mistake(amount: u64) -> Option<String> {
    let sentence = || format!("{amount} is more than {AMOUNT_MAX}; is the unit right?");
    (amount > AMOUNT_MAX).then(sentence)
}

/// A unit of time that an attribute counts.
trait Unit {
    const UNIT: Nanos;
    const WORD: &'static str;
}

struct Count<U>(PhantomData<U>);

impl<U: Unit> Visitor<'_> for Count<U> {
    type Value = Nanos;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a count of {}s", U::WORD)
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Nanos, E> {
        Ok(Nanos(count.saturating_mul(U::UNIT.0)))
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<Nanos, E> {
        match u64::try_from(count) {
            Ok(count) => self.visit_u64(count),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(count), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Nanos, E> {
        let time: Nanos = text.parse().map_err(E::custom)?;
        if time.0.is_multiple_of(U::UNIT.0) {
            return Ok(time);
        }
        let word = U::WORD;
        Err(E::custom(format!("{time} is not in whole {word}s")))
    }
}

fn read<'de, U: Unit, D: Deserializer<'de>>(deserializer: D) -> Result<Nanos, D::Error> {
    deserializer.deserialize_any(Count::<U>(PhantomData))
}

fn write<U: Unit, S: Serializer>(time: Nanos, serializer: S) -> Result<S::Ok, S::Error> {
    (time.0 / U::UNIT.0).serialize(serializer)
}

macro_rules! counted {
    ($name:ident, $unit:expr, $word:literal) => {
        #[doc = concat!("A time that is written as a count of ", $word, "s.")]
        pub(super) mod $name {
            use super::{Deserializer, Nanos, Serializer, Unit};

            struct UnitCount;

            impl Unit for UnitCount {
                const UNIT: Nanos = $unit;
                const WORD: &'static str = $word;
            }

            pub(crate) fn serialize<S: Serializer>(
                time: &Nanos,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                super::write::<UnitCount, S>(*time, serializer)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Nanos, D::Error> {
                super::read::<UnitCount, D>(deserializer)
            }
        }
    };
}

counted!(milliseconds, Nanos::from_millis(1), "millisecond");
counted!(microseconds, Nanos::from_micros(1), "microsecond");

/// Bytes that are written as a count of kilobytes.
pub(super) mod kilobytes {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    /// Bytes of a kilobyte: 1,000, as rates of lines are given (Toxiproxy likewise).
    pub(crate) const KILOBYTE: u64 = 1_000;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(bytes: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        (bytes / KILOBYTE).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        u64::deserialize(deserializer).map(|count| count.saturating_mul(KILOBYTE))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Latency, Slicer};
    use crate::units::Nanos;

    #[test]
    fn times_are_counts_or_texts_and_are_written_as_counts() {
        let read = |given| serde_json::from_value::<Latency>(json!({ "latency": given }));
        for given in [json!(2_000), json!("2s")] {
            let latency = read(given).unwrap();
            assert_eq!(latency.latency, Nanos::from_secs(2));
            let written = serde_json::to_value(latency).unwrap();
            assert_eq!(written, json!({ "latency": 2_000, "jitter": 0 }));
        }
        let slicer: Slicer = serde_json::from_value(json!({ "delay": 300 })).unwrap();
        assert_eq!(slicer.delay, Nanos::from_micros(300));
        let error = read(json!("1500us")).unwrap_err().to_string();
        assert!(
            error.starts_with("1.5ms is not in whole milliseconds"),
            "{error}"
        );
        assert!(read(json!(u64::MAX)).unwrap().latency == Nanos::MAX);
    }
}
