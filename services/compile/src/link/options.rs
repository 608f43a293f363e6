//! The linker options that are known, and what each does to a link.
//!
//! An option that is not here is not guessed at: the call is not cached. Sources: the manuals of GNU ld 2.40, gold,
//! LLD 14 and mold 1.10, which follow the first in all that stands here.

/// How an option takes its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// It has none.
    None,
    /// `--name=value` or `--name value`.
    Needed,
    /// `--name=value`, or none.
    Attached,
}

/// What an option does to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Can change what is written; reads and writes no file of its own.
    Key,
    /// As [`Use::Key`], and decides where the linker itself looks.
    Emulation,
    /// A folder in which libraries are looked for.
    Folder,
    /// Folders, with colons between them, in which libraries are looked for that other libraries need.
    NeededFolders,
    /// A library that is looked for.
    Library,
    /// A file that is read: looked for by its name, then in the folders of the search.
    File,
    /// The file that is written.
    Output,
    /// The file that lists what was read.
    List,
}

use Use::{Emulation, File, Folder, Key, Library, List, NeededFolders, Output};
use Value::{Attached, Needed, None as No};

/// Options of more than one letter, without their dashes. One dash or two may stand before them, but only two before
/// those that begin with an o.
const LONG: &[(&str, Value, Use)] = &[
    // Files.
    ("library-path", Needed, Folder),
    ("rpath", Needed, NeededFolders),
    ("rpath-link", Needed, NeededFolders),
    ("library", Needed, Library),
    ("version-script", Needed, File),
    ("dynamic-list", Needed, File),
    ("script", Needed, File),
    ("output", Needed, Output),
    ("dependency-file", Needed, List),
    // Kinds of output.
    ("shared", No, Key),
    ("Bshareable", No, Key),
    ("static", No, Key),
    ("pie", No, Key),
    ("pic-executable", No, Key),
    ("no-pie", No, Key),
    ("relocatable", No, Key),
    ("Bstatic", No, Key),
    ("Bdynamic", No, Key),
    ("dn", No, Key),
    ("dy", No, Key),
    ("Bsymbolic", No, Key),
    ("Bsymbolic-functions", No, Key),
    ("Bno-symbolic", No, Key),
    ("EL", No, Key),
    ("EB", No, Key),
    ("nostdlib", No, Emulation),
    ("soname", Needed, Key),
    ("entry", Needed, Key),
    ("init", Needed, Key),
    ("fini", Needed, Key),
    ("dynamic-linker", Needed, Key),
    ("no-dynamic-linker", No, Key),
    ("image-base", Needed, Key),
    ("Ttext", Needed, Key),
    ("Tdata", Needed, Key),
    ("Tbss", Needed, Key),
    ("Ttext-segment", Needed, Key),
    ("Trodata-segment", Needed, Key),
    ("section-start", Needed, Key),
    // Which parts of the inputs.
    ("as-needed", No, Key),
    ("no-as-needed", No, Key),
    ("start-group", No, Key),
    ("end-group", No, Key),
    ("start-lib", No, Key),
    ("end-lib", No, Key),
    ("whole-archive", No, Key),
    ("no-whole-archive", No, Key),
    ("push-state", No, Key),
    ("pop-state", No, Key),
    ("gc-sections", No, Key),
    ("no-gc-sections", No, Key),
    ("print-gc-sections", No, Key),
    ("gc-keep-exported", No, Key),
    ("icf", Needed, Key),
    ("copy-dt-needed-entries", No, Key),
    ("no-copy-dt-needed-entries", No, Key),
    ("add-needed", No, Key),
    ("no-add-needed", No, Key),
    // Symbols.
    ("undefined", Needed, Key),
    ("require-defined", Needed, Key),
    ("defsym", Needed, Key),
    ("wrap", Needed, Key),
    ("exclude-libs", Needed, Key),
    ("export-dynamic", No, Key),
    ("no-export-dynamic", No, Key),
    ("export-dynamic-symbol", Needed, Key),
    ("default-symver", No, Key),
    ("allow-multiple-definition", No, Key),
    ("no-undefined", No, Key),
    ("no-undefined-version", No, Key),
    ("undefined-version", No, Key),
    ("allow-shlib-undefined", No, Key),
    ("no-allow-shlib-undefined", No, Key),
    ("unresolved-symbols", Needed, Key),
    ("demangle", No, Key),
    ("no-demangle", No, Key),
    ("discard-all", No, Key),
    ("discard-locals", No, Key),
    ("discard-none", No, Key),
    ("strip-all", No, Key),
    ("strip-debug", No, Key),
    // Layout.
    ("build-id", Attached, Key),
    ("no-build-id", No, Key),
    ("hash-style", Needed, Key),
    ("eh-frame-hdr", No, Key),
    ("no-eh-frame-hdr", No, Key),
    ("no-ld-generated-unwind-info", No, Key),
    ("enable-new-dtags", No, Key),
    ("disable-new-dtags", No, Key),
    ("sort-common", Attached, Key),
    ("sort-section", Needed, Key),
    ("relax", No, Key),
    ("no-relax", No, Key),
    ("emit-relocs", No, Key),
    ("pack-dyn-relocs", Needed, Key),
    ("rosegment", No, Key),
    ("no-rosegment", No, Key),
    ("compress-debug-sections", Needed, Key),
    ("max-page-size", Needed, Key),
    ("common-page-size", Needed, Key),
    ("omagic", No, Key),
    ("nmagic", No, Key),
    ("no-omagic", No, Key),
    ("no-nmagic", No, Key),
    ("optimize", No, Key),
    // What is said, and how the work is done.
    ("fatal-warnings", No, Key),
    ("no-fatal-warnings", No, Key),
    ("noinhibit-exec", No, Key),
    ("no-warnings", No, Key),
    ("warn-common", No, Key),
    ("warn-once", No, Key),
    ("warn-shared-textrel", No, Key),
    ("warn-textrel", No, Key),
    ("warn-unresolved-symbols", No, Key),
    ("error-unresolved-symbols", No, Key),
    ("warn-execstack", No, Key),
    ("no-warn-execstack", No, Key),
    ("warn-rwx-segments", No, Key),
    ("no-warn-rwx-segments", No, Key),
    ("no-warn-mismatch", No, Key),
    ("no-keep-memory", No, Key),
    ("reduce-memory-overheads", No, Key),
    ("threads", Attached, Key),
    ("no-threads", No, Key),
    ("thread-count", Needed, Key),
    ("color-diagnostics", Attached, Key),
    ("no-color-diagnostics", No, Key),
];

