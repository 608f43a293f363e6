//! Which crate of the workspace may name which.

use std::path::Path;

use serde_json::Value;

use super::Finding;

/// A crate, and the crates of the workspace that it may depend on, in tests too.
const TABLE: [(&str, &[&str]); 19] = [
    ("larder-proto", &[]),
    ("larder-servicedef", &[]),
    ("larder-service", &["larder-proto"]),
    ("larder-tree", &["larder-service"]),
    ("larder-store", &["larder-service"]),
    ("larder-fingerprint", &["larder-proto", "larder-service", "larder-store", "larder-tree"]),
    ("larder-artifact", &["larder-proto", "larder-service", "larder-store"]),
    ("larder-compile", &["larder-proto", "larder-service", "larder-store", "larder-fingerprint"]),
    ("larder-gocache", &["larder-proto", "larder-service", "larder-store"]),
    ("larder-loopback", &[]),
    ("larder-dashboard", &["larder-loopback", "larder-proto", "larder-service"]),
    ("larder-glue", &["larder-proto", "larder-servicedef"]),
    (
        "larder-backend",
        &[
            "larder-glue",
            "larder-proto",
            "larder-servicedef",
            "larder-service",
            "larder-store",
            "larder-fingerprint",
            "larder-artifact",
            "larder-compile",
            "larder-gocache",
            "larder-dashboard",
        ],
    ),
    ("larder-client", &["larder-glue", "larder-proto", "larder-servicedef", "larder-tree"]),
    ("larder-tests", &["larder-glue", "larder-proto", "larder-client", "larder-service"]),
    ("larder-host", &["larder-glue", "larder-loopback", "larder-proto", "larder-tests"]),
    (
        "larder-bench",
        &[
            "larder-client",
            "larder-compile",
            "larder-fingerprint",
            "larder-glue",
            "larder-proto",
            "larder-service",
            "larder-store",
        ],
    ),
    (
        "larder-fuzz",
        &[
            "larder-artifact",
            "larder-client",
            "larder-compile",
            "larder-fingerprint",
            "larder-glue",
            "larder-proto",
            "larder-service",
            "larder-store",
            "larder-tree",
        ],
    ),
    ("xtask", &[]),
];

/// The broker's library and the packages it is made of.
const BROKER_LIBRARY: &str = "running-process";

pub(super) fn check(metadata: &Value, root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let file = manifest.strip_prefix(root).unwrap_or(manifest).display().to_string();
        let text = std::fs::read_to_string(manifest).unwrap_or_default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let wanted = dependency["name"].as_str().unwrap_or_default();
            let ours = dependency["path"].is_string();
            if let Some((what, mend)) = refusal(name, &file, wanted, ours) {
                findings.push(Finding { file: file.clone(), line: line_of(&text, wanted), what, mend });
            }
        }
    }
    findings
}

/// Why the crate `name` with the manifest `file` may not depend on `wanted`.
fn refusal(name: &str, file: &str, wanted: &str, ours: bool) -> Option<(String, String)> {
    if wanted.starts_with(BROKER_LIBRARY) && !file.starts_with("broker-glue/") && !file.starts_with("tests/")
    {
        return Some((
            format!("{name} names {wanted}"),
            "only broker-glue/ and tests/ may; put what is needed behind larder-service's Context".to_owned(),
        ));
    }
    if !ours {
        return None;
    }
    let Some((_, allowed)) = TABLE.iter().find(|(row, _)| *row == name) else {
        return Some((
            format!("{name} depends on {wanted} and is not in the table of imports"),
            "give it a row in xtask/src/tidy/imports.rs and in ARCHITECTURE.md".to_owned(),
        ));
    };
    (!allowed.contains(&wanted)).then(|| {
        let list = if allowed.is_empty() { "no crate of ours".to_owned() } else { allowed.join(", ") };
        (
            format!("{name} depends on {wanted}"),
            format!("it may depend on {list}; move what is shared to a crate that both may name"),
        )
    })
}

/// Line of the manifest that names `wanted`, from 1; 0 where it is not found.
fn line_of(text: &str, wanted: &str) -> usize {
    let names = |line: &str| {
        line.trim_start().strip_prefix(wanted).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    text.lines().position(names).map_or(0, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_names_no_broker_library() {
        let (what, _) = refusal("larder-store", "services/store/Cargo.toml", "running-process", false)
            .expect("that is against the rules");
        assert_eq!(what, "larder-store names running-process");
        assert_eq!(refusal("larder-host", "broker-glue/host/Cargo.toml", "running-process", false), None);
    }

    #[test]
    fn the_client_depends_on_no_service() {
        for service in ["larder-service", "larder-store", "larder-compile"] {
            assert!(refusal("larder-client", "broker-glue/client/Cargo.toml", service, true).is_some());
        }
        assert_eq!(refusal("larder-client", "broker-glue/client/Cargo.toml", "larder-proto", true), None);
    }

    #[test]
    fn a_crate_without_a_row_is_named() {
        let (what, _) = refusal("larder-new", "new/Cargo.toml", "larder-proto", true).expect("no row");
        assert!(what.contains("larder-new"), "{what}");
    }

    #[test]
    fn the_line_is_that_of_the_whole_name() {
        let text = "[dependencies]\nlarder-service-extra = 1\nlarder-service.workspace = true\n";
        assert_eq!(line_of(text, "larder-service"), 3);
        assert_eq!(line_of(text, "larder-store"), 0);
    }

    #[test]
    fn dev_dependencies_count() {
        let metadata = serde_json::json!({"packages": [{
            "name": "larder-store",
            "manifest_path": "/r/services/store/Cargo.toml",
            "dependencies": [
                {"name": "larder-compile", "kind": "dev", "path": "/r/services/compile"},
                {"name": "redb", "kind": null, "path": null},
            ],
        }]});
        let findings = check(&metadata, Path::new("/r"));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].file, "services/store/Cargo.toml");
    }

    #[test]
    fn the_table_has_no_circle() {
        for (index, (name, allowed)) in TABLE.iter().enumerate() {
            for wanted in *allowed {
                let below = TABLE.iter().position(|(row, _)| row == wanted).expect("each has a row");
                assert!(below < index, "{name} may name {wanted}, which stands below it");
            }
        }
    }
}
