//! Whole workspaces under Cargo.
