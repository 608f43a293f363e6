//! What fuzz targets need to reach and nobody else may.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::{launch_env, layout};

/// The environment that is left as `bytes`.
#[must_use]
pub fn parse_environment(bytes: &[u8]) -> Option<BTreeMap<String, OsString>> {
    launch_env::parse(bytes)
}

/// How `vars` are left.
#[must_use]
pub fn render_environment(vars: &BTreeMap<String, OsString>) -> String {
    launch_env::render(vars)
}

/// The version of a store that its file `bytes` says.
#[must_use]
pub fn parse_format(bytes: &[u8]) -> Option<u32> {
    layout::parse(bytes)
}
