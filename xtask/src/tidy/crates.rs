//! What every crate says about itself.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Finding;

/// Crates in these folders say what they own and what they must never do.
const ROOMS: [&str; 2] = ["services/", "broker-glue/"];

pub(super) fn check(metadata: &Value, root: &Path, files: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let Some(folder) = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok()) else {
            continue;
        };
        let folder = folder.to_string_lossy();
        if folder.starts_with("services/") && !files.contains(&format!("{folder}/README.md")) {
            findings.push(Finding {
                file: format!("{folder}/README.md"),
                line: 0,
                what: "missing".to_owned(),
                mend: "write one screen: what the service owns, its lane, its invariants".to_owned(),
            });
        }
        let roots = roots(package);
        let main = roots.iter().find(|path| path.ends_with("lib.rs")).or(roots.first()).copied();
        for path in &roots {
            let Ok(text) = fs::read_to_string(path) else { continue };
            let file = Path::new(path).strip_prefix(root).unwrap_or(Path::new(path)).display().to_string();
            let says_more = Some(*path) == main && ROOMS.iter().any(|room| folder.starts_with(room));
            findings.extend(docs(&file, &text, says_more));
        }
    }
    findings
}

/// The library's and the programs' root files.
fn roots(package: &Value) -> Vec<&str> {
    package["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|target| {
            let kinds = target["kind"].as_array().into_iter().flatten();
            kinds.filter_map(Value::as_str).any(|kind| kind == "lib" || kind == "bin")
        })
        .filter_map(|target| target["src_path"].as_str())
        .collect()
}

fn docs(file: &str, text: &str, says_more: bool) -> Option<Finding> {
    let finding = |what: &str, mend: &str| {
        Some(Finding { file: file.to_owned(), line: 1, what: what.to_owned(), mend: mend.to_owned() })
    };
    if !text.starts_with("//!") {
        return finding("the crate's documentation is missing", "begin with `//!` lines: what the crate is");
    }
    let lines: Vec<_> = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let docs = lines.join(" ");
    if says_more && !(docs.contains("Owns") && docs.contains("Must never")) {
        return finding(
            "the crate's documentation does not say what it owns and what it must never do",
            "add \"Owns: …\" and \"Must never: …\" to its `//!` lines",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_begins_with_its_documentation() {
        assert!(docs("a.rs", "use std::fs;\n//! late\n", false).is_some());
        assert_eq!(docs("a.rs", "//! What it is.\n\nmod b;\n", false), None);
    }

    #[test]
    fn a_room_says_what_it_owns_and_must_never_do_even_across_lines() {
        assert!(docs("a.rs", "//! A store.\n", true).is_some());
        assert!(docs("a.rs", "//! Owns: blobs.\n\n// Must never\n", true).is_some(), "not documentation");
        assert_eq!(docs("a.rs", "//! Owns: blobs. Must\n//! never: lie.\n", true), None);
    }

    #[test]
    fn a_service_without_a_readme_is_named() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let src = root.path().join("services/new/src");
        fs::create_dir_all(&src).expect("our folder");
        fs::write(src.join("lib.rs"), "//! Owns: x. Must never: y.\n").expect("our folder");
        let metadata = serde_json::json!({"packages": [{
            "manifest_path": root.path().join("services/new/Cargo.toml"),
            "targets": [
                {"kind": ["lib"], "src_path": src.join("lib.rs")},
                {"kind": ["test"], "src_path": src.join("absent.rs")},
            ],
        }]});
        let findings = check(&metadata, root.path(), &[]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].file, "services/new/README.md");
        assert_eq!(check(&metadata, root.path(), &["services/new/README.md".to_owned()]), []);
    }
}
