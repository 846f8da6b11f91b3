//! Figures that `./test --long` measures each time, and of which docs/ quotes one time.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Prints them. They are kept in reports/long/ where there are none yet: those that docs/ quotes
/// stay until somebody removes them, and a part that has passed leaves every file as it was.
pub(crate) fn keep(name: &str, figures: &Value) {
    let text = serde_json::to_string_pretty(figures).unwrap() + "\n";
    let place = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("reports/long")
        .join(name);
    print!("{text}");
    if place.exists() {
        println!("reports/long/{name} is of another time: remove it to keep these");
    } else {
        fs::write(place, text).unwrap();
    }
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
