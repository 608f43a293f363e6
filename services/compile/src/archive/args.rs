//! The command lines of `ar` and `ranlib`.

use larder_service::Reason;

use crate::args::Refusal;
use crate::identity::Role;
use crate::paths;

/// A call whose effects can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// As the caller named it.
    pub(crate) archive: Vec<u8>,
    /// As the caller named them, in order; none for `ranlib`.
    pub(crate) members: Vec<Vec<u8>>,
    /// Operation and modifiers as they stand on the command line, without the dash.
    pub(crate) letters: Vec<u8>,
    /// A member takes the place of one with its name (`r`); otherwise it is added (`q`).
    pub(crate) replaces: bool,
}

/// Takes a call apart. `deterministic`: the tool leaves out times and owners unless told otherwise.
pub(crate) fn parse(role: Role, deterministic: bool, args: &[Vec<u8>]) -> Result<Request, Refusal> {
    if let Some(file) = args.iter().find(|arg| arg.starts_with(b"@")) {
        return Err(refused(Reason::ResponseFile, file));
    }
    match role {
        Role::Archive => archive(deterministic, args),
        Role::Index => index(deterministic, args),
    }
}

fn archive(deterministic: bool, args: &[Vec<u8>]) -> Result<Request, Refusal> {
    let [word, names @ ..] = args else {
        return Err(refused(Reason::ArchiveOperationUncacheable, b""));
    };
    let letters = word.strip_prefix(b"-").unwrap_or(word);
    let uncacheable = || refused(Reason::ArchiveOperationUncacheable, word);
    if letters.iter().any(|letter| !letter.is_ascii_alphabetic()) {
        return Err(refused(Reason::OptionUnknown, word));
    }
    if letters.contains(&b'U') {
        return Err(refused(Reason::ArchiveNotDeterministic, word));
    }
    let has = |letter| letters.contains(&letter);
    let operations = letters.iter().filter(|letter| matches!(letter, b'r' | b'q')).count();
    if operations != 1 || !has(b'c') || letters.iter().any(|letter| !b"rqcsSD".contains(letter)) {
        return Err(uncacheable());
    }
    if !deterministic && !has(b'D') {
        return Err(refused(Reason::ArchiveNotDeterministic, word));
    }
    // Both tools take options behind the operation too.
    if let Some(option) = names.iter().find(|name| name.starts_with(b"-")) {
        return Err(refused(Reason::OptionUnknown, option));
    }
    let [archive, members @ ..] = names else { return Err(uncacheable()) };
    if archive.is_empty() || members.is_empty() {
        return Err(uncacheable());
    }
    Ok(Request {
        archive: archive.clone(),
        members: members.to_vec(),
        letters: letters.to_vec(),
        replaces: has(b'r'),
    })
}

fn index(deterministic: bool, args: &[Vec<u8>]) -> Result<Request, Refusal> {
    let mut archives = Vec::new();
    let mut letters = Vec::new();
    for arg in args {
        match arg.as_slice() {
            b"-D" => letters.push(b'D'),
            b"-U" => return Err(refused(Reason::ArchiveNotDeterministic, arg)),
            b"" | b"-t" | b"-v" | b"-V" | b"-h" | b"-H" => {
                return Err(refused(Reason::ArchiveOperationUncacheable, arg));
            }
            option if option.starts_with(b"-") => return Err(refused(Reason::OptionUnknown, option)),
            archive => archives.push(archive.to_vec()),
        }
    }
    if !deterministic && letters.is_empty() {
        return Err(refused(Reason::ArchiveNotDeterministic, b""));
    }
    let Ok([archive]) = <[_; 1]>::try_from(archives) else {
        return Err(refused(Reason::ArchiveOperationUncacheable, b""));
    };
    Ok(Request { archive, members: Vec::new(), letters, replaces: true })
}

