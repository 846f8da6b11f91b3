//! From which difference on a figure matters in practice.

use std::str::FromStr;

use super::blocks::FIGURES;
use crate::plan::Figure;
use crate::units::Ratio;

/// What matters where nothing else is said: a twentieth of a figure.
const MATTERS: f64 = 0.05;

/// The bounds of practical difference, as shares of the base's figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// Of every figure that has none of its own.
    all: f64,
    /// Of single figures; of two for one figure the later counts.
    of: Vec<(Figure, f64)>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            all: MATTERS,
            of: Vec::new(),
        }
    }
}

impl Bounds {
    /// The bound of a figure.
    pub fn of(&self, figure: Figure) -> f64 {
        let mut own = self.of.iter().rev();
        let own = own.find(|(named, _)| *named == figure);
        own.map_or(self.all, |(_, share)| *share)
    }
}

impl FromIterator<PracticalBound> for Bounds {
    fn from_iter<T: IntoIterator<Item = PracticalBound>>(said: T) -> Self {
        let mut bounds = Self::default();
        for PracticalBound { figure, share } in said {
            match figure {
                None => bounds.all = share.get(),
                Some(figure) => bounds.of.push((figure, share.get())),
            }
        }
        bounds
    }
}

/// One bound as it is written: `5 %` for all figures, or `response p99=10 %`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PracticalBound {
    /// Of which figure; none: of every other.
    figure: Option<Figure>,
    /// A share of the figure.
    share: Ratio,
}

impl FromStr for PracticalBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (figure, share) = match text.rsplit_once('=') {
            None => (None, text),
            Some((name, share)) => {
                let figure = Figure::named(name.trim(), |it| FIGURES.contains(&it))
                    .map_err(|why| format!("among those that are compared {why}"))?;
                (Some(figure), share)
            }
        };
        let share = share.trim().parse::<Ratio>();
        let share = share.map_err(|cause| format!("{cause}"))?;
        Ok(Self { figure, share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(said: &[&str]) -> Bounds {
        said.iter().map(|it| it.parse().unwrap()).collect()
    }

    fn of(said: &[&str], figure: Figure) -> String {
        bounds(said).of(figure).to_string()
    }

    #[test]
    fn a_figure_has_its_own_bound_or_that_of_all() {
        let said = ["response p99=10 %", "2 %", "errors = 50 %"];
        assert_eq!(of(&said, Figure::ResponseP99), "0.1");
        assert_eq!(of(&said, Figure::ErrorShare), "0.5");
        assert_eq!(of(&said, Figure::Goodput), "0.02");
        assert_eq!(of(&["p99=1 %", "p99=3 %"], Figure::ResponseP99), "0.03");
        assert_eq!(of(&[], Figure::ResponseP99), "0.05");
    }

    #[test]
    fn a_figure_that_is_not_compared_and_a_share_that_is_none_are_refused() {
        let refused = |text: &str| text.parse::<PracticalBound>().unwrap_err();
        assert!(refused("respons p99=1 %").ends_with("did you mean `response p99`?"));
        assert!(
            refused("time to detect=1 %").contains("compared there is no figure `time to detect`")
        );
        assert!(refused("response p99=fast").contains("fast"));
    }
}
