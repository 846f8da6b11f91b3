//! What the user wrote: parsed, validated, with source positions for diagnostics.
