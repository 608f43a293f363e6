//! Calls that link: one argument a line, read as drivers and linkers read them.

use larder_compile::args::Family;
use larder_compile::fuzzing::{Link, link};

use crate::lines;

/// A call is taken apart into what it says, or refused.
pub fn check(bytes: &[u8]) {
    let args = lines(bytes);
    for driver in [None, Some(Family::Gcc), Some(Family::Clang)] {
        let Some(call) = link(driver, &args) else { continue };
        outputs_and_files_are_such(&call);
        all_is_from_the_command_line(&call, &args);
        let with = |more: &[&[u8]]| {
            let more = more.iter().map(|arg| arg.to_vec());
            link(driver, &args.iter().cloned().chain(more).collect::<Vec<_>>())
        };
        let option: &[u8] = if driver.is_some() { b"-Wl,--gc-sections" } else { b"--gc-sections" };
        let more = with(&[option]).expect("an option that is known is no reason to refuse");
        let mut expected = call.clone();
        expected.key_args.push(option.to_vec());
        assert_eq!(more, expected, "the option changes the key and nothing else");
        if let Some(elsewhere) = with(&[b"-o", b"/elsewhere/app"]) {
            assert_eq!(elsewhere, Link { output: b"/elsewhere/app".to_vec(), ..call.clone() });
        }
        if driver.is_some() {
            assert_eq!(with(&[b"-Wl,-o,x"]), None, "the output changes behind the driver's back");
            assert_eq!(with(&[b"-Wl,-soname,@x"]), None, "the linker reads more than is seen");
        }
    }
}

fn outputs_and_files_are_such(call: &Link) {
    assert!(!call.output.is_empty() && call.output != b"-", "an output is no file: {call:?}");
    assert_ne!(call.list.as_ref(), Some(&call.output), "two outputs are one file");
    assert!(!call.files.is_empty(), "nothing is linked: {call:?}");
    for file in &call.files {
        assert!(!file.starts_with(b"-") && !file.starts_with(b"@"), "no file is so called: {call:?}");
    }
    for name in call.scripts.iter().chain(&call.libraries).chain(&call.folders).chain(&call.list) {
        assert!(!name.is_empty(), "something has no name: {call:?}");
    }
}

fn all_is_from_the_command_line(call: &Link, args: &[Vec<u8>]) {
    let mut rest = args.iter();
    let keys = call.key_args.iter().all(|key| rest.any(|arg| arg == key));
    assert!(keys, "key material from elsewhere, or in another order: {call:?}");
    let lists = [&call.files, &call.scripts, &call.libraries, &call.folders, &call.needed_folders];
    for name in lists.into_iter().flatten().chain(&call.list) {
        let says_it = |arg: &Vec<u8>| name.is_empty() || arg.windows(name.len()).any(|part| part == name);
        assert!(args.iter().any(says_it), "a name from elsewhere: {call:?}");
    }
    for asked in call.ask.iter().filter(|arg| *arg != b"-Xlinker") {
        let says_it = |arg: &Vec<u8>| {
            arg == asked
                || arg.starts_with(b"-Wl,") && arg.split(|byte| *byte == b',').any(|part| part == asked)
        };
        assert!(args.iter().any(says_it), "asked what was not said: {call:?}");
    }
}
