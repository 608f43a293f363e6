//! The options that are known, and what each does to a compile.
//!
//! An option that is not here is not guessed at: the call is not cached. `-W…`, `-O…`, `-g…`, `-f…` and `-m…` are too
//! many to list; of those, what takes no value only switches something on or off, and the ones that also read or
//! write files are listed as refused. One of them with a value after `=` must be listed, as values can be paths.
//!
//! Sources: the option indices of the GCC 12 and Clang 14 manuals, and what those drivers do when run.

use larder_service::Reason;

use super::Family;

/// How an option is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// By itself: `-c`.
    Alone,
    /// With its value attached: `-std=c11`.
    Joined,
    /// With its value in the next argument: `-target T`.
    Separate,
    /// Either of the two: `-Idir`, `-I dir`.
    Either,
}

/// What an option does to a compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Can change what is written; reads and writes no file of its own.
    Key,
    /// As [`Use::Key`], and the working folder shows in the object.
    ShowsCwd,
    /// As [`Use::Key`], and the options themselves show in the object.
    ShowsCommandLine,
    /// As [`Use::Key`], and changes where the tool itself looks, or for which target.
    Probe,
    /// A folder in which headers are looked for.
    Folder,
    /// A header that is read before the source.
    Forced,
    /// `-c`, `-S`: the suffix of what is written.
    Compile(&'static str),
    /// As [`Use::Key`], and writes a file with this suffix beside the object.
    Side(&'static str),
    /// Moves debug information to a file of its own, for which GCC's driver runs another program.
    SplitDebug,
    /// `-o`.
    Object,
    /// `-x`.
    Language,
    /// Asks for a dependency file: `true` with the headers of system folders.
    Depend(bool),
    /// The same, the file's name being the value.
    DependInto(bool),
    /// Name of the dependency file.
    DependFile,
    /// Shapes the dependency file, and is an error without one.
    DependShape,
    /// The call is something else than a compile.
    Refuse(Reason),
}

/// One option.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) form: Form,
    /// `None`: both families know it.
    pub(super) family: Option<Family>,
    pub(super) what: Use,
}

const fn row(name: &'static str, form: Form, what: Use) -> Row {
    Row { name, form, family: None, what }
}

const fn of(family: Family, name: &'static str, form: Form, what: Use) -> Row {
    Row { name, form, family: Some(family), what }
}

use Family::{Clang, Gcc};
use Form::{Alone, Either, Joined, Separate};
use Use::{
    Compile, Depend, DependFile, DependInto, DependShape, Folder, Forced, Key, Language, Object, Probe,
    ShowsCommandLine, ShowsCwd, Side, SplitDebug,
};

const OTHER: Use = Use::Refuse(Reason::NotACompile);
const NO: Use = Use::Refuse(Reason::OptionUncacheable);

