//! How a check is shown.

use std::fmt::Write as _;

use larder_proto::v1::FingerprintChecked;
use larder_tree::shown;

/// One line for each file, and the reason where files are not all of it.
pub(super) fn text(checked: &FingerprintChecked) -> String {
    if checked.unchanged {
        return format!("unchanged: {} files\n", checked.files);
    }
    let mut text = String::new();
    if !checked.because.is_empty() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "due: {}", checked.because);
    }
    for (name, paths) in lists(checked) {
        for path in paths {
            let _ = writeln!(text, "{name}: {}", shown(path));
        }
    }
    if checked.more > 0 {
        let _ = writeln!(text, "and {} more", checked.more);
    }
    text
}

/// All of it. Paths are escaped as in the text: bytes that are no UTF-8, control characters and backslashes.
pub(super) fn json(checked: &FingerprintChecked) -> serde_json::Result<String> {
    let mut value = serde_json::json!({
        "unchanged": checked.unchanged,
        "because": checked.because,
        "files": checked.files,
        "more": checked.more,
    });
    for (name, paths) in lists(checked) {
        value[name] = paths.iter().map(|path| shown(path)).collect();
    }
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

fn lists(checked: &FingerprintChecked) -> [(&'static str, &[Vec<u8>]); 4] {
    [
        ("added", &checked.added),
        ("removed", &checked.removed),
        ("changed", &checked.changed),
        ("unreadable", &checked.unreadable),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_a_line_and_names_that_are_not_utf_8_are_escaped() {
        let checked = FingerprintChecked {
            added: vec![b"a\xff".to_vec()],
            changed: vec![b"b\nc".to_vec()],
            more: 2,
            because: "the last work failed".to_owned(),
            ..FingerprintChecked::default()
        };
        let expected = "due: the last work failed\nadded: a\\xff\nchanged: b\\nc\nand 2 more\n";
        assert_eq!(text(&checked), expected);
        let value: serde_json::Value = serde_json::from_str(&json(&checked).expect("JSON")).expect("JSON");
        assert_eq!((&value["added"][0], &value["unchanged"]), (&"a\\xff".into(), &false.into()));
    }
}
