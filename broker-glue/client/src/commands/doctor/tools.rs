//! The compilers in `PATH`: which there are, and whether what they make can be kept.

use larder_glue::checks::Check;

use super::find::{self, Kind};

const GROUP: &str = "tools";

/// Each that is called by this name, and whether larder must know what it does.
const TOOLS: [(&str, bool); 8] = [
    ("cc", true),
    ("c++", true),
    ("gcc", true),
    ("g++", true),
    ("clang", true),
    ("clang++", true),
    ("rustc", true),
    ("cargo", false),
];

pub(super) fn checks() -> Vec<Check> {
    let found: Vec<_> = TOOLS.into_iter().filter_map(|(name, cached)| tool(name, cached)).collect();
    if found.is_empty() {
        return vec![Check::note(GROUP, "compilers", "there is none in PATH", "")];
    }
    found
}

/// `None` where there is none of that name.
fn tool(name: &'static str, cached: bool) -> Option<Check> {
    const HINT: &str = "name the compiler itself, by its path, or put its folder before that one in PATH";
    let all = find::all(name);
    let mut through = String::new();
    let mut rest = all.iter();
    let program = loop {
        let program = rest.next()?;
        // Larder passes over links to itself.
        if !Kind::of(program).is_larder() {
            break program;
        }
        through = format!(", called through {}", program.display());
    };
    let shown = format!("{}{through}", program.display());
    Some(match Kind::of(program) {
        Kind::Other(other) if through.is_empty() => {
            Check::note(GROUP, name, format!("{shown} is {other}: another cache would be asked"), HINT)
        }
        Kind::Other(other) => {
            Check::note(GROUP, name, format!("{shown} is {other}: one cache calls another"), HINT)
        }
        Kind::Script if cached => {
            Check::note(GROUP, name, format!("{shown} is a script, of which nothing is kept"), HINT)
        }
        _ => match find::said(program, &["--version"]) {
            Ok(version) => Check::ok(GROUP, name, format!("{shown}: {version}")),
            Err(error) => Check::note(GROUP, name, format!("{shown} does not run: {error}"), ""),
        },
    })
}
