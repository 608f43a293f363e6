//! The table of `rustc`'s options: what each means to a result.
//!
//! Source: `rustc --help -v` and `rustc -C help` of 1.95, and the rustc book's "Command-line Arguments" and "Codegen
//! Options". An option that is not here makes a call uncacheable.

use larder_service::Reason;

/// What an option is to larder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It stands in the key as it is.
    Key,
    /// It can show in messages, and in nothing else.
    Shown,
    CrateName,
    CrateType,
    Emit,
    Extern,
    Target,
    /// `-L`
    Folder,
    /// `-l`
    Library,
    /// `-C`
    Codegen,
    OutDir,
    Output,
    /// `--test`
    Test,
    /// `--json`
    Json,
    Refuse(Reason),
}

/// How an option is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Flag,
    Value,
}

/// Long options without their dashes, in byte order.
const LONG: &[(&str, Shape, Use)] = &[
    ("allow", Shape::Value, Use::Key),
    ("cap-lints", Shape::Value, Use::Key),
    ("cfg", Shape::Value, Use::Key),
    ("check-cfg", Shape::Value, Use::Key),
    ("codegen", Shape::Value, Use::Codegen),
    ("color", Shape::Value, Use::Shown),
    ("crate-name", Shape::Value, Use::CrateName),
    ("crate-type", Shape::Value, Use::CrateType),
    ("deny", Shape::Value, Use::Key),
    ("diagnostic-width", Shape::Value, Use::Shown),
    ("edition", Shape::Value, Use::Key),
    ("emit", Shape::Value, Use::Emit),
    ("error-format", Shape::Value, Use::Shown),
    ("explain", Shape::Value, Use::Refuse(Reason::NotACompile)),
    ("extern", Shape::Value, Use::Extern),
    ("forbid", Shape::Value, Use::Key),
    ("force-warn", Shape::Value, Use::Key),
    ("help", Shape::Flag, Use::Refuse(Reason::NotACompile)),
    ("json", Shape::Value, Use::Json),
    ("out-dir", Shape::Value, Use::OutDir),
    ("print", Shape::Value, Use::Refuse(Reason::NotACompile)),
    ("remap-path-prefix", Shape::Value, Use::Key),
    ("sysroot", Shape::Value, Use::Refuse(Reason::OptionUncacheable)),
    ("target", Shape::Value, Use::Target),
    ("test", Shape::Flag, Use::Test),
    ("verbose", Shape::Flag, Use::Shown),
    ("version", Shape::Flag, Use::Refuse(Reason::NotACompile)),
    ("warn", Shape::Value, Use::Key),
];

/// Short options, in byte order.
const SHORT: &[(u8, Shape, Use)] = &[
    (b'A', Shape::Value, Use::Key),
    (b'C', Shape::Value, Use::Codegen),
    (b'D', Shape::Value, Use::Key),
    (b'F', Shape::Value, Use::Key),
    (b'L', Shape::Value, Use::Folder),
    (b'O', Shape::Flag, Use::Key),
    (b'V', Shape::Flag, Use::Refuse(Reason::NotACompile)),
    (b'W', Shape::Value, Use::Key),
    (b'g', Shape::Flag, Use::Key),
    (b'h', Shape::Flag, Use::Refuse(Reason::NotACompile)),
    (b'l', Shape::Value, Use::Library),
    (b'o', Shape::Value, Use::Output),
    (b'v', Shape::Flag, Use::Shown),
];

/// What a codegen option is to larder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codegen {
    Key,
    ExtraFilename,
    Incremental,
    /// The program that links.
    Linker,
    /// As [`Codegen::Key`], and decides which linker runs, or how.
    DecidesLink,
    /// Arguments for the linker: looked at again, with all others, once it has run.
    ForTheLinker,
    LinkerFlavor,
    /// Objects are left for the linker to finish: kept in libraries, and not followed into a link.
    LinkerPlugin,
    TargetCpu,
    /// Its value names a file that is read.
    Input,
    /// The place of the output shows in it.
    ShowsOutDir,
    Refuse,
}

