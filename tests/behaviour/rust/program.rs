//! A real program.
