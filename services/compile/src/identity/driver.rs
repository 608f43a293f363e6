//! Identifies the program that the client would run.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use larder_service::{Clock, Hasher, Reason};

use super::loader::add_program;
use super::premises::Collector;
use super::probe::{Answer, Probe};
use super::{Asked, Driver, Tool, archiver, linker};
use crate::args::{Dialect, Family, Language, Refusal};
use crate::call::Call;
use crate::paths;

/// Programs that go by a compiler's name and run another: whose identity would be taken is not known.
const WRAPPERS: &[&str] = &[
    "buildcache",
    "cachepot",
    "ccache",
    "colorgcc",
    "distcc",
    "firebuild",
    "icecc",
    "icerun",
    "kache",
    "larder",
    "sccache",
    "zccache",
];

/// Macros of compilers that define GCC's or Clang's as well.
const FOREIGN_MACROS: &[&str] = &[
    "__EDG__",
    "__EMSCRIPTEN__",
    "__INTEL_COMPILER",
    "__INTEL_LLVM_COMPILER",
    "__NVCOMPILER",
    "__OPEN64__",
    "__PCC__",
    "__PGI",
    "__SUNPRO_C",
    "__TINYC__",
    "__ibmxl__",
];

/// Identifies the tool of `call`, asking it in the folder `cwd`.
pub(super) fn identify(
    collector: &mut Collector<'_>,
    call: &Call,
    cwd: &Path,
    tmp: &Path,
    clock: &dyn Clock,
) -> Result<Tool, Refusal> {
    let unknown = || Refusal { reason: Reason::CompilerUnknown, detail: paths::path_text(&call.tool) };
    let program = collector.follow(&call.tool).ok_or_else(unknown)?;
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if WRAPPERS.iter().any(|wrapper| name == *wrapper || name.starts_with(&format!("{wrapper}-"))) {
        collector.file(&program)?;
        return Err(unknown());
    }
    let mut hasher = Hasher::key("driver");
    hasher.field("tool", &paths::into_bytes(call.tool.clone()));
    hasher.field("name", &call.tool_name);
    let bound = add_program(collector, &mut hasher, &program, &call.env, clock)?;
    let asked = Asked { call, language: Language::C, options: &[], cwd, clock };
    let version = asked.ask(&["--version"])?;
    if let Some(archiver) = archiver::identify(collector, hasher.clone(), asked, &version, &program, &bound)?
    {
        return Ok(Tool::Archiver(Arc::new(archiver)));
    }
    if version.succeeded && linker::is_linker(&version.stdout) {
        return Ok(Tool::Linker(hasher.finish_key()));
    }
    let answer = macros(call, cwd, tmp, clock)?;
    let family = family(&answer.stdout).filter(|_| answer.succeeded).ok_or_else(unknown)?;
    let dialect = Dialect { family, cxx: defines(&answer.stdout, "__cplusplus") };
    Ok(Tool::Compiler(Arc::new(Driver { key: hasher.finish_key(), dialect })))
}

/// The macros that the driver predefines for a C source by its name alone: whether it takes that for C++ is its own
/// affair.
fn macros(call: &Call, cwd: &Path, tmp: &Path, clock: &dyn Clock) -> Result<Answer, Refusal> {
    // Should two ever meet in one name, one of the two fails, and is asked again later.
    let source = tmp.join(format!("language-{:x}.c", clock.unix_ns()));
    std::fs::write(&source, "").map_err(|error| {
        tracing::warn!(path = %source.display(), %error, "failed to write a file to ask a compiler about");
        Refusal { reason: Reason::ProbeFailed, detail: paths::path_text(&call.tool) }
    })?;
    let args = vec![&b"-dM"[..], b"-E", source.as_os_str().as_bytes()];
    let probe = Probe { program: &call.tool, argv0: &call.tool_name, args, env: &call.env, cwd };
    let answer = probe.ask(clock);
    let _ = std::fs::remove_file(&source);
    answer
}

/// Whether the listing `macros` defines `name`.
fn defines(macros: &[u8], name: &str) -> bool {
    macros.split(|byte| *byte == b'\n').any(|line| {
        let mut words = line.split(|byte| *byte == b' ');
        words.next() == Some(b"#define") && words.next() == Some(name.as_bytes())
    })
}

/// The family whose macros are predefined. `None` for every other compiler.
fn family(macros: &[u8]) -> Option<Family> {
    let defines = |name: &str| defines(macros, name);
    if FOREIGN_MACROS.iter().any(|name| defines(name)) {
        None
    } else if defines("__clang__") {
        Some(Family::Clang)
    } else if defines("__GNUC__") {
        Some(Family::Gcc)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_known_by_its_macros() {
        assert_eq!(family(b"#define __GNUC__ 12\n"), Some(Family::Gcc));
        assert_eq!(family(b"#define __GNUC__ 4\n#define __clang__ 1\n"), Some(Family::Clang));
        assert_eq!(
            family(b"#define __GNUC__ 4\n#define __clang__ 1\n#define __INTEL_LLVM_COMPILER 1\n"),
            None
        );
        assert_eq!(family(b"#define __GNUC__X 12\n"), None);
        assert_eq!(family(b""), None);
    }
}
