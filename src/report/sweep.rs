//! A map over two parameters: characters on a terminal, a drawing as SVG, and a
//! page around it.

use std::fmt::Write as _;

use askama::Template;

use super::drawing::escaped;
use super::figures::number;
use crate::analysis::{AxisValues, Edge, Region, Sweep};
use crate::error::{Error, Result};
use crate::units::whole;

/// How a region looks: its character, its colour (of Okabe and Ito's, which
/// people with any colour vision can tell apart), and what it means.
const LOOKS: [(Region, char, &str, &str); 5] = [
    (
        Region::Recovered,
        '·',
        "#56b4e9",
        "stable: service recovers when the trigger ends",
    ),
    (
        Region::SlowDrain,
        'o',
        "#009e73",
        "stable: service recovers by itself, after a backlog has drained",
    ),
    (
        Region::Metastable,
        '#',
        "#d55e00",
        "vulnerable: healthy until the trigger, and down after it (metastable failure)",
    ),
    (
        Region::Overloaded,
        'X',
        "#59616d",
        "not healthy even without the trigger",
    ),
    (
        Region::Undetermined,
        '?',
        "#d9dde3",
        "undetermined: no verdict could be given",
    ),
];

fn look(region: Region) -> (char, &'static str) {
    let found = LOOKS.iter().find(|look| look.0 == region);
    found.map_or(('?', ""), |look| (look.1, look.2))
}

/// A value of an axis with its unit.
fn written(axis: &AxisValues, value: f64) -> String {
    let digits = if value.fract() == 0.0 { 0 } else { 3 };
    let text = format!("{value:.digits$}");
    let text = if digits > 0 {
        text.trim_end_matches('0').to_owned()
    } else {
        text
    };
    format!("{text}{}", axis.unit)
}

/// What each edge says, row by row.
pub(super) fn edges(sweep: &Sweep) -> Vec<String> {
    let beyond = |edge: &Edge| match edge.beyond {
        Region::Overloaded => "it is overloaded",
        _ => "it stays down",
    };
    let place = |row: usize| {
        let value = sweep.y.values.get(row).copied().unwrap_or_default();
        if sweep.y.key.is_empty() {
            String::new()
        } else {
            format!("{} {}: ", sweep.y.key, written(&sweep.y, value))
        }
    };
    if sweep.seeds > 1 {
        let told = sweep.bands.iter().map(|band| {
            let (end, beyond) = if band.below {
                ("up to", "from")
            } else {
                ("from", "up to")
            };
            let (place, key) = (place(band.row), &sweep.x.key);
            let end_of = |end: f64| written(&sweep.x, end);
            match (band.every_seed, band.no_seed) {
                (Some(every), Some(none)) => format!(
                    "{place}service recovers with every seed {end} {key} {}, and with none \
                     {beyond} {}; between, chance decides",
                    end_of(every),
                    end_of(none)
                ),
                (Some(every), None) => format!(
                    "{place}service recovers with every seed {end} {key} {}; beyond, chance \
                     decides",
                    end_of(every)
                ),
                (None, none) => format!(
                    "{place}service recovers with no seed {beyond} {key} {}; before, chance \
                     decides",
                    none.map_or_else(String::new, end_of)
                ),
            }
        });
        return told.collect();
    }
    sweep
        .edges
        .iter()
        .map(|edge| {
            let place = place(edge.row);
            format!(
                "{place}service recovers {} {} {}; at {} {}",
                if edge.comes_back < edge.stuck {
                    "up to"
                } else {
                    "from"
                },
                sweep.x.key,
                written(&sweep.x, edge.comes_back),
                written(&sweep.x, edge.stuck),
                beyond(edge)
            )
        })
        .collect()
}

/// The hidden capacity in a sentence.
pub(super) fn hidden_capacity(sweep: &Sweep) -> Option<String> {
    let (least, most) = sweep.hidden_capacity()?;
    let range = if least < most {
        format!(
            "{} to {}",
            written(&sweep.x, least),
            written(&sweep.x, most)
        )
    } else {
        written(&sweep.x, least)
    };
    Some(format!(
        "Hidden capacity: {} {range}. Above it the system is healthy only until something \
         triggers a failure.",
        sweep.x.key
    ))
}

