//! Reader of the dependency files that GCC and Clang write.

/// A dependency file that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the dependency list: {0}")]
pub struct DepfileError(pub &'static str);

/// The prerequisites of the first rule, in order, without repetition, unquoted; the source itself is the first.
///
/// # Errors
/// When the text is not what `-MD` writes, or is beyond the limits.
pub fn prerequisites(_text: &[u8]) -> Result<Vec<Vec<u8>>, DepfileError> {
    Err(DepfileError("not read yet"))
}
