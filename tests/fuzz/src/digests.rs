//! What one daemon has noted of files for the next.

/// What is read is written the same way again; everything else is refused.
///
/// # Panics
/// Where that does not hold.
pub fn check(bytes: &[u8]) {
    larder_fingerprint::fuzzing::check_note(bytes);
}