/// Codegen options, in byte order.
const CODEGEN: &[(&str, Codegen)] = &[
    ("code-model", Codegen::Key),
    ("codegen-units", Codegen::Key),
    ("collapse-macro-debuginfo", Codegen::Key),
    ("control-flow-guard", Codegen::Key),
    ("debug-assertions", Codegen::Key),
    ("debuginfo", Codegen::Key),
    ("default-linker-libraries", Codegen::DecidesLink),
    ("dlltool", Codegen::Refuse),
    ("dwarf-version", Codegen::Key),
    ("embed-bitcode", Codegen::Key),
    ("extra-filename", Codegen::ExtraFilename),
    ("force-frame-pointers", Codegen::Key),
    ("force-unwind-tables", Codegen::Key),
    ("incremental", Codegen::Incremental),
    ("inline-threshold", Codegen::Key),
    ("instrument-coverage", Codegen::Key),
    ("jump-tables", Codegen::Key),
    ("link-arg", Codegen::ForTheLinker),
    ("link-args", Codegen::ForTheLinker),
    ("link-dead-code", Codegen::Key),
    ("link-self-contained", Codegen::DecidesLink),
    ("linker", Codegen::Linker),
    ("linker-features", Codegen::DecidesLink),
    ("linker-flavor", Codegen::LinkerFlavor),
    ("linker-plugin-lto", Codegen::LinkerPlugin),
    ("llvm-args", Codegen::Refuse),
    ("lto", Codegen::Key),
    ("metadata", Codegen::Key),
    ("no-prepopulate-passes", Codegen::Key),
    ("no-redzone", Codegen::Key),
    ("no-stack-check", Codegen::Key),
    ("no-vectorize-loops", Codegen::Key),
    ("no-vectorize-slp", Codegen::Key),
    ("opt-level", Codegen::Key),
    ("overflow-checks", Codegen::Key),
    ("panic", Codegen::Key),
    ("passes", Codegen::Refuse),
    ("prefer-dynamic", Codegen::DecidesLink),
    ("profile-generate", Codegen::Key),
    ("profile-use", Codegen::Input),
    ("relocation-model", Codegen::DecidesLink),
    ("relro-level", Codegen::Key),
    ("remark", Codegen::Key),
    ("rpath", Codegen::ShowsOutDir),
    ("save-temps", Codegen::Refuse),
    ("soft-float", Codegen::Key),
    ("split-debuginfo", Codegen::Key),
    ("strip", Codegen::Key),
    ("symbol-mangling-version", Codegen::Key),
    ("target-cpu", Codegen::TargetCpu),
    ("target-feature", Codegen::DecidesLink),
    ("unsafe-allow-abi-mismatch", Codegen::Key),
];

pub(super) fn long(name: &str) -> Option<(Shape, Use)> {
    let place = LONG.binary_search_by_key(&name, |(known, ..)| known).ok()?;
    Some((LONG[place].1, LONG[place].2))
}

pub(super) fn short(name: u8) -> Option<(Shape, Use)> {
    let place = SHORT.binary_search_by_key(&name, |(known, ..)| *known).ok()?;
    Some((SHORT[place].1, SHORT[place].2))
}

/// `rustc` takes a dash for an underscore.
pub(super) fn codegen(name: &str) -> Option<Codegen> {
    let name = name.replace('_', "-");
    let place = CODEGEN.binary_search_by_key(&name.as_str(), |(known, _)| known).ok()?;
    Some(CODEGEN[place].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_so_that_each_option_can_be_found() {
        assert!(LONG.is_sorted_by_key(|(name, ..)| *name));
        assert!(SHORT.is_sorted_by_key(|(name, ..)| *name));
        assert!(CODEGEN.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(codegen("opt_level"), Some(Codegen::Key));
    }
}
