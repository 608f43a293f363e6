//! What `rustc` says and is told: the bytes as its list of sources, its linker's call, a source, a crate's neighbours, and
//! as a command line, a NUL between arguments.

use larder_compile::fuzzing;
use larder_compile::rust::{dep_info, link_args, text};

/// Each is understood or refused, and what another call is given comes back as it was.
pub fn check(bytes: &[u8]) {
    for list in [bytes.to_vec(), [b"/t/a.d: ", bytes, b"\n"].concat()] {
        if let Ok(info) = dep_info::read(&list) {
            assert!(!info.sources.is_empty());
            assert!(info.sources.iter().all(|source| !source.is_empty() && !source.contains(&b'\n')));
            assert!(info.variables.iter().all(|(name, _)| !name.is_empty()));
        }
    }
    if let Some(call) = link_args::read(bytes) {
        assert!(!call.program.is_empty());
        assert!(call.variables.iter().all(|(name, _)| !name.contains(&b' ')));
    }
    let asks = text::scan(bytes);
    assert!(
        asks.crates.iter().chain(&asks.libraries).all(|name| !name.is_empty() && name.len() <= bytes.len())
    );
    fuzzing::crates_behind(bytes);
    let args: Vec<Vec<u8>> = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    if let Some(outputs) = fuzzing::crate_outputs(&args) {
        assert!(!outputs.is_empty());
        assert!(outputs.iter().all(|name| !name.contains('/') && !name.is_empty()), "{outputs:?}");
    }
    if let Some((list, notes)) = fuzzing::for_this_call(bytes) {
        assert_eq!(list, bytes, "a list comes back as another one");
        assert_eq!(notes, bytes, "messages come back as others");
    }
}
