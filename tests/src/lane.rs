//! A lane over a connection of the test's own, and the requests that its definition has.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;

use larder_glue::wire::Wire;

use crate::Sandbox;

impl Sandbox {
    /// The daemon's endpoint.
    ///
    /// # Panics
    /// When none runs.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.status().expect("it runs")["endpoint"].as_str().expect("a path").to_owned()
    }
}

/// A connection to the daemon at `endpoint`.
///
/// # Panics
/// When it does not listen.
#[must_use]
pub fn connect(endpoint: &str) -> Wire {
    Wire::new(UnixStream::connect(endpoint).expect("the daemon listens").into()).expect("our own daemon")
}

/// The names of the requests in `definition`, a lane's `.proto`.
#[must_use]
pub fn defined_requests(definition: &str) -> BTreeSet<&str> {
    definition
        .lines()
        .skip_while(|line| !line.contains("oneof request"))
        .skip(1)
        .take_while(|line| !line.contains('}'))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect()
}
