//! Compiler calls, parsed.

mod parse;
pub(crate) mod response;
mod rewrite;
pub(crate) mod table;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use larder_service::Reason;

pub use parse::parse;
pub use rewrite::{discovery, with_dependency_list};

/// Whether a call whose arguments are `args` asks for a link rather than for one of the steps before it.
pub(crate) fn is_link(args: &[Vec<u8>]) -> bool {
    !args.iter().any(|arg| matches!(arg.as_slice(), b"-c" | b"-S") || arg.starts_with(b"@"))
}

/// Which family of command-line conventions a tool follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// GCC's drivers.
    Gcc,
    /// Clang's drivers.
    Clang,
}

/// How a driver reads its command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// Whose conventions it follows.
    pub family: Family,
    /// It takes C sources for C++, as `g++` and `clang++` do.
    pub cxx: bool,
}

impl From<Family> for Dialect {
    /// The family's C driver.
    fn from(family: Family) -> Self {
        Self { family, cxx: false }
    }
}

/// Language of the source, as the driver decides it from `-x` and the file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// C, to be preprocessed.
    C,
    /// C++, to be preprocessed.
    Cxx,
    /// Assembly, as it stands.
    Assembler,
    /// Assembly, to be preprocessed.
    AssemblerWithCpp,
}

impl Language {
    /// Whether a preprocessor reads the source, and can list what it read.
    #[must_use]
    pub fn is_preprocessed(self) -> bool {
        self != Self::Assembler
    }

    /// Whether the source is compiled, rather than only assembled.
    fn is_compiled(self) -> bool {
        matches!(self, Self::C | Self::Cxx)
    }
}

/// A call that compiles one source to one object, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Language of the source.
    pub language: Language,
    /// The source, as the caller named it.
    pub source: Vec<u8>,
    /// The object, or with `-S` the assembly, as the caller named it or as the driver derives it (`dir/x.c` gives
    /// `x.o`).
    pub object: Vec<u8>,
    /// The tool writes into an object that is there already, where others replace it.
    pub object_in_place: bool,
    /// The dependency file the caller asked for.
    pub depfile: Option<Depfile>,
    /// What is written beside the object.
    pub side: Vec<Side>,
    /// Everything on the command line that can reach an output or a stream, in order: the fields of the base key.
    pub key_args: Vec<Vec<u8>>,
    /// The working folder can reach an output (debug information, for example).
    pub shows_cwd: bool,
    /// The command line itself reaches an output: nothing may be added to it.
    pub shows_command_line: bool,
    /// Where the preprocessor looks for headers.
    pub search: Search,
}

impl Invocation {
    /// Whether the tool may say which of the folders to search is not there.
    pub(crate) fn tells_of_folders(&self) -> bool {
        let tells = |arg: &Vec<u8>| arg.ends_with(b"missing-include-dirs") || arg == b"-Weverything";
        self.key_args.iter().any(tells)
    }

    /// Paths of everything the call writes, the object first.
    pub fn outputs(&self) -> impl Iterator<Item = &[u8]> {
        let depfile = self.depfile.iter().map(|depfile| depfile.path.as_slice());
        let side = self.side.iter().map(|side| side.path.as_slice());
        std::iter::once(self.object.as_slice()).chain(depfile).chain(side)
    }
}

/// The dependency file that a call writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depfile {
    /// As the caller named it or as the driver derives it.
    pub path: Vec<u8>,
    /// It names the headers of system folders too (`-MD`); otherwise it does not (`-MMD`).
    pub system_headers: bool,
}

/// A file that some option makes a compiler write beside the object, with another suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its suffix, which says what it is: `su`, `ci`, `dwo`.
    pub suffix: &'static str,
    /// As the driver derives it from the object.
    pub path: Vec<u8>,
    /// The tool writes into one that is there already, where others replace it.
    pub in_place: bool,
}

/// The parts of the header search that come from the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Folders of every `-iquote`, `-I`, `-isystem`, `-idirafter` and their like, in command-line order, unchecked.
    pub folders: Vec<Vec<u8>>,
    /// Values of `-include` and `-imacros`: looked for like `#include "…"` from the working folder.
    pub forced: Vec<Vec<u8>>,
    /// Options that change the tool's own search folders or target (`-m32`, `--sysroot=…`, `-nostdinc`, `-B…`,
    /// `-std=…`, …), in order: to be repeated when the tool is asked for its folders.
    pub probe_args: Vec<Vec<u8>>,
}

/// Why a call cannot be cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Row of the reason table.
    pub reason: Reason,
    /// The option or file it is about. Never a value of a variable.
    pub detail: String,
}
