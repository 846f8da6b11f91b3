//! Views of a run that goes on: subscribers of record events.
