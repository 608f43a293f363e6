//! Archives, and calls that write them: one argument a line.

use larder_compile::fuzzing::{Archive, Filing};

use crate::lines;

/// A call is taken apart into what it says, or refused; an archive holds what was put into it.
pub fn check(bytes: &[u8]) {
    let args = lines(bytes);
    for (ranlib, deterministic) in [(false, false), (false, true), (true, false), (true, true)] {
        let Some(call) = Filing::of(ranlib, deterministic, &args) else { continue };
        the_call_says_so(&call, ranlib, deterministic, &args);
        let before = Archive::of(&written(&args)).expect("an archive");
        let after = before.after(&call);
        let added = after.members().len() - before.members().len();
        assert!(added == call.members().len() || call.replaces() && added < call.members().len());
        let kept = before.members().iter().zip(after.members()).all(|(before, after)| before.0 == after.0);
        assert!(kept, "a member is elsewhere: {before:?}, {after:?}");
    }
    for bytes in [bytes.to_vec(), [b"!<arch>\n", bytes].concat()] {
        let Some(archive) = Archive::of(&bytes) else { continue };
        assert!(archive.members().len() <= bytes.len(), "more members than bytes");
    }
    let archive = Archive::of(&written(&args)).expect("an archive");
    let one = |arg: &Vec<u8>| Archive::of(&written(std::slice::from_ref(arg))).expect("an archive");
    let contents: Vec<_> = args.iter().map(|arg| one(arg).members()[0].1).collect();
    assert!(archive.members().iter().map(|member| member.1).eq(contents), "other contents");
}

fn the_call_says_so(call: &Filing, ranlib: bool, deterministic: bool, args: &[Vec<u8>]) {
    assert!(args.iter().any(|arg| arg == call.archive()), "an archive from elsewhere: {call:?}");
    assert!(args.ends_with(call.members()), "members from elsewhere: {call:?}");
    assert!(!call.letters().contains(&b'U'), "times are kept: {call:?}");
    assert!(deterministic || call.letters().contains(&b'D'), "times are kept: {call:?}");
    for file in call.members().iter().map(Vec::as_slice).chain([call.archive()]) {
        assert!(!file.is_empty() && !file.starts_with(b"-") && !file.starts_with(b"@"), "no file: {call:?}");
    }
    let with = |more: &[u8]| Filing::of(ranlib, deterministic, &[args, &[more.to_vec()]].concat());
    if ranlib {
        assert_eq!(with(b"-D").as_ref().map(Filing::archive), Some(call.archive()));
    } else {
        let more = with(b"more.o").expect("one member more is no reason to refuse");
        assert_eq!(more.members().split_last(), Some((&b"more.o".to_vec(), call.members())));
        assert_eq!((more.archive(), more.letters()), (call.archive(), call.letters()));
    }
    assert_eq!(with(b"--plugin"), None, "an option that is not known");
    assert_eq!(with(b"@more"), None, "the archiver reads more than is seen");
}

/// An archive of `members`, the first called `0.o`.
fn written(members: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (number, member) in members.iter().enumerate() {
        let (name, size) = (format!("{number}.o/"), member.len());
        bytes.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644).bytes());
        bytes.extend(member);
        bytes.extend((size % 2 == 1).then_some(b'\n'));
    }
    bytes
}
