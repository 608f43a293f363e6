//! What a Rust source may make the compiler look for beyond other sources: a safe over-approximation.
//!
//! Comments and strings are read like code. Reporting too much costs a needless look; missing something would make a
//! wrong hit. Not seen: what a macro of another crate puts together.

use memchr::memmem;

/// Longest `link(…)` that is looked into, bytes.
const LONGEST_ATTRIBUTE: usize = 4096;

/// Most names of each kind.
const MAX_NAMES: usize = 4096;

/// What one source asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Names in `#[link(name = "…")]`.
    pub libraries: Vec<Vec<u8>>,
    /// A `link(name = …)` whose name is not written out.
    pub computed_library: bool,
    /// Names in `extern crate …`.
    pub crates: Vec<Vec<u8>>,
}

/// Reads one source.
#[must_use]
pub fn scan(text: &[u8]) -> Asks {
    let mut asks = Asks::default();
    for at in words(text, b"link") {
        let rest = skip_blank(&text[at + b"link".len()..]);
        if let Some(inner) = rest.strip_prefix(b"(") {
            library(&inner[..inner.len().min(LONGEST_ATTRIBUTE)], &mut asks);
        }
    }
    for at in words(text, b"crate") {
        if last_word(&text[..at]) == b"extern" {
            let rest = skip_blank(&text[at + b"crate".len()..]);
            let name = rest.strip_prefix(b"r#").unwrap_or(rest);
            let length = name.iter().take_while(|byte| is_word(**byte)).count();
            add(&mut asks.crates, &name[..length]);
        }
    }
    asks.computed_library |= asks.libraries.len() > MAX_NAMES || asks.crates.len() > MAX_NAMES;
    asks
}

/// Reads what stands behind `link(`.
fn library(inner: &[u8], asks: &mut Asks) {
    let end = memchr::memchr(b')', inner).unwrap_or(inner.len());
    for at in words(&inner[..end], b"name") {
        let Some(value) = skip_blank(&inner[at + b"name".len()..]).strip_prefix(b"=") else { continue };
        let literal = skip_blank(value).strip_prefix(b"\"").and_then(|value| {
            let name = &value[..memchr::memchr(b'"', value)?];
            (!name.contains(&b'\\')).then_some(name)
        });
        match literal {
            Some(name) => add(&mut asks.libraries, name),
            None => asks.computed_library = true,
        }
        return;
    }
    // A bracket within, or an attribute longer than is looked into.
    asks.computed_library |= end == inner.len() && memmem::find(inner, b"name").is_some();
}

fn add(names: &mut Vec<Vec<u8>>, name: &[u8]) {
    if !name.is_empty() && !names.iter().any(|known| known == name) && names.len() <= MAX_NAMES {
        names.push(name.to_vec());
    }
}

/// Where `word` stands by itself in `text`.
fn words<'a>(text: &'a [u8], word: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    memmem::find_iter(text, word).filter(move |at| {
        let before = at.checked_sub(1).map(|before| text[before]);
        let after = text.get(at + word.len());
        !before.is_some_and(is_word) && !after.is_some_and(|byte| is_word(*byte))
    })
}

fn last_word(text: &[u8]) -> &[u8] {
    let trimmed = text.trim_ascii_end();
    let length = trimmed.iter().rev().take_while(|byte| is_word(**byte)).count();
    &trimmed[trimmed.len() - length..]
}

fn skip_blank(text: &[u8]) -> &[u8] {
    text.trim_ascii_start()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(list: &[&str]) -> Vec<Vec<u8>> {
        list.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn native_libraries_and_crates_are_seen() {
        let text = b"#[link(name = \"z\", kind = \"static\")]\nextern {}\n#[cfg_attr(unix, link( kind=\"dylib\",name=\"m\" ))] extern crate serde as s;\nextern crate r#gen;\n";
        let asks = scan(text);
        assert_eq!(asks.libraries, names(&["z", "m"]));
        assert_eq!(asks.crates, names(&["serde", "gen"]));
        assert!(!asks.computed_library);
    }

    #[test]
    fn a_library_whose_name_is_not_written_out_is_seen() {
        assert!(scan(b"#[link(name = $lib)]").computed_library);
        assert!(scan(b"#[link(name = concat!(\"a\", \"b\"))]").computed_library);
        assert!(scan(b"#[link(name = r\"a\")]").computed_library);
    }

    #[test]
    fn other_words_ask_for_nothing() {
        assert_eq!(
            scan(b"fn link(a: u8) { unlink(name); crate::x(); hard_link(name = 1) }"),
            Asks::default()
        );
        assert_eq!(scan(b"pub(crate) mod a; use crate::b;"), Asks::default());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = scan(&bytes);
            let _ = scan(&[b"link(name = ", bytes.as_slice()].concat());
        }
    }
}