/// All rows. The longest name that fits an argument decides.
pub(super) const ROWS: &[Row] = &[
    row("-c", Alone, Compile("o")),
    row("-S", Alone, Compile("s")),
    row("-o", Either, Object),
    row("-x", Either, Language),
    // Dependency files.
    row("-MD", Alone, Depend(true)),
    row("-MMD", Alone, Depend(false)),
    row("-Wp,-MD,", Joined, DependInto(true)),
    row("-Wp,-MMD,", Joined, DependInto(false)),
    row("-MF", Either, DependFile),
    row("-MT", Either, DependShape),
    row("-MQ", Either, DependShape),
    row("-MP", Alone, DependShape),
    row("-MG", Alone, NO),
    row("-MJ", Either, NO),
    // Other things than a compile.
    row("-E", Alone, OTHER),
    row("-M", Alone, OTHER),
    row("-MM", Alone, OTHER),
    row("-fsyntax-only", Alone, OTHER),
    row("--version", Alone, OTHER),
    row("--help", Alone, OTHER),
    // Headers.
    row("-I", Either, Folder),
    row("-iquote", Either, Folder),
    row("-isystem", Either, Folder),
    row("-idirafter", Either, Folder),
    row("--embed-dir=", Joined, Folder),
    row("-include", Either, Forced),
    row("-imacros", Either, Forced),
    row("-include-pch", Separate, Use::Refuse(Reason::PrecompiledHeader)),
    row("-nostdinc", Alone, Probe),
    row("-isysroot", Either, Probe),
    row("--sysroot=", Joined, Probe),
    row("--sysroot", Separate, Probe),
    row("-B", Either, Probe),
    of(Clang, "-target", Separate, Probe),
    of(Clang, "--target=", Joined, Probe),
    of(Clang, "--gcc-toolchain=", Joined, Probe),
    of(Clang, "-resource-dir", Separate, Probe),
    of(Clang, "-resource-dir=", Joined, Probe),
    of(Gcc, "-no-canonical-prefixes", Alone, Probe),
    of(Clang, "-no-canonical-prefixes", Alone, Probe),
    // Preprocessor and language.
    row("-D", Either, Key),
    row("-U", Either, Key),
    row("-Wp,-D", Joined, Key),
    row("-Wp,-U", Joined, Key),
    row("-undef", Alone, Key),
    row("-trigraphs", Alone, Key),
    row("-std=", Joined, Probe),
    row("-nostdinc++", Alone, Probe),
    of(Clang, "-stdlib=", Joined, Probe),
    of(Clang, "-stdlib++-isystem", Either, NO),
    of(Clang, "-cxx-isystem", Either, Folder),
    row("-ansi", Alone, Probe),
    row("-pedantic", Alone, Key),
    row("-pedantic-errors", Alone, Key),
    row("-w", Alone, Key),
    row("-pipe", Alone, Key),
    row("-pthread", Alone, Probe),
    row("-p", Alone, Key),
    row("-pg", Alone, Key),
    row("--param", Separate, Key),
    row("--param=", Joined, Key),
    of(Clang, "-Qunused-arguments", Alone, Key),
    of(Clang, "--driver-mode=", Joined, NO),
    // What only a link uses: no effect with -c, but Clang warns of it.
    row("-Wl,", Joined, Key),
    row("-l", Either, Key),
    row("-L", Either, Key),
    row("-s", Alone, Key),
    row("-shared", Alone, Probe),
    row("-static", Alone, Probe),
    row("-pie", Alone, Probe),
    row("-no-pie", Alone, Probe),
    row("-rdynamic", Alone, Key),
    row("-nostdlib", Alone, Key),
    row("-nodefaultlibs", Alone, Key),
    row("-nostdlib++", Alone, Key),
    row("-nostartfiles", Alone, Key),
    row("-static-libgcc", Alone, Key),
    row("-shared-libgcc", Alone, Key),
    row("-fuse-ld=", Joined, Key),
    // The object shows more than the source.
    row("-g", Alone, ShowsCwd),
    row("-gsplit-dwarf", Alone, SplitDebug),
    row("-gsplit-dwarf=", Joined, NO),
    row("-gmodules", Alone, NO),
    row("-gz=", Joined, ShowsCwd),
    row("-gdwarf", Joined, ShowsCwd),
    row("-grecord-command-line", Alone, ShowsCommandLine),
    row("-frecord-gcc-switches", Alone, ShowsCommandLine),
    row("-frecord-command-line", Alone, ShowsCommandLine),
    row("-fembed-bitcode", Joined, NO),
    row("-flto", Joined, ShowsCommandLine),
    of(Clang, "-fdebug-compilation-dir", Either, NO),
    of(Clang, "-fdebug-compilation-dir=", Joined, ShowsCwd),
    row("-fdebug-prefix-map=", Joined, ShowsCwd),
    row("-ffile-prefix-map=", Joined, ShowsCwd),
    row("-fmacro-prefix-map=", Joined, Key),
    // Assembler.
    row("-Wa,", Joined, NO),
    row("-Wa,--noexecstack", Alone, Key),
    row("-Wa,--fatal-warnings", Alone, Key),
    row("-Wa,--no-warn", Alone, Key),
    row("-Wa,--warn", Alone, Key),
    row("-Wa,-W", Alone, Key),
    row("-Wa,-mrelax-relocations=no", Alone, Key),
    row("-Wa,-mrelax-relocations=yes", Alone, Key),
    row("-Wp,", Joined, NO),
    row("-fno-integrated-as", Alone, NO),
    row("-no-integrated-as", Alone, NO),
    // Options that read or write files, or make the drivers do other things than one compile.
    row("-I-", Alone, NO),
    row("-iprefix", Either, NO),
    row("-iwithprefix", Either, NO),
    row("-iwithprefixbefore", Either, NO),
    row("-imultilib", Either, NO),
    row("-imultiarch", Either, NO),
    row("-iframework", Either, NO),
    row("-F", Either, NO),
    row("-A", Either, NO),
    row("-H", Alone, NO),
    row("-v", Alone, NO),
    row("-###", Alone, NO),
    row("-Q", Alone, NO),
    row("-time", Joined, NO),
    row("-d", Joined, NO),
    row("-save-temps", Joined, NO),
    row("--save-temps", Joined, NO),
    row("-specs", Joined, NO),
    row("--specs", Joined, NO),
    row("-wrapper", Separate, NO),
    row("-arch", Separate, NO),
    row("-emit-", Joined, NO),
    row("-Xclang", Separate, NO),
    row("-Xpreprocessor", Separate, NO),
    row("-Xassembler", Separate, NO),
    row("-Xlinker", Separate, NO),
    row("-mllvm", Separate, NO),
    row("--config", Joined, NO),
    row("-fplugin", Joined, NO),
    row("-fproc-stat-report", Joined, NO),
    row("-fstats", Alone, NO),
    row("-fapinotes", Joined, NO),
    of(Clang, "-gen-cdb-fragment-path", Separate, NO),
    // Begins like an optimization, and is another language.
    row("-ObjC", Joined, Use::Refuse(Reason::SourceKindUnknown)),
    row("-fpass-plugin", Joined, NO),
    row("-fprofile", Joined, NO),
    row("-fno-profile", Joined, NO),
    row("-fauto-profile", Joined, NO),
    row("-fbranch-probabilities", Alone, NO),
    row("-fcs-profile", Joined, NO),
    row("-fcoverage", Joined, NO),
    row("-fpseudo-probe", Joined, NO),
    row("-ftest-coverage", Alone, NO),
    row("--coverage", Alone, NO),
    row("-coverage", Joined, NO),
    row("-fdump", Joined, NO),
    row("-fstack-usage", Alone, Side("su")),
    of(Gcc, "-fcallgraph-info", Alone, Side("ci")),
    row("-fcallgraph-info=", Joined, NO),
    row("-fsave-optimization-record", Joined, NO),
    row("-foptimization-record", Joined, NO),
    row("-fopt-info", Joined, NO),
    row("-fmodule", Joined, NO),
    row("-fimplicit-module", Joined, NO),
    row("-fbuiltin-module", Joined, NO),
    row("-fpch", Joined, NO),
    row("-fpreprocessed", Alone, NO),
    row("-fdirectives-only", Alone, NO),
    row("-ftime", Joined, NO),
    row("-fmem-report", Joined, NO),
    row("-fpre-ipa-mem-report", Alone, NO),
    row("-fpost-ipa-mem-report", Alone, NO),
    row("-freport-bug", Alone, NO),
    row("-fcompare-debug", Joined, NO),
    row("-fcrash-diagnostics", Joined, NO),
    row("-fgen-reproducer", Alone, NO),
    row("-fthinlto-index=", Joined, NO),
    row("-foffload", Joined, NO),
    row("-fopenmp-targets=", Joined, NO),
    row("-fsanitize-", Joined, NO),
    row("-fsanitize-recover", Joined, Key),
    row("-fsanitize-trap", Joined, Key),
    row("-fsanitize-undefined-trap-on-error", Alone, Key),
    row("-fno-sanitize-recover", Joined, Key),
    row("-fno-sanitize=", Joined, Key),
    of(Gcc, "-fsanitize=", Joined, Key),
    // Clang reads a list of exceptions that lies beside it, if it is there.
    of(Clang, "-fsanitize=", Joined, NO),
    row("-fxray", Joined, NO),
    row("-fworking-directory", Alone, NO),
    // Values that are words or numbers.
    row("-fabi-compat-version=", Joined, Key),
    row("-fabi-version=", Joined, Key),
    row("-faligned-new=", Joined, Key),
    row("-falign-functions=", Joined, Key),
    row("-falign-jumps=", Joined, Key),
    row("-falign-labels=", Joined, Key),
    row("-falign-loops=", Joined, Key),
    row("-fcf-protection=", Joined, Key),
    row("-fconstexpr-backtrace-limit=", Joined, Key),
    row("-fconstexpr-cache-depth=", Joined, Key),
    row("-fconstexpr-depth=", Joined, Key),
    row("-fconstexpr-loop-limit=", Joined, Key),
    row("-fconstexpr-ops-limit=", Joined, Key),
    row("-fconstexpr-steps=", Joined, Key),
    row("-fdiagnostics-color=", Joined, Key),
    row("-fdiagnostics-show-location=", Joined, Key),
    row("-fdiagnostics-urls=", Joined, Key),
    row("-ferror-limit=", Joined, Key),
    row("-fexcess-precision=", Joined, Key),
    row("-ffp-contract=", Joined, Key),
    row("-ffp-model=", Joined, Key),
    row("-finline-limit=", Joined, Key),
    row("-fivopts=", Joined, Key),
    row("-fmax-errors=", Joined, Key),
    row("-fmax-include-depth=", Joined, Key),
    row("-fmessage-length=", Joined, Key),
    row("-fnew-alignment=", Joined, Key),
    row("-fpack-struct=", Joined, Key),
    row("-fpatchable-function-entry=", Joined, Key),
    row("-frandom-seed=", Joined, Key),
    row("-fsimd-cost-model=", Joined, Key),
    row("-fstack-clash-protection", Alone, Key),
    row("-fstack-reuse=", Joined, Key),
    row("-fstrict-flex-arrays=", Joined, Key),
    row("-ftabstop=", Joined, Key),
    row("-ftemplate-backtrace-limit=", Joined, Key),
    row("-ftemplate-depth=", Joined, Key),
    row("-ftls-model=", Joined, Key),
    row("-ftree-parallelize-loops=", Joined, Key),
    row("-ftrivial-auto-var-init=", Joined, Key),
    row("-fvect-cost-model=", Joined, Key),
    row("-fveclib=", Joined, Key),
    row("-fvisibility=", Joined, Key),
    row("-fwrapv", Alone, Key),
    row("-fzero-call-used-regs=", Joined, Key),
];

