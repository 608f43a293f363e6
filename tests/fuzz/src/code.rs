//! C texts without their comments.

use larder_compile::fuzzing::without_comments;

/// Lines and tokens stay where they are, nothing but comments and blanks goes, and nothing is left to go.
pub fn check(bytes: &[u8]) {
    let Some(code) = without_comments(bytes) else { return };
    assert_eq!(lines(&code), lines(bytes), "another number of lines");
    assert_eq!(tokens(&code), tokens(bytes), "tokens are not where they were");
    assert_eq!(without_comments(&code).as_ref(), Some(&code), "it has comments still");
}

fn lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// Each byte outside comments that is no blank, with its line and column: by a reader of another make.
fn tokens(text: &[u8]) -> Vec<(usize, usize, u8)> {
    let mut tokens = Vec::new();
    let (mut line, mut column, mut at) = (0, 0, 0);
    // What the text is in: nothing, a comment to the end of the line, one to its mark, or a quote.
    let mut within = b' ';
    while let Some(byte) = text.get(at) {
        let next = text.get(at + 1);
        let mut length = 1;
        match (within, byte, next) {
            (b' ', b'/', Some(b'/')) => within = b'/',
            (b' ', b'/', Some(b'*')) => (within, length) = (b'*', 2),
            (b'*', b'*', Some(b'/')) => (within, length) = (b' ', 2),
            (b'/', b'\n', _) => within = b' ',
            (b'*' | b'/', ..) => {}
            (quote @ (b'"' | b'\''), b'\\', Some(escaped)) => {
                tokens.extend([(line, column, b'\\'), (line, column + 1, *escaped)]);
                (within, length) = (quote, 2);
            }
            (_, b' ' | b'\t' | b'\n', _) if within == b' ' => {}
            (quote, byte, _) => {
                tokens.push((line, column, *byte));
                within = match (quote, byte) {
                    (b' ', b'"' | b'\'') => *byte,
                    (quote, byte) if quote == *byte => b' ',
                    (quote, _) => quote,
                };
            }
        }
        (line, column) = if *byte == b'\n' { (line + 1, 0) } else { (line, column + length) };
        at += length;
    }
    tokens
}
