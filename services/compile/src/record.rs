//! What a finished call leaves on the board.

use larder_service::{Clock, Compared, Key, NewRecord};

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
    session: String,
    /// Its inputs beside those of the nearest earlier call.
    pub(crate) compared: Compared,
    /// The daemon's own time so far, microseconds.
    pub(crate) overhead_us: u64,
    /// Parts of it, and what is none, as in a record; microseconds.
    pub(crate) lookup_us: u64,
    pub(crate) validate_us: u64,
    pub(crate) wait_us: u64,
    pub(crate) publish_us: u64,
}

impl Draft {
    pub(crate) fn new(call: &Call) -> Self {
        let (source, output) = apparent(&call.args);
        let (tool, cwd) = (call.tool_text(), paths::path_text(&call.cwd));
        Self {
            tool,
            source,
            output,
            cwd,
            build: call.parent_pid,
            session: call.session.clone(),
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
            session: self.session,
            lookup_us: self.lookup_us,
            validate_us: self.validate_us,
            wait_us: self.wait_us,
            publish_us: self.publish_us,
        }
    }

    /// Of a call that makes no sense.
    pub(crate) fn of_session(session: String) -> Self {
        Self { session, ..Self::default() }
    }
}

/// The source and the output that a call with `args` seems to have: one that is refused before it is taken apart is
/// to be found by their names, too.
fn apparent(args: &[Vec<u8>]) -> (String, String) {
    const SOURCES: &[&[u8]] =
        &[b"C", b"S", b"c", b"c++", b"cc", b"cp", b"cpp", b"cxx", b"i", b"ii", b"m", b"mm", b"s"];
    let (mut source, mut output) = (&b""[..], &b""[..]);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.strip_prefix(b"-o") {
            Some(b"") => output = rest.next().map_or(&b""[..], Vec::as_slice),
            Some(joined) => output = joined,
            None if arg.starts_with(b"-") => {}
            None => {
                let suffix = arg.iter().rposition(|byte| *byte == b'.').map(|dot| &arg[dot + 1..]);
                if suffix.is_some_and(|suffix| SOURCES.contains(&suffix)) {
                    source = arg;
                }
            }
        }
    }
    let mut output = paths::text(output);
    if output.is_empty() && args.iter().any(|arg| arg == b"-c") {
        let name = paths::text(paths::split(source).1);
        output = name.rsplit_once('.').map(|(stem, _)| format!("{stem}.o")).unwrap_or_default();
    }
    (paths::text(source), output)
}

/// Microseconds of the daemon's own time since `start`.
pub(crate) fn since(clock: &dyn Clock, start: u64) -> u64 {
    clock.monotonic_ns().saturating_sub(start) / 1000
}

/// A refusal that is about nothing in particular.
pub(crate) fn bare(reason: larder_service::Reason) -> Refusal {
    Refusal { reason, detail: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_about_what_its_names_say() {
        let about = |line: &str| {
            let args: Vec<Vec<u8>> = line.split(' ').map(|arg| arg.as_bytes().to_vec()).collect();
            apparent(&args)
        };
        let pair = |source: &str, output: &str| (source.to_owned(), output.to_owned());
        assert_eq!(about("-save-temps -c d/x.c"), pair("d/x.c", "x.o"));
        assert_eq!(about("-c x.cc -o b/y.o -Wall"), pair("x.cc", "b/y.o"));
        assert_eq!(about("-ob/y.o -c x.c"), pair("x.c", "b/y.o"));
        assert_eq!(about("-E x.c"), pair("x.c", ""));
        assert_eq!(about("--version"), pair("", ""));
        assert_eq!(about("-c -o"), pair("", ""));
    }
}
