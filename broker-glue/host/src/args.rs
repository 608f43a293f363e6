//! What the command line asks for: there is little to ask.

use std::ffi::OsString;

use larder_proto::LARDER_VERSION;

const HELP: &str = "\
larder-broker: launches larder's daemon and tells clients where it is

Usage: larder-broker [--version | --help]

Clients start it by themselves; it takes no other arguments. Which broker it is, is decided by LARDER_BROKER and by
the XDG folders; LARDER_LOG sets how much it logs, LARDER_LOG_FORMAT (text or json) in what form. It ends
by SIGTERM, or by `larder stop --broker`.
";

/// One command line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Serve until told to end.
    Serve,
    /// Print this and succeed.
    Say(String),
    /// Print this and fail.
    Wrong(String),
}

/// Understands the arguments behind the program's name.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Asked {
    let args: Vec<OsString> = args.collect();
    match args.as_slice() {
        [] => Asked::Serve,
        [flag] if flag == "--version" || flag == "-V" => {
            Asked::Say(format!("larder-broker {LARDER_VERSION}\n"))
        }
        [flag] if flag == "--help" || flag == "-h" => Asked::Say(HELP.to_owned()),
        [first, ..] => Asked::Wrong(format!(
            "larder-broker: unexpected argument {first:?}\nhint: larder start, or larder-broker --help\n"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Asked {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn nothing_serves_and_anything_unknown_is_named_with_a_hint() {
        assert_eq!(parsed(&[]), Asked::Serve);
        for args in [&["--http-port"][..], &["serve"], &["--version", "x"]] {
            let Asked::Wrong(text) = parsed(args) else { panic!("{args:?} is not understood") };
            assert!(text.contains(args[0]) && text.contains("hint: larder start"), "{text}");
        }
    }

    #[test]
    fn the_version_is_that_of_this_build() {
        assert_eq!(parsed(&["--version"]), Asked::Say(format!("larder-broker {LARDER_VERSION}\n")));
    }
}
