//! What a caller's cache file says of fingerprints.

use larder_tree::{MAGIC, State, fuzzing};

/// Where the version's byte ends.
const VERSION_END: usize = MAGIC.len() + 1;

/// What is read is written the same way again; everything else is refused.
///
/// # Panics
/// Where that does not hold.
pub fn check(bytes: &[u8]) {
    one_form(bytes);
    one_form(&fuzzing::sealed(bytes));
}

fn one_form(bytes: &[u8]) {
    let Some(state) = State::decode(bytes) else { return };
    assert_eq!(State::decode(&state.encode()).as_ref(), Some(&state), "what was read can be written");
    let form = state.encode();
    // One of an earlier version is written as one of this.
    if form.get(..VERSION_END) == bytes.get(..VERSION_END) {
        assert_eq!(form, bytes, "one state has one form");
    }
}
