//! The stored forms in the store's index.

use larder_store::fuzzing::{Form, seal, unseal};

/// Each form has one spelling, and a seal tells what it is not for.
pub fn check(bytes: &[u8]) {
    for form in Form::ALL {
        if let Some(written) = form.rewritten(bytes) {
            assert_eq!(written, bytes, "{form:?} has a second spelling");
        }
    }
    // libFuzzer sees what a seal is compared with, and so forges it.
    if let Some(within) = unseal(1, bytes) {
        assert_eq!(seal(1, within), bytes, "a seal has a second spelling");
    }
    let mut sealed = seal(1, bytes);
    assert_eq!(unseal(1, &sealed), Some(bytes));
    assert_eq!(unseal(2, &sealed), None, "it is another record's");
    let place = bytes.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31) + usize::from(*byte));
    let length = sealed.len();
    sealed[place % length] ^= 1 << (place % 8);
    assert_eq!(unseal(1, &sealed), None, "a flipped bit");
}
