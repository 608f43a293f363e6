//! What build systems call "go on after a failure".

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Programs, the subcommand that must come first where there are several, and what they are to be given.
const FLAGS: &[(&str, &[&str], &[&str])] = &[
    ("make", &[], &["-k"]),
    ("gmake", &[], &["-k"]),
    ("ninja", &[], &["-k", "0"]),
    ("ninja-build", &[], &["-k", "0"]),
    ("cargo", &["build", "b", "check", "c", "clippy", "rustc"], &["--keep-going"]),
    ("cargo", &["test", "t", "bench"], &["--no-fail-fast"]),
];

/// `args` with what makes `program` go on; says so where nothing is known to.
pub(super) fn with(program: &OsStr, args: &[OsString]) -> Vec<OsString> {
    match added(program, args) {
        Some(args) => args,
        None => {
            super::super::say(&format!(
                "--keep-going changes nothing: it is not known how {} is told",
                program.display()
            ));
            args.to_vec()
        }
    }
}

fn added(program: &OsStr, args: &[OsString]) -> Option<Vec<OsString>> {
    let name = Path::new(program).file_name()?;
    let (at, flags) = FLAGS.iter().filter(|(known, ..)| name == *known).find_map(|(_, verbs, flags)| {
        if verbs.is_empty() {
            return Some((0, flags));
        }
        // A toolchain may be named before it.
        let at = usize::from(args.first().is_some_and(|arg| arg.as_encoded_bytes().starts_with(b"+")));
        let verb = args.get(at)?;
        verbs.iter().any(|known| verb == *known).then_some((at + 1, flags))
    })?;
    let mut all = args.to_vec();
    all.splice(at..at, flags.iter().map(OsString::from));
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_build_system_is_told_in_its_own_way() {
        let told = |line: &str| {
            let mut words = line.split(' ').map(OsString::from);
            let program = words.next().unwrap_or_default();
            let args = added(&program, &words.collect::<Vec<_>>())?;
            Some(args.join(OsStr::new(" ")).to_string_lossy().into_owned())
        };
        assert_eq!(told("/usr/bin/make -j4 all").as_deref(), Some("-k -j4 all"));
        assert_eq!(told("ninja").as_deref(), Some("-k 0"));
        assert_eq!(told("cargo build --release").as_deref(), Some("build --keep-going --release"));
        assert_eq!(told("cargo +nightly test x").as_deref(), Some("+nightly test --no-fail-fast x"));
        assert_eq!(told("cargo fetch"), None);
        assert_eq!(told("go build ./..."), None);
        assert_eq!(told("sh -c make"), None);
    }
}