fn refused(reason: Reason, detail: &[u8]) -> Refusal {
    Refusal { reason, detail: paths::text(detail) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(role: Role, deterministic: bool, line: &str) -> Result<Request, Reason> {
        let args: Vec<Vec<u8>> = line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect();
        parse(role, deterministic, &args).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn usual_calls_are_understood_with_and_without_dash() {
        for line in
            ["rcs x.a a.o b.o", "-rcs x.a a.o b.o", "crsD x.a a.o b.o", "qc x.a a.o b.o", "rcS x.a a.o b.o"]
        {
            let request = of(Role::Archive, true, line).unwrap();
            assert_eq!(request.archive, b"x.a");
            assert_eq!(request.members, [b"a.o".to_vec(), b"b.o".to_vec()]);
            assert_eq!(request.replaces, line.contains('r'));
        }
        assert_eq!(of(Role::Index, true, "x.a").unwrap().archive, b"x.a");
        assert_eq!(of(Role::Index, false, "-D x.a").unwrap().letters, b"D");
    }

    #[test]
    fn what_depends_on_time_or_owner_is_refused() {
        for line in ["rcsU x.a a.o", "-Urc x.a a.o", "rcDU x.a a.o"] {
            assert_eq!(of(Role::Archive, true, line), Err(Reason::ArchiveNotDeterministic), "{line}");
        }
        assert_eq!(of(Role::Archive, false, "rcs x.a a.o"), Err(Reason::ArchiveNotDeterministic));
        assert!(of(Role::Archive, false, "rcsD x.a a.o").is_ok());
        assert_eq!(of(Role::Index, false, "x.a"), Err(Reason::ArchiveNotDeterministic));
        assert_eq!(of(Role::Index, true, "-U x.a"), Err(Reason::ArchiveNotDeterministic));
    }

    #[test]
    fn other_operations_and_modifiers_are_refused() {
        let lines = [
            "",
            "t x.a",
            "x x.a",
            "d x.a a.o",
            "m x.a a.o",
            "p x.a",
            "s x.a",
            "rs x.a a.o",
            "rcu x.a a.o",
            "rca m.o x.a a.o",
            "rcb m.o x.a a.o",
            "rci m.o x.a a.o",
            "rcN 1 x.a a.o",
            "rcP x.a a.o",
            "rcT x.a a.o",
            "rcL x.a b.a",
            "rcl d x.a a.o",
            "rco x.a a.o",
            "rcv x.a a.o",
            "rqc x.a a.o",
            "rcs x.a",
            "rcs",
            "M",
        ];
        for line in lines {
            assert_eq!(of(Role::Archive, true, line), Err(Reason::ArchiveOperationUncacheable), "{line}");
        }
        for line in ["--plugin p rcs x.a a.o", "rcs --thin x.a a.o", "rcs x.a -U a.o", "--version"] {
            assert_eq!(of(Role::Archive, true, line), Err(Reason::OptionUnknown), "{line}");
        }
        assert_eq!(of(Role::Archive, true, "rcs x.a @list"), Err(Reason::ResponseFile));
        for line in ["", "x.a y.a", "-t x.a"] {
            assert_eq!(of(Role::Index, true, line), Err(Reason::ArchiveOperationUncacheable), "{line}");
        }
        assert_eq!(of(Role::Index, true, "--plugin p x.a"), Err(Reason::OptionUnknown));
    }

    proptest! {
        #[test]
        fn any_command_line_is_parsed_or_refused(
            args in prop::collection::vec(
                prop_oneof![prop::collection::vec(any::<u8>(), 0..8), "-?[rqcsSDUvuTab]{0,5}".prop_map(String::into_bytes)],
                0..6,
            ),
            deterministic: bool,
        ) {
            for role in [Role::Archive, Role::Index] {
                if let Ok(request) = parse(role, deterministic, &args) {
                    prop_assert!(args.contains(&request.archive));
                    prop_assert!(!request.letters.contains(&b'U'));
                    prop_assert!(deterministic || request.letters.contains(&b'D'));
                    prop_assert!(request.members.iter().all(|member| !member.starts_with(b"-") && !member.starts_with(b"@")));
                }
            }
        }
    }
}
