//! Calls of compilers: one argument a line, read as every driver reads them.

use larder_compile::args::{Dialect, Family, Invocation, discovery, parse, with_dependency_list};

use crate::lines;

/// Where the compiler is asked to list what it reads.
const LIST: &[u8] = b"/larder/list";

/// A call is taken apart into what it says, or refused.
pub fn check(bytes: &[u8]) {
    let args = lines(bytes);
    for family in [Family::Gcc, Family::Clang] {
        let of = |cxx, args: &[Vec<u8>]| parse(Dialect { family, cxx }, args).ok();
        let calls = [false, true].map(|cxx| of(cxx, &args));
        for (cxx, call) in [false, true].into_iter().zip(&calls) {
            let Some(call) = call else { continue };
            outputs_are_files_of_their_own(call);
            all_is_from_the_command_line(call, &args);
            let with = |more: &[&[u8]]| {
                let more = more.iter().map(|arg| arg.to_vec());
                of(cxx, &args.iter().cloned().chain(more).collect::<Vec<_>>())
            };
            let more = with(&[b"-DLARDER"]).expect("a definition is no reason to refuse");
            let mut expected = call.clone();
            expected.key_args.push(b"-DLARDER".to_vec());
            assert_eq!(more, expected, "a definition changes the key and nothing else");
            if let Some(elsewhere) = with(&[b"-o", b"/elsewhere/x.o"]) {
                assert_eq!(elsewhere.key_args, call.key_args, "where the object goes is no key material");
            }
            the_inputs_can_be_asked_for(call, family, cxx, &args);
        }
        if let [Some(c), Some(cxx)] = calls {
            let language = c.language;
            assert_eq!(c, Invocation { language, ..cxx }, "the driver decides on the language alone");
        }
    }
}

fn outputs_are_files_of_their_own(call: &Invocation) {
    let outputs: Vec<_> = call.outputs().collect();
    for (at, output) in outputs.iter().enumerate() {
        assert!(!output.is_empty(), "an output has no name: {call:?}");
        assert!(!outputs[..at].contains(output), "two outputs are one file: {call:?}");
        assert!(*output != call.source, "an output is the source: {call:?}");
    }
}

fn all_is_from_the_command_line(call: &Invocation, args: &[Vec<u8>]) {
    let mut rest = args.iter();
    for key in &call.key_args {
        let into = key == b"-Wp,-MD";
        let found = rest.any(|arg| arg == key || into && arg.starts_with(b"-Wp,-M"));
        assert!(found, "key material from elsewhere, or in another order: {call:?}");
    }
    let mut rest = args.iter();
    let probes = call.search.probe_args.iter().all(|probe| rest.any(|arg| arg == probe));
    assert!(probes, "a probe from elsewhere, or in another order: {call:?}");
    assert!(args.contains(&call.source), "a source from elsewhere: {call:?}");
    for value in call.search.folders.iter().chain(&call.search.forced) {
        assert!(!value.is_empty(), "the search has an empty name: {call:?}");
        assert!(args.iter().any(|arg| arg.ends_with(value)), "a value from elsewhere: {call:?}");
    }
}

fn the_inputs_can_be_asked_for(call: &Invocation, family: Family, cxx: bool, args: &[Vec<u8>]) {
    let asked = discovery(family, args, LIST);
    let (kept, added) = asked.split_at(asked.len() - 3);
    assert_eq!(added, [b"-M".to_vec(), b"-MF".to_vec(), LIST.to_vec()]);
    let mut rest = args.iter();
    assert!(kept.iter().all(|kept| rest.any(|arg| arg == kept)), "more than was asked is read: {asked:?}");
    assert!(kept.contains(&call.source), "the source is not read: {asked:?}");

    let says_it = args.iter().any(|arg| arg.ends_with(LIST));
    if call.depfile.is_some() || call.shows_command_line || !call.language.is_preprocessed() || says_it {
        return;
    }
    let listing = parse(Dialect { family, cxx }, &with_dependency_list(args, LIST)).expect("the same call");
    assert_eq!(listing.depfile.as_ref().map(|depfile| depfile.path.as_slice()), Some(LIST));
    let depfile = None;
    assert_eq!(Invocation { depfile, ..listing }, *call, "asking for the list changes something else");
}