/// The regions that the map shows, with their characters and meanings.
fn legend(
    sweep: &Sweep,
) -> impl Iterator<Item = &'static (Region, char, &'static str, &'static str)> {
    let there = |region: Region| sweep.regions.iter().flatten().any(|it| *it == region);
    LOOKS.iter().filter(move |look| there(look.0))
}

/// The map for a terminal: the last row of y on top.
pub(crate) fn text(sweep: &Sweep) -> String {
    let mut text = format!("{}\n\n", sweep.title);
    let labels: Vec<String> = sweep
        .y
        .values
        .iter()
        .map(|value| written(&sweep.y, *value))
        .collect();
    let two = !sweep.y.key.is_empty();
    let widest = labels.iter().map(|label| label.chars().count()).max();
    let margin = if two { widest.unwrap_or(0) } else { 0 };
    if two {
        let _ = writeln!(text, "  {}", sweep.y.key);
    }
    for (row, (regions, label)) in sweep.regions.iter().zip(&labels).enumerate().rev() {
        let label = if two { label } else { "" };
        let _ = write!(text, "  {label:>margin$} ");
        for (column, region) in regions.iter().enumerate() {
            let _ = write!(text, " {}", character(sweep, row, column, *region));
        }
        text.push('\n');
    }
    let ends = [sweep.x.values.first(), sweep.x.values.last()];
    let [first, last] = ends.map(|end| written(&sweep.x, end.copied().unwrap_or_default()));
    let _ = writeln!(
        text,
        "  {:margin$}  {first} … {last}  {}\n",
        "", sweep.x.key
    );
    for (region, character, _, meaning) in legend(sweep) {
        let _ = writeln!(text, "  {character}  {}: {meaning}", region.word());
    }
    if sweep.seeds > 1 {
        let _ = writeln!(
            text,
            "  1–9  of ten seeds so many recover (of {} that were simulated)",
            sweep.seeds
        );
    }
    text.push('\n');
    for edge in edges(sweep) {
        let _ = writeln!(text, "  {edge}");
    }
    if let Some(hidden) = hidden_capacity(sweep) {
        let _ = writeln!(text, "\n{hidden}");
    }
    text
}

/// How a point looks: where the seeds disagree, in how many tenths of them service recovers.
fn character(sweep: &Sweep, row: usize, column: usize, region: Region) -> char {
    let tenths = mixed(sweep, row, column).map(|share| (share * 10.0).round().clamp(1.0, 9.0));
    let digit = tenths.and_then(|tenths| char::from_digit(u32_of(tenths), 10));
    digit.unwrap_or(look(region).0)
}

fn u32_of(tenths: f64) -> u32 {
    u32::try_from(whole(tenths)).unwrap_or(0)
}

/// The share of seeds in which service recovers, where they disagree.
fn mixed(sweep: &Sweep, row: usize, column: usize) -> Option<f64> {
    let share = sweep.back.get(row)?.get(column).copied()?;
    (share > 0.0 && share < 1.0).then_some(share)
}

/// Width and height of a point in the drawing.
const CELL: (f64, f64) = (46.0, 30.0);
/// Room to the left of and below the points.
const MARGIN: (f64, f64) = (90.0, 56.0);

