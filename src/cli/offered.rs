//! The rate of `threadbare load` as its user writes it.

use std::result::Result;
use std::str::FromStr;

use crate::model::Shape;
use crate::units::{Nanos, Rate};

/// A rate over the time of the load.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Offered {
    /// Steps of equal length; a constant rate is one of them.
    Steps(Vec<Rate>),
    /// A rate, and others in its place for a while.
    Spikes { base: Rate, spikes: Vec<Spike> },
    /// One shape from beginning to end: a ramp or a sine.
    Shape(Shape),
}

/// Another rate for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spike {
    rate: Rate,
    from: Nanos,
    to: Nanos,
}

impl Offered {
    /// How the rate goes from each instant on.
    pub(super) fn pieces(&self, end: Nanos) -> Vec<(Nanos, Shape)> {
        match self {
            Self::Steps(rates) => {
                let length = end / rates.len() as u64;
                let starts = (0..).map(|step| length * step);
                let shapes = rates.iter().copied().map(Shape::Constant);
                starts.zip(shapes).collect()
            }
            Self::Spikes { base, spikes } => {
                let mut pieces = vec![(Nanos::ZERO, Shape::Constant(*base))];
                for spike in spikes {
                    pieces.push((spike.from, Shape::Constant(spike.rate)));
                    pieces.push((spike.to, Shape::Constant(*base)));
                }
                pieces
            }
            Self::Shape(shape) => vec![(Nanos::ZERO, *shape)],
        }
    }

    /// How long so many operations take at most, evenly spaced.
    pub(super) fn time_for(&self, operations: u64) -> Nanos {
        let per_second = match self {
            Self::Steps(rates) => mean(rates),
            Self::Shape(Shape::Ramp { from, to }) => mean(&[*from, *to]),
            // Up first and down then, so never behind its mean.
            Self::Shape(Shape::Constant(rate) | Shape::Sine { mean: rate, .. })
            | Self::Spikes { base: rate, .. } => rate.as_per_second(),
        };
        let behind = match self {
            Self::Spikes { spikes, .. } => spikes.last().map_or(Nanos::ZERO, |spike| spike.to),
            _ => Nanos::ZERO,
        };
        behind.saturating_add(Nanos::from_secs_f64(operations as f64 / per_second))
    }
}

fn mean(rates: &[Rate]) -> f64 {
    let sum: f64 = rates.iter().map(|rate| rate.as_per_second()).sum();
    sum / rates.len() as f64
}

impl FromStr for Offered {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((from, to)) = text.split_once(':') {
            let (from, to) = (edge(from)?, edge(to)?);
            if from.as_per_second().max(to.as_per_second()) > 0.0 {
                return Ok(Self::Shape(Shape::Ramp { from, to }));
            }
            return Err("a ramp must be above zero at one of its ends".into());
        }
        if let Some((mean, swing)) = text.split_once('~') {
            return sine(mean, swing);
        }
        if !text.contains('@') {
            let rates = text.split(',').map(rate).collect::<Result<_, _>>()?;
            return Ok(Self::Steps(rates));
        }
        let mut parts = text.split(',');
        let base = rate(parts.next().unwrap_or_default())?;
        let spikes = parts.map(spike).collect::<Result<Vec<_>, _>>()?;
        if spikes.windows(2).any(|pair| pair[1].from < pair[0].to) {
            return Err("a spike begins before the one written before it has ended".into());
        }
        Ok(Self::Spikes { base, spikes })
    }
}

/// `500/30s` around a mean.
fn sine(mean: &str, swing: &str) -> Result<Offered, String> {
    let (amplitude, period) = swing
        .rsplit_once('/')
        .ok_or("a sine is written mean~amplitude/period, such as 1000~500/30s")?;
    let (mean, amplitude) = (rate(mean)?, rate(amplitude)?);
    let period: Nanos = period.parse().map_err(|error| format!("{error}"))?;
    if amplitude > mean {
        return Err("a sine's amplitude must be at most its mean: no rate is negative".into());
    }
    if period < Nanos::from_millis(1) {
        return Err("a sine's period must be at least 1ms".into());
    }
    Ok(Offered::Shape(Shape::Sine {
        mean,
        amplitude,
        period,
    }))
}

