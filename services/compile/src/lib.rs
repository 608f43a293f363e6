//! The compile cache: looks compiler calls up, and stores what they made.

pub mod args;
pub mod depfile;
pub mod directives;
