//! What a finished call leaves on the board.

use larder_service::{Clock, Key, NewRecord};

use crate::archive::Request;
use crate::args::{Invocation, Refusal};
use crate::call::Call;
use crate::paths;
use crate::rust;

/// A record in the making: what is known of a call so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    tool: String,
    source: String,
    output: String,
    key: String,
    cwd: String,
    /// The crate and its version.
    unit: String,
    /// Process id of the program that made the call: one build, as far as can be told.
    build: u32,
    /// The daemon's own time so far, microseconds.
    pub(crate) overhead_us: u64,
}

impl Draft {
    pub(crate) fn new(call: &Call) -> Self {
        Self {
            tool: call.tool_text(),
            cwd: paths::path_text(&call.cwd),
            build: call.parent_pid,
            ..Self::default()
        }
    }

    pub(crate) fn parsed(&mut self, invocation: &Invocation) {
        self.source = paths::text(&invocation.source);
        self.output = paths::text(&invocation.object);
    }

    pub(crate) fn archived(&mut self, request: &Request) {
        self.source = paths::text(request.members.first().unwrap_or(&request.archive));
        self.output = paths::text(&request.archive);
    }

    pub(crate) fn linked(&mut self, request: &crate::link::Request) {
        self.source = request.files.first().map(|file| paths::text(file)).unwrap_or_default();
        self.output = paths::text(&request.output);
    }

    pub(crate) fn crate_parsed(&mut self, call: &Call, request: &rust::args::Request) {
        self.source = paths::text(&request.source);
        let name = rust::outputs::expected(request).pop().unwrap_or_default();
        let place = rust::outputs::Outputs::of(request).place(&name).unwrap_or_default();
        self.output = paths::text(&place);
        let version = call.whole_env.get("CARGO_PKG_VERSION").map(paths::text).unwrap_or_default();
        self.unit = format!("{} {version}", paths::text(&request.crate_name)).trim_end().to_owned();
    }

    /// The crate of a call that is not understood further.
    pub(crate) fn named_crate(&mut self, args: &[Vec<u8>]) {
        let mut after = args.iter().skip_while(|arg| *arg != b"--crate-name").skip(1);
        self.unit = after.next().map(|name| paths::text(name)).unwrap_or_default();
    }

    pub(crate) fn keyed(&mut self, action: &Key) {
        self.key = action.hex();
    }

    /// The record, ending now.
    pub(crate) fn finish(self, clock: &dyn Clock, detail: &str, tool_us: u64, bytes: u64) -> NewRecord {
        NewRecord {
            at_unix_ms: clock.unix_ms(),
            tool: self.tool,
            source: self.source,
            output: self.output,
            detail: detail.to_owned(),
            overhead_us: self.overhead_us,
            tool_us,
            bytes,
            key: self.key,
            cwd: self.cwd,
            unit: self.unit,
            build: self.build,
        }
    }
}

/// Microseconds of the daemon's own time since `start`.
pub(crate) fn since(clock: &dyn Clock, start: u64) -> u64 {
    clock.monotonic_ns().saturating_sub(start) / 1000
}

/// A refusal that is about nothing in particular.
pub(crate) fn bare(reason: larder_service::Reason) -> Refusal {
    Refusal { reason, detail: String::new() }
}
