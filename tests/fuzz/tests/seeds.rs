//! Each target holds for what its corpus begins with.

use std::path::{Path, PathBuf};

use larder_fuzz::{
    Check, answers, archive, args, artifact, code, days, depfile, digests, directives, environment,
    fingerprints, format, frames, gorequest, journal, link, manifest, program, records, request, response,
    rust, settings, study, tools,
};

const TARGETS: [(&str, Check); 25] = [
    ("answers", answers::check),
    ("archive", archive::check),
    ("args", args::check),
    ("artifact", artifact::check),
    ("code", code::check),
    ("days", days::check),
    ("depfile", depfile::check),
    ("digests", digests::check),
    ("directives", directives::check),
    ("environment", environment::check),
    ("fingerprints", fingerprints::check),
    ("format", format::check),
    ("frames", frames::check),
    ("gorequest", gorequest::check),
    ("journal", journal::check),
    ("link", link::check),
    ("manifest", manifest::check),
    ("program", program::check),
    ("records", records::check),
    ("request", request::check),
    ("response", response::check),
    ("rust", rust::check),
    ("settings", settings::check),
    ("study", study::check),
    ("tools", tools::check),
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().expect("our folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("our folder").path()).collect();
    files.sort();
    files
}

fn names(folder: &Path) -> Vec<String> {
    let name = |file: PathBuf| file.file_stem().map(|name| name.to_string_lossy().into_owned());
    files(folder).into_iter().filter_map(name).collect()
}

#[test]
fn every_seed_holds_and_every_target_has_some() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = TARGETS.map(|(name, _)| name.to_owned());
    assert_eq!(names(&root.join("seeds")), known);
    assert_eq!(names(&root.join("src/bin")), known);
    for (name, check) in TARGETS {
        let seeds = files(&root.join("seeds").join(name));
        assert!(!seeds.is_empty(), "{name}");
        for seed in seeds {
            check(&std::fs::read(seed).expect("a file"));
        }
    }
}
