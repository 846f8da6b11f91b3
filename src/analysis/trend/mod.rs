//! Many runs: what each was, and where in their order a figure changed.
//!
//! A run is known here by its header and its summary, never by its whole record, so that
//! a thousand runs are read in a moment. Two runs say anything of each other only where
//! they did the same on the same machine; the others are left out, each with its reason.
//! What it deliberately does not do: say why a figure changed, or compare two runs, which
//! needs their histograms.
//!
//! | file | question |
//! |---|---|
//! | `figure` | which figures a summary has, and by which names |
//! | `stored` | what a run is known by |
//! | `line` | its line in a list of runs |
//! | `moments` | the mean of some runs, and whether two means differ by chance |
//! | `divide` | where a series is best divided in two |
//! | `detector` | where a series changed, run after run |
//! | `series` | which runs are its points, and what it shows |

mod detector;
mod divide;
mod figure;
mod line;
mod moments;
mod series;
mod stored;

pub use detector::{ChangePoint, Detector, Sensitivity};
pub use figure::{NamedFigure, Reading, Unit, figures};
pub use line::RunLine;
pub use moments::Moments;
pub use series::{Candidate, Change, Effect, LeftOut, Point, RUNS_MIN, Shown, Trend, WhyLeftOut};
pub use stored::{Origin, PlanMarks, RunVerdict, StoredRun, read_summary};
