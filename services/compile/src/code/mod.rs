//! Texts that differ only in what the preprocessor drops: comments, and white space at the ends of lines.
//!
//! Such an edit changes no result, as long as every token stays at its line and column, nothing was said about the
//! text (a diagnostic quotes it), and nothing that is written depends on the text as it stands. To compare the texts
//! themselves finds that without running a preprocessor, whose output tells less: it has no columns, which debug
//! information shows.

mod form;

use larder_service::Digest;

pub(crate) use self::form::without_comments;

use crate::args::{Family, Invocation};
use crate::directives;

/// What a compiler goes by in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code {
    /// `None` where larder cannot tell.
    pub(crate) digest: Option<Digest>,
    /// It may bring in files that are no texts, in which nothing is a comment.
    pub(crate) embeds: bool,
}

/// Reads `text` as a compiler would.
pub(crate) fn read(text: &[u8]) -> Code {
    let digest = without_comments(text).map(|code| Digest::of(&code));
    Code { digest, embeds: directives::has_word(text, b"embed") }
}

/// Whether comments and ends of lines are nothing to the call of `invocation`.
pub(crate) fn decides(family: Family, invocation: &Invocation) -> bool {
    /// In these a text's comments, or its digest, come to light. In the oldest C a double slash begins no comment, or
    /// one to warn of.
    const AGAINST: &[&str] = &[
        "-C",
        "-Wc90-c99-compat",
        "-Wdocumentation",
        "-Weverything",
        // Any comment says that a case is meant to fall through.
        "-Wimplicit-fallthrough=1",
        "-Wleading-whitespace",
        "-Wtrailing-whitespace",
        "-ansi",
        "-fcomment",
        "-fparse-all-comments",
        "-gembed-source",
        "-std=c89",
        "-std=c90",
        "-std=gnu89",
        "-std=gnu90",
        "-std=iso9899:1990",
        "-std=iso9899:199409",
    ];
    let against = |arg: &Vec<u8>| {
        AGAINST.iter().any(|option| arg.starts_with(option.as_bytes()))
            // Clang puts the digests of all files into the debug information.
            || (family == Family::Clang && arg.starts_with(b"-g") && !arg.starts_with(b"-g0"))
    };
    let compiled = matches!(invocation.language, crate::args::Language::C | crate::args::Language::Cxx);
    compiled && !invocation.key_args.iter().any(against)
}
