//! What one daemon has noted of tools for the next.

/// What is read can be written and read again.
///
/// # Panics
/// Where that does not hold.
pub fn check(bytes: &[u8]) {
    larder_compile::fuzzing::check_tools(bytes);
}
