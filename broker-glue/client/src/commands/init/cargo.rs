//! Cargo's configuration: a compiler wrapper, and no incremental compiles, which no cache can serve.

use toml_edit::{DocumentMut, Item, Table, Value};

/// Stands behind each value that was set, so that it is found again.
const MARK: &str = " # set by larder init";

const BUILD: &str = "build";
const WRAPPER: &str = "rustc-wrapper";
const INCREMENTAL: &str = "incremental";

/// A text as it is to be, and what that changes or leaves alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) text: String,
    pub(super) lines: Vec<String>,
}

/// `text` with larder, at the path `larder`, as the compiler wrapper, unless another one is set.
///
/// # Errors
/// When `text` is no TOML, or `build` is no table.
pub(super) fn set(text: &str, larder: &str) -> anyhow::Result<Edit> {
    let mut document: DocumentMut = text.parse()?;
    let mut lines = Vec::new();
    if !document.contains_key(BUILD) {
        document.insert(BUILD, Item::Table(Table::new()));
    }
    let Some(build) = document.get_mut(BUILD).and_then(Item::as_table_like_mut) else {
        anyhow::bail!("`build` is no table");
    };
    match build.get(WRAPPER) {
        Some(known) if !is_ours(known) => {
            lines.push(format!("{WRAPPER} is another one already, and stays: {}", known.to_string().trim()));
            return Ok(Edit { text: text.to_owned(), lines });
        }
        Some(known) if known.as_str() == Some(larder) => {}
        _ => {
            build.insert(WRAPPER, marked(larder.into()));
            lines.push(format!("{BUILD}.{WRAPPER} = {larder:?}"));
        }
    }
    if build.get(INCREMENTAL).is_none() {
        build.insert(INCREMENTAL, marked(false.into()));
        lines.push(format!("{BUILD}.{INCREMENTAL} = false"));
    }
    Ok(Edit { text: if lines.is_empty() { text.to_owned() } else { document.to_string() }, lines })
}

/// `text` without what [`set`] put there.
///
/// # Errors
/// As [`set`].
pub(super) fn unset(text: &str) -> anyhow::Result<Edit> {
    let mut document: DocumentMut = text.parse()?;
    let mut lines = Vec::new();
    if let Some(build) = document.get_mut(BUILD).and_then(Item::as_table_like_mut) {
        for key in [WRAPPER, INCREMENTAL] {
            if build.get(key).is_some_and(is_marked) {
                build.remove(key);
                lines.push(format!("remove {BUILD}.{key}"));
            }
        }
        if !lines.is_empty() && build.is_empty() {
            document.remove(BUILD);
        }
    }
    Ok(Edit { text: if lines.is_empty() { text.to_owned() } else { document.to_string() }, lines })
}

fn marked(value: Value) -> Item {
    Item::Value(value.decorated(" ", MARK))
}

fn is_marked(item: &Item) -> bool {
    let suffix = item.as_value().and_then(|value| value.decor().suffix()?.as_str());
    suffix.is_some_and(|suffix| suffix.contains(MARK.trim()))
}

fn is_ours(item: &Item) -> bool {
    let name = item.as_str().map(|path| path.rsplit('/').next().unwrap_or(path));
    is_marked(item) || name == Some("larder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_found_again_and_the_rest_stays() {
        let before = "# mine\n[build]\njobs = 3 # three\n\n[net]\noffline = true\n";
        let there = set(before, "/b/larder").unwrap();
        assert!(there.text.contains("jobs = 3 # three\nrustc-wrapper = \"/b/larder\" # set by larder init\nincremental = false # set by larder init\n"), "{}", there.text);
        assert_eq!(there.lines.len(), 2);
        let again = set(&there.text, "/b/larder").unwrap();
        assert_eq!((again.text.as_str(), again.lines.len()), (there.text.as_str(), 0));
        assert!(set(&there.text, "/c/larder").unwrap().text.contains("\"/c/larder\""));
        assert_eq!(unset(&there.text).unwrap().text, before);
        assert_eq!(unset(before).unwrap(), Edit { text: before.to_owned(), lines: vec![] });
        let alone = set("", "/b/larder").unwrap().text;
        assert_eq!(unset(&alone).unwrap().text.trim(), "");
    }

    #[test]
    fn what_others_have_set_stays() {
        let other = "[build]\nrustc-wrapper = \"sccache\"\n";
        let edit = set(other, "/b/larder").unwrap();
        assert_eq!(edit.text, other);
        assert!(edit.lines[0].contains("sccache"), "{:?}", edit.lines);
        let incremental = set("build.incremental = true\n", "/b/larder").unwrap();
        assert_eq!(incremental.lines.len(), 1);
        let own = "[build]\nrustc-wrapper = \"larder\"\nincremental = false\n";
        assert_eq!(set(own, "larder").unwrap().lines, [""; 0]);
        assert_eq!(unset(own).unwrap().text, own, "a person wrote it");
        assert!(set("build = 1\n", "larder").is_err());
        assert!(set("[build\n", "larder").is_err());
    }
}
