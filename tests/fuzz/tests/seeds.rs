//! Each target holds for what its corpus begins with.

use std::path::Path;

use larder_fuzz::{Check, args, depfile, directives, frames, manifest, records, request, response};

const TARGETS: [(&str, Check); 8] = [
    ("args", args::check),
    ("depfile", depfile::check),
    ("directives", directives::check),
    ("frames", frames::check),
    ("manifest", manifest::check),
    ("records", records::check),
    ("request", request::check),
    ("response", response::check),
];

fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> =
        entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_seed_holds_and_every_target_has_some() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = TARGETS.map(|(name, _)| name.to_owned());
    assert_eq!(names(&root.join("seeds")), known);
    assert_eq!(names(&root.join("src/bin")), known);
    for (name, check) in TARGETS {
        let mut count = 0;
        for seed in root.join("seeds").join(name).read_dir().unwrap() {
            check(&std::fs::read(seed.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "{name}");
    }
}
