//! Findings to text, JSON, HTML and others: one format per file.
