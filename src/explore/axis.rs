//! An axis of a sweep: a key of the scenario and the values it goes through.

use std::str::FromStr;

use crate::analysis::AxisValues;
use crate::scenario::Setting;

/// A key and the range of its values: `load.rate=2..12/s`.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    setting: Setting,
    from: f64,
    to: f64,
    unit: String,
    /// Both ends are whole numbers without a unit, so all points are.
    whole: bool,
}

impl FromStr for Axis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let setting: Setting = text.parse()?;
        let wrong = || {
            format!(
                "{text:?} is not a range of values; write one as load.rate=2..12/s or \
                 target.fleet.workers=1..16"
            )
        };
        let (from, to) = setting.value().split_once("..").ok_or_else(wrong)?;
        let (from, first) = number(from).ok_or_else(wrong)?;
        let (to, unit) = number(to).ok_or_else(wrong)?;
        if from >= to || !(first.is_empty() || first == unit) {
            return Err(wrong());
        }
        let unit = unit.to_owned();
        let whole = unit.is_empty() && from.fract() == 0.0 && to.fract() == 0.0;
        Ok(Self {
            setting,
            from,
            to,
            unit,
            whole,
        })
    }
}

/// The number that a text begins with, and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit.trim()))
}

impl Axis {
    /// So many values from the first to the last, evenly spread; fewer where
    /// they are whole numbers and not so many lie between.
    pub fn values(&self, points: usize) -> AxisValues {
        let points = points.max(2);
        let step = (self.to - self.from) / (points - 1) as f64;
        let mut values: Vec<f64> = (0..points)
            .map(|place| self.nearest(self.from + step * place as f64))
            .collect();
        values.dedup();
        AxisValues {
            key: self.setting.key(),
            unit: self.unit.clone(),
            values,
        }
    }

    /// The setting of its first value.
    pub fn first(&self) -> Setting {
        self.at(self.from)
    }

    /// The value that lies in the middle; none where there is none between.
    pub fn between(&self, low: f64, high: f64) -> Option<f64> {
        let middle = self.nearest(f64::midpoint(low, high));
        (middle > low && middle < high).then_some(middle)
    }

    /// The setting that gives the key this value.
    pub fn at(&self, value: f64) -> Setting {
        self.setting.with(format!("{value}{}", self.unit))
    }

    /// A value of the axis: whole where all are, else of four significant digits.
    fn nearest(&self, value: f64) -> f64 {
        if self.whole {
            return value.round();
        }
        let text = format!("{value:.4e}");
        text.parse().unwrap_or(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_divided() {
        let axis: Axis = "load.rate=2..12/s".parse().unwrap();
        let values = axis.values(11);
        assert_eq!(values.values.first(), Some(&2.0));
        assert_eq!(
            (values.values.len(), values.values.last()),
            (11, Some(&12.0))
        );
        assert_eq!(axis.at(2.5).to_string(), "load.rate=2.5/s");
        assert_eq!(axis.between(2.0, 3.0), Some(2.5));
        let whole: Axis = "target.fleet.queue=1..3".parse().unwrap();
        assert_eq!(whole.values(11).values, [1.0, 2.0, 3.0]);
        assert_eq!(whole.between(1.0, 2.0), None);
        for text in ["load.rate", "load.rate=3", "a=2..1", "a=1ms..2s", "a=x..y"] {
            assert!(text.parse::<Axis>().is_err(), "{text}");
        }
    }
}
