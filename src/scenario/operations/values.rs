//! Tables of values, from lists, ranges and files.

use crate::bounds::VALUES;
use crate::model::Rows;

/// The columns and rows of a CSV file whose first line names the columns.
///
/// # Errors
///
/// One sentence on what is wrong with it.
pub(super) fn csv(bytes: &[u8]) -> Result<(Vec<String>, Rows), String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let headers = reader.headers().map_err(|cause| cause.to_string())?;
    let columns: Vec<String> = headers.iter().map(|name| name.trim().to_owned()).collect();
    let mut cells = Vec::new();
    // A row with more or fewer cells than there are columns is an error of the reader's.
    for record in reader.records() {
        let record = record.map_err(|cause| cause.to_string())?;
        cells.extend(record.iter().map(str::to_owned));
        if cells.len() as u64 > VALUES.entries_max() {
            return Err(VALUES.too_many());
        }
    }
    if cells.is_empty() {
        return Err("it has no row below the columns' names".into());
    }
    let rows = Rows::Cells {
        columns: columns.len(),
        cells,
    };
    Ok((columns, rows))
}

/// All whole numbers from one to another.
pub(super) fn range(bounds: &[i64]) -> Option<Rows> {
    let [first, last] = *bounds else { return None };
    let count = last.checked_sub(first)?.checked_add(1)?;
    let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
    Some(Rows::Range { first, count })
}

/// A column of texts.
pub(super) fn list(values: &[String]) -> Rows {
    Rows::Cells {
        columns: 1,
        cells: values.to_vec(),
    }
}