/// `5000@10s+5s`.
fn spike(text: &str) -> Result<Spike, String> {
    let parts = text
        .split_once('@')
        .and_then(|(rate, when)| Some((rate, when.split_once('+')?)));
    let (number, (from, length)) =
        parts.ok_or("a spike is written rate@start+length, such as 5000@10s+5s")?;
    let instant = |text: &str| text.parse::<Nanos>().map_err(|error| error.to_string());
    let from = instant(from)?;
    Ok(Spike {
        rate: rate(number)?,
        from,
        to: from.saturating_add(instant(length)?),
    })
}

/// A rate at an end of a ramp, which may be zero.
fn edge(text: &str) -> Result<Rate, String> {
    let number = text.parse::<f64>().ok();
    if number.is_some_and(|number| number > 1e9) {
        return Err("a rate must be at most 1000000000/s".into());
    }
    number
        .and_then(Rate::per_second)
        .map_or_else(|| text.parse::<Rate>().map_err(|e| e.to_string()), Ok)
}

/// A rate, with its unit or per second.
fn rate(text: &str) -> Result<Rate, String> {
    let rate = edge(text)?;
    if rate.as_per_second() > 0.0 {
        Ok(rate)
    } else {
        Err("a rate must be more than zero".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(u64, Shape)> {
        let pieces = text
            .parse::<Offered>()
            .unwrap()
            .pieces(Nanos::from_secs(12));
        let seconds = pieces
            .into_iter()
            .map(|(from, shape)| (from.0 / 1_000_000_000, shape));
        seconds.collect()
    }

    #[test]
    fn every_way_to_write_a_rate_is_lowered_to_pieces() {
        let rate = |value| Rate::per_second(value).unwrap();
        let constant = |value| Shape::Constant(rate(value));
        let (from, to) = (rate(10.0), rate(90.0));
        let sine = Shape::Sine {
            mean: rate(1000.0),
            amplitude: rate(500.0),
            period: Nanos::from_secs(30),
        };
        assert_eq!(pieces("2000"), [(0, constant(2000.0))]);
        assert_eq!(pieces("120/min"), [(0, constant(2.0))]);
        assert_eq!(pieces("10:90"), [(0, Shape::Ramp { from, to })]);
        assert_eq!(
            pieces("1,2,4"),
            [(0, constant(1.0)), (4, constant(2.0)), (8, constant(4.0))]
        );
        assert_eq!(pieces("1000~500/30s"), [(0, sine)]);
        assert_eq!(pieces("1000/s~500/s/30s"), [(0, sine)]);
        assert_eq!(
            pieces("5,50@2s+1s,9@3s+6s"),
            [
                (0, constant(5.0)),
                (2, constant(50.0)),
                (3, constant(5.0)),
                (3, constant(9.0)),
                (9, constant(5.0)),
            ]
        );
    }

    #[test]
    fn mistakes_are_told_with_an_example() {
        for (text, part) in [
            ("0", "more than zero"),
            ("fast", "such as|for example"),
            ("1e300", "at most 1000000000/s"),
            ("1:1e300/s", "at most 1000000000/s"),
            ("1,", "for example"),
            ("10~20/1s", "at most its mean"),
            ("10~5", "1000~500/30s"),
            ("10~5/30", "for example"),
            ("10~5/1us", "at least 1ms"),
            ("10,20@5s", "5000@10s+5s"),
            ("10,20", ""),
            ("10,20@5s+5s,30@9s+1s", "before it has ended"),
            ("10,20,30@9s+1s", "5000@10s+5s"),
        ] {
            match text.parse::<Offered>() {
                Ok(offered) => assert!(part.is_empty(), "{text}: {offered:?}"),
                Err(error) => assert!(
                    part.split('|').any(|part| error.contains(part)),
                    "{text}: {error}"
                ),
            }
        }
    }

    #[test]
    fn a_count_of_operations_fits_into_its_time() {
        use crate::model::{ArrivalProcess, Arrivals};
        for text in [
            "100",
            "100:300",
            "100,300",
            "100~99/1s",
            "100,900@1s+1s",
            "100,1@1s+3s",
        ] {
            let offered: Offered = text.parse().unwrap();
            let end = offered.time_for(450) + Nanos::from_millis(1);
            let rng = crate::rng::stream(1, "arrivals");
            let pieces = offered.pieces(end);
            let due = Arrivals::new(ArrivalProcess::Constant, &pieces, end, rng).count();
            assert!(due >= 450, "{text}: {due} by {end}");
        }
    }
}