/// Options of one letter; those with a value take it attached or next.
const SHORT: &[(u8, Value, Use)] = &[
    (b'L', Needed, Folder),
    (b'l', Needed, Library),
    (b'T', Needed, File),
    (b'o', Needed, Output),
    (b'm', Needed, Emulation),
    (b'e', Needed, Key),
    (b'h', Needed, Key),
    (b'I', Needed, Key),
    (b'u', Needed, Key),
    (b'z', Needed, Key),
    (b'O', Attached, Key),
    (b'E', No, Key),
    (b'N', No, Key),
    (b'S', No, Key),
    (b'X', No, Key),
    (b'd', No, Key),
    (b'i', No, Key),
    (b'n', No, Key),
    (b'q', No, Key),
    (b'r', No, Key),
    (b's', No, Key),
    (b'x', No, Key),
    (b'(', No, Key),
    (b')', No, Key),
];

/// An option as it was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// Its value stands in the next argument.
    ValueNext(Use),
    /// All of it stands in this argument.
    Whole(Use, &'a [u8]),
}

/// What `arg` is, which begins with a dash. `None`: nothing that is known.
pub(super) fn known(arg: &[u8]) -> Option<Known<'_>> {
    let double = arg.strip_prefix(b"--");
    let name = double.unwrap_or(arg.strip_prefix(b"-")?);
    if double.is_some() || !name.starts_with(b"o") {
        let (bare, value) = match name.iter().position(|byte| *byte == b'=') {
            Some(at) => (&name[..at], Some(&name[at + 1..])),
            None => (name, None),
        };
        if let Some((_, takes, what)) = LONG.iter().find(|(known, _, _)| known.as_bytes() == bare) {
            return match (takes, value) {
                (No, Some(_)) => None,
                (Needed, None) => Some(Known::ValueNext(*what)),
                // A name at random is another each time.
                (Attached, Some(b"uuid")) => None,
                (_, value) => Some(Known::Whole(*what, value.unwrap_or_default())),
            };
        }
    }
    if double.is_some() {
        return None;
    }
    let (letter, value) = name.split_first()?;
    let (_, takes, what) = SHORT.iter().find(|(known, _, _)| known == letter)?;
    match takes {
        No if value.is_empty() => Some(Known::Whole(*what, value)),
        No => None,
        Needed if value.is_empty() => Some(Known::ValueNext(*what)),
        Needed | Attached => Some(Known::Whole(*what, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_option_stands_twice() {
        let mut names: Vec<_> = LONG.iter().map(|(name, _, _)| *name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| name.len() > 1));
    }

    #[test]
    fn spellings_of_one_option_are_one() {
        for arg in ["--version-script=v", "-version-script=v"] {
            assert_eq!(known(arg.as_bytes()), Some(Known::Whole(File, b"v")), "{arg}");
        }
        assert_eq!(known(b"--soname"), Some(Known::ValueNext(Key)));
        assert_eq!(known(b"-Lx"), Some(Known::Whole(Folder, b"x")));
        assert_eq!(known(b"-L"), Some(Known::ValueNext(Folder)));
        assert_eq!(known(b"-lsoname"), Some(Known::Whole(Library, b"soname")));
        assert_eq!(known(b"-static"), Some(Known::Whole(Key, b"")));
        assert_eq!(known(b"-omagic"), Some(Known::Whole(Output, b"magic")));
        assert_eq!(known(b"--omagic"), Some(Known::Whole(Key, b"")));
        assert_eq!(known(b"-O1"), Some(Known::Whole(Key, b"1")));
    }

    #[test]
    fn what_writes_more_or_is_made_at_random_is_not_known() {
        let unknown = [
            "-Map=x.map",
            "--Map",
            "-M",
            "--print-map",
            "--cref",
            "-t",
            "--trace",
            "--verbose",
            "-v",
            "--version",
            "--build-id=uuid",
            "--reproduce=x.tar",
            "--plugin=p.so",
            "-plugin",
            "-R",
            "--just-symbols=x",
            "--retain-symbols-file=x",
            "--no-warn-search-mismatch",
            "--sysroot=/x",
            "--out-implib=x",
            "--print-gc-sections=x",
            "--save-temps",
            "--thinlto-index-only",
            "-rx",
            "-",
        ];
        for arg in unknown {
            assert_eq!(known(arg.as_bytes()), None, "{arg}");
        }
    }
}