/// The row that decides about `arg`.
pub(super) fn row_of(family: Family, arg: &[u8]) -> Option<&'static Row> {
    let first = arg.get(1);
    ROWS.iter()
        // Most rows are told apart by this already.
        .filter(|row| row.name.as_bytes().get(1) == first)
        .filter(|row| row.family.is_none_or(|only| only == family))
        .filter(|row| match row.form {
            Alone | Separate => arg == row.name.as_bytes(),
            Joined | Either => arg.starts_with(row.name.as_bytes()),
        })
        .max_by_key(|row| row.name.len())
}

/// What an option is that has no row but belongs to one of the large groups.
pub(super) fn group_of(arg: &[u8]) -> Option<Use> {
    let value = arg.iter().position(|byte| *byte == b'=').map(|at| &arg[at + 1..]);
    match arg {
        [b'-', b'W', rest @ ..] if !rest.contains(&b',') => Some(Key),
        [b'-', b'O', ..] => Some(Key),
        [b'-', b'g', ..] if value.is_none() => Some(ShowsCwd),
        [b'-', b'f', _, ..] if value.is_none() => Some(Key),
        // None of these reads a file; the target can change the tool's own folders, and the driver's own words say
        // what `native` means.
        [b'-', b'm', _, ..] if value.is_none_or(|value| !value.contains(&b'/')) => Some(Probe),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_stands_twice_for_one_family() {
        for family in [Gcc, Clang] {
            let mut names: Vec<_> = ROWS
                .iter()
                .filter(|row| row.family.is_none_or(|only| only == family))
                .map(|row| row.name)
                .collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{family:?}");
        }
    }

    #[test]
    fn the_longest_name_decides() {
        let what = |arg: &str| row_of(Gcc, arg.as_bytes()).map(|row| row.what);
        assert_eq!(what("-include"), Some(Forced));
        assert_eq!(what("-includefoo.h"), Some(Forced));
        assert_eq!(what("-include-pch"), Some(Use::Refuse(Reason::PrecompiledHeader)));
        assert_eq!(what("-I-"), Some(NO));
        assert_eq!(what("-Idir"), Some(Folder));
        assert_eq!(what("-march=x86-64"), None);
        assert_eq!(what("-Wp,-MD,x.d"), Some(DependInto(true)));
        assert_eq!(what("-Wp,-D_FORTIFY_SOURCE=2"), Some(Key));
        assert_eq!(what("-Wp,-P"), Some(NO));
        assert_eq!(what("-fprofile-use"), Some(NO));
    }

    #[test]
    fn a_value_that_may_be_a_path_needs_a_row() {
        for arg in ["-fcall-saved=x", "-fsome-list=/a/file", "-mrecip=/x", "-gsome=x", "-Wx,y"] {
            assert_eq!(group_of(arg.as_bytes()), None, "{arg}");
        }
        for arg in ["-Wformat=2", "-O2", "-fPIC", "-mavx2", "-march=x86-64-v3", "-ggdb3"] {
            assert!(group_of(arg.as_bytes()).is_some(), "{arg}");
        }
    }
}
