//! A second, plain detection of changes, which begins anew with each series: formulas summed
//! as they stand, means and squares in two passes, windows from the first run on.

use threadbare::analysis::trend::Sensitivity;

/// Whose detection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Whose {
    /// As the papers define it.
    Defined,
    /// As Otava computes it, which differs in two places: variances have the divisor n and
    /// are pooled as if it were n − 1, and when a division is taken back its right
    /// neighbour and the one behind that are tested anew, where its left and right ones
    /// have changed.
    Otava,
}

/// The energy statistic of X and Y (arXiv 1306.4933), pair by pair.
fn difference(first: &[f64], second: &[f64]) -> f64 {
    let pairs = |one: &[f64], other: &[f64]| -> f64 {
        let apart = |x: &f64| other.iter().map(|y| (x - y).abs()).sum::<f64>();
        one.iter().map(apart).sum()
    };
    let (n, m) = (first.len() as f64, second.len() as f64);
    // Each pair of one side is counted twice.
    let within = |part: &[f64], count: f64| match count {
        1.0 => 0.0,
        _ => pairs(part, part) / 2.0 / (count * (count - 1.0) / 2.0),
    };
    let between = 2.0 / (n * m) * pairs(first, second);
    n * m / (n + m) * (between - within(first, n) - within(second, m))
}

/// The best division of a stretch, and how different its parts are.
fn divided(values: &[f64]) -> Option<(f64, usize)> {
    let mut best: Option<(f64, usize)> = None;
    for at in 1..values.len() {
        for end in at + 1..=values.len() {
            let found = difference(&values[..at], &values[at..end]);
            // What is equal but for rounding is equal: the first counts.
            if best.is_none_or(|(most, _)| found > most + 1e-9 * most.abs()) {
                best = Some((found, at));
            }
        }
    }
    best
}

/// Student's p-value by Simpson's rule over the density, up to a factor that cancels.
pub(super) fn p_value(before: &[f64], after: &[f64], whose: Whose) -> f64 {
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let squares = |part: &[f64]| {
        let about_mean = part.iter().map(|x| (x - mean(part)).powi(2)).sum::<f64>();
        let count = part.len() as f64;
        match whose {
            Whose::Defined => about_mean,
            Whose::Otava => about_mean * (count - 1.0) / count,
        }
    };
    let freedom = (before.len() + after.len()) as f64 - 2.0;
    if freedom < 1.0 {
        return 1.0;
    }
    let variance = (squares(before) + squares(after)) / freedom;
    let lengths = 1.0 / before.len() as f64 + 1.0 / after.len() as f64;
    let apart = (mean(before) - mean(after)).abs();
    if apart == 0.0 {
        return 1.0;
    }
    let t = apart / (variance * lengths).sqrt();
    // With t = √ν tan(a) the density is cos(a)^(ν−1).
    let density = |angle: f64| angle.cos().powf(freedom - 1.0);
    let integral = |from: f64, to: f64| {
        let steps = 600;
        let step = (to - from) / f64::from(steps);
        let inner = (1..steps).map(|at| {
            let weight = if at % 2 == 1 { 4.0 } else { 2.0 };
            weight * density(from + f64::from(at) * step)
        });
        (density(from) + inner.sum::<f64>() + density(to)) * step / 3.0
    };
    let quarter = std::f64::consts::FRAC_PI_2;
    let angle = (t / freedom.sqrt()).atan();
    integral(angle, quarter) / integral(0.0, quarter)
}

/// A division: its p-value and its magnitude.
fn tested(series: &[f64], edges: &[usize], place: usize, whose: Whose) -> (f64, f64) {
    let [from, at, to] = [place - 1, place, place + 1].map(|edge| edges[edge]);
    let (before, after) = (&series[from..at], &series[at..to]);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let beyond = |base: f64, other: f64| match base {
        0.0 => 0.0,
        _ => (other / base - 1.0).abs(),
    };
    let (first, second) = (mean(before), mean(after));
    let size = beyond(first, second).max(beyond(second, first));
    (p_value(before, after, whose), size)
}

/// The edges of a window's stretches.
fn window(values: &[f64], significance: f64, whose: Whose) -> Vec<usize> {
    let mut edges = vec![0, values.len()];
    loop {
        let stretches = edges.windows(2);
        let found = stretches.filter_map(|ends| {
            let (most, at) = divided(&values[ends[0]..ends[1]])?;
            Some((most, ends[0] + at))
        });
        let best = found.reduce(|one, other| if other.0 > one.0 { other } else { one });
        let Some((_, division)) = best else {
            return edges;
        };
        let place = edges.partition_point(|edge| *edge < division);
        edges.insert(place, division);
        if tested(values, &edges, place, whose).0 > significance {
            edges.remove(place);
            return edges;
        }
    }
}

/// Where the series changed.
pub(super) fn changes(series: &[f64], sensitivity: Sensitivity, whose: Whose) -> Vec<usize> {
    let Sensitivity {
        window: length,
        significance,
        magnitude,
        ..
    } = sensitivity;
    let relaxed = significance * if significance < 0.05 { 10.0 } else { 2.0 };
    let mut edges = vec![0];
    let mut start = 0;
    while start < series.len() {
        let values = &series[start..series.len().min(start + length)];
        let own = window(values, relaxed, whose);
        edges.extend(own[1..own.len() - 1].iter().map(|edge| start + edge));
        start = (*edges.last().unwrap()).max(start + length / 2);
    }
    edges.push(series.len());
    let mut tests: Vec<(f64, f64)> = (1..edges.len() - 1)
        .map(|place| tested(series, &edges, place, whose))
        .collect();
    while let Some(weakest) = weakest(&tests, significance, magnitude) {
        edges.remove(weakest + 1);
        tests.remove(weakest);
        let anew = match whose {
            Whose::Defined => weakest.saturating_sub(1)..weakest + 1,
            Whose::Otava => weakest..weakest + 2,
        };
        for place in anew {
            if let Some(test) = tests.get_mut(place) {
                *test = tested(series, &edges, place + 1, whose);
            }
        }
    }
    edges[1..edges.len() - 1].to_vec()
}

fn weakest(tests: &[(f64, f64)], significance: f64, magnitude: f64) -> Option<usize> {
    let first = |better: fn(&(f64, f64), &(f64, f64)) -> bool| {
        (0..tests.len()).reduce(|one, other| {
            if better(&tests[other], &tests[one]) {
                other
            } else {
                one
            }
        })
    };
    let chance = first(|it, than| it.0 > than.0)?;
    if tests[chance].0 >= significance {
        return Some(chance);
    }
    first(|it, than| it.1 < than.1).filter(|least| tests[*least].1 <= magnitude)
}