/// The map as a drawing.
pub(crate) fn svg(sweep: &Sweep) -> String {
    let (columns, rows) = (sweep.x.values.len(), sweep.regions.len());
    let (width, height) = (columns as f64 * CELL.0, rows as f64 * CELL.1);
    let top = 14.0;
    let full = (MARGIN.0 + width + 20.0, top + height + MARGIN.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" \
         aria-label=\"map of regions\" font-family=\"system-ui, sans-serif\" font-size=\"12\" \
         fill=\"currentColor\">\n",
        full.0, full.1
    );
    // A row stands as high as its place from below.
    let row_top = |row: usize| top + (rows - 1 - row) as f64 * CELL.1;
    for (row, regions) in sweep.regions.iter().enumerate() {
        for (column, region) in regions.iter().enumerate() {
            let _ = writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\">\
                 <title>{}</title></rect>",
                MARGIN.0 + column as f64 * CELL.0,
                row_top(row),
                CELL.0 - 1.0,
                CELL.1 - 1.0,
                look(*region).1,
                region.word()
            );
            if let Some(share) = mixed(sweep, row, column) {
                // As much of the point as seeds recover.
                let _ = writeln!(
                    svg,
                    "<path d=\"M{:.1} {:.1}h{:.1}v{:.1}h-{:.1}z\" fill=\"{}\">\
                     <title>{:.0} % of the seeds recover</title></path>",
                    MARGIN.0 + column as f64 * CELL.0,
                    row_top(row),
                    (CELL.0 - 1.0) * share,
                    CELL.1 - 1.0,
                    (CELL.0 - 1.0) * share,
                    look(Region::Recovered).1,
                    share * 100.0
                );
            }
        }
        if !sweep.y.key.is_empty() {
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                MARGIN.0 - 8.0,
                row_top(row) + CELL.1 / 2.0 + 4.0,
                escaped(&written(&sweep.y, sweep.y.values[row]))
            );
        }
    }
    for (column, value) in sweep.x.values.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            MARGIN.0 + (column as f64 + 0.5) * CELL.0,
            top + height + 18.0,
            escaped(&written(&sweep.x, *value))
        );
    }
    boundary(&mut svg, sweep, row_top);
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-weight=\"600\">{}</text>",
        MARGIN.0 + width / 2.0,
        top + height + 42.0,
        escaped(&sweep.x.key)
    );
    if !sweep.y.key.is_empty() {
        let middle = top + height / 2.0;
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{middle:.1}\" text-anchor=\"middle\" font-weight=\"600\" \
             transform=\"rotate(-90 16 {middle:.1})\">{}</text>",
            escaped(&sweep.y.key)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// The refined edge of each row, as one stroke in it.
fn boundary(svg: &mut String, sweep: &Sweep, row_top: impl Fn(usize) -> f64) {
    for band in &sweep.bands {
        // One that goes on has no other end to be drawn to.
        let ends = [band.every_seed, band.no_seed].map(|end| place_of(&sweep.x.values, end?));
        let [Some(one), Some(other)] = ends else {
            continue;
        };
        let left = MARGIN.0 + (one.min(other) + 0.5) * CELL.0;
        let y = row_top(band.row);
        let _ = writeln!(
            svg,
            "<path d=\"M{left:.1} {y:.1}h{:.1}v{:.1}h-{:.1}z\" fill=\"none\" \
             stroke=\"currentColor\" stroke-width=\"3\"/>",
            (one - other).abs() * CELL.0,
            CELL.1 - 1.0,
            (one - other).abs() * CELL.0
        );
    }
    for edge in sweep.edges.iter().filter(|_| sweep.seeds == 1) {
        let at = f64::midpoint(edge.comes_back, edge.stuck);
        let Some(x) = place_of(&sweep.x.values, at) else {
            continue;
        };
        let x = MARGIN.0 + (x + 0.5) * CELL.0;
        let y = row_top(edge.row);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{y:.1}\" y2=\"{:.1}\" stroke=\"currentColor\" \
             stroke-width=\"3\"/>",
            y + CELL.1 - 1.0
        );
    }
}

/// Where a value lies among the points, as a fraction of places.
fn place_of(values: &[f64], at: f64) -> Option<f64> {
    let above = values.iter().position(|value| *value >= at)?;
    let Some(below) = above.checked_sub(1) else {
        return Some(0.0);
    };
    let (low, high) = (values[below], values[above]);
    Some(below as f64 + (at - low) / (high - low))
}

#[derive(Template)]
#[template(path = "sweep.html", config = "src/report/askama.toml")]
struct Page<'a> {
    sweep: &'a Sweep,
    style: &'static str,
    svg: String,
    legend: Vec<(&'static str, &'static str, &'static str)>,
    edges: Vec<String>,
    hidden: Option<String>,
    points: String,
}

