//! Texts from outside, no longer than a person reads them.

/// Cuts `text` after `chars` characters, and says so by an ellipsis.
pub(crate) fn shorten(text: &mut String, chars: usize) {
    if let Some((end, _)) = text.char_indices().nth(chars) {
        text.truncate(end);
        text.push('…');
    }
}
