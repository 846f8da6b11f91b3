//! The live load generator.