/// The page around the drawing: one file, without scripts, readable offline.
///
/// # Errors
///
/// Never; a failure is our mistake.
pub(crate) fn html(sweep: &Sweep) -> Result<String> {
    let points = sweep.x.values.len() * sweep.y.values.len();
    Page {
        sweep,
        style: include_str!("assets/report.css"),
        svg: svg(sweep),
        legend: legend(sweep)
            .map(|(region, _, colour, meaning)| (*colour, region.word(), *meaning))
            .collect(),
        edges: edges(sweep),
        hidden: hidden_capacity(sweep),
        points: number(points as f64),
    }
    .render()
    .map_err(|cause| Error::failed(format!("failed to write the page: {cause}")))
}

#[cfg(test)]
mod tests {
    use super::Region::{Metastable, Overloaded, Recovered, SlowDrain};
    use super::*;
    use crate::analysis::Band;

    fn sweep() -> Sweep {
        let axis = |key: &str, unit: &str, values: &[f64]| AxisValues {
            key: key.into(),
            unit: unit.into(),
            values: values.to_vec(),
        };
        Sweep {
            scenario: "retry-collapse".into(),
            title: "Retries <keep> it down".into(),
            seed: 1,
            x: axis("load.rate", "/s", &[2.0, 4.0, 6.0, 8.0]),
            y: axis("target.fleet.queue", "", &[10.0, 100.0]),
            regions: vec![
                vec![Recovered, Recovered, SlowDrain, Overloaded],
                vec![Recovered, Metastable, Metastable, Overloaded],
            ],
            edges: vec![
                Edge {
                    row: 0,
                    comes_back: 7.5,
                    stuck: 7.75,
                    beyond: Overloaded,
                },
                Edge {
                    row: 1,
                    comes_back: 3.25,
                    stuck: 3.5,
                    beyond: Metastable,
                },
            ],
            seeds: 1,
            back: Vec::new(),
            bands: Vec::new(),
        }
    }

    #[test]
    fn where_the_seeds_disagree_the_edge_is_a_band() {
        let several = Sweep {
            seeds: 10,
            back: vec![vec![1.0, 1.0, 1.0, 0.0], vec![1.0, 0.7, 0.04, 0.0]],
            bands: vec![Band {
                row: 1,
                every_seed: Some(3.25),
                no_seed: Some(6.5),
                below: true,
            }],
            ..sweep()
        };
        let text = text(&several);
        assert!(text.contains("100  · 7 1 X"), "{text}");
        assert!(
            text.contains(
                "queue 100: service recovers with every seed up to load.rate 3.25/s, and with \
                 none from 6.5/s; between, chance decides"
            ),
            "{text}"
        );
        let one_end = Sweep {
            bands: vec![Band {
                row: 0,
                every_seed: Some(3.25),
                no_seed: None,
                below: false,
            }],
            ..several.clone()
        };
        let told = self::text(&one_end);
        assert!(
            told.contains("with every seed from load.rate 3.25/s; beyond, chance decides"),
            "{told}"
        );
        let svg = svg(&several);
        assert_eq!(svg.matches("<line").count(), 0);
        // Two points of both kinds, and the band around them.
        assert_eq!(svg.matches("<path").count(), 3);
    }

    #[test]
    fn the_map_in_characters() {
        insta::assert_snapshot!(text(&sweep()));
    }

    #[test]
    fn the_drawing_has_every_point_and_edge_and_hides_no_text() {
        let svg = svg(&sweep());
        assert_eq!(svg.matches("<rect").count(), 8);
        assert_eq!(svg.matches("<line").count(), 2);
        let page = html(&sweep()).unwrap();
        assert!(page.contains("Hidden capacity: load.rate 3.25/s"));
        assert!(!page.contains("<keep>") && page.contains("Retries &#60;keep&#62;"));
    }

    #[test]
    fn places_lie_between_the_points() {
        assert_eq!(place_of(&[2.0, 4.0, 8.0], 6.0), Some(1.5));
        assert_eq!(place_of(&[2.0, 4.0], 2.0), Some(0.0));
        assert_eq!(place_of(&[2.0, 4.0], 5.0), None);
    }
}
