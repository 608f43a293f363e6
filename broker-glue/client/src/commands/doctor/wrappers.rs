//! What stands between build tools and compilers: larder, another cache, or one within the other.
//!
//! Of a variable the value's programs are named, and nothing else that it holds.

use larder_glue::checks::Check;

use super::cargo;
use super::find::{self, Kind, base};

const GROUP: &str = "wrap";

/// Variables that make CMake call a program before compiler or linker.
const CMAKE: [&str; 6] = [
    "CMAKE_C_COMPILER_LAUNCHER",
    "CMAKE_CXX_COMPILER_LAUNCHER",
    "CMAKE_CUDA_COMPILER_LAUNCHER",
    "CMAKE_ASM_COMPILER_LAUNCHER",
    "CMAKE_C_LINKER_LAUNCHER",
    "CMAKE_CXX_LINKER_LAUNCHER",
];

/// Variables whose first words are the compiler and what is called before it, for make and configure.
const MAKE: [&str; 5] = ["CC", "CXX", "AR", "HOSTCC", "HOSTCXX"];

/// Variables that make another cache call a program before the compiler.
const PREFIXES: [&str; 2] = ["CCACHE_PREFIX", "CCACHE_PREFIX_CPP"];

/// Names under which another cache may stand in for a compiler.
const COMPILERS: [&str; 6] = ["cc", "c++", "gcc", "g++", "clang", "clang++"];

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    if find::first("cargo").is_some() {
        checks.push(rustc());
    }
    checks.extend([lists("cmake", &CMAKE, ';'), lists("make", &MAKE, ' '), path()]);
    checks
}

/// A variable's value, where it is set to text.
fn value(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The wrapper that Cargo calls: the variables go over the files.
fn rustc() -> Check {
    const NAME: &str = "rustc";
    const SET_IT: &str = "larder init, or: larder build -- cargo build";
    // Set to nothing, it takes back what a file says.
    let of_variable = |name: &'static str| Some((std::env::var(name).ok()?, name.to_owned()));
    let of_files =
        |name: &str| cargo::wrapper(name).map(|(program, file)| (program, file.display().to_string()));
    let outer = of_variable("RUSTC_WRAPPER")
        .or_else(|| of_variable("CARGO_BUILD_RUSTC_WRAPPER"))
        .or_else(|| of_files("rustc-wrapper"));
    let inner = of_variable("RUSTC_WORKSPACE_WRAPPER")
        .or_else(|| of_variable("CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER"))
        .or_else(|| of_files("rustc-workspace-wrapper"));
    let Some((program, source)) = outer.filter(|(program, _)| !program.is_empty()) else {
        return Check::note(GROUP, NAME, "Cargo calls compilers without a wrapper", SET_IT);
    };
    if let Some((second, other_source)) = inner
        && let Some(path) = find::first(&second)
        && let Kind::Other(other) = Kind::of(&path)
    {
        let found =
            format!("{source} names {}, and {other_source} {other}: one cache calls another", base(&program));
        return Check::note(GROUP, NAME, found, "leave one of the two");
    }
    let Some(path) = find::first(&program) else {
        let found = format!("{source} names {}, which is not there: no Cargo build works", base(&program));
        return Check::problem(GROUP, NAME, found, SET_IT);
    };
    match Kind::of(&path) {
        Kind::This => Check::ok(GROUP, NAME, format!("{source} names larder")),
        Kind::Larder => Check::note(GROUP, NAME, format!("{source} names another larder"), SET_IT),
        _ => Check::note(GROUP, NAME, format!("{source} names {}, and not larder", base(&program)), SET_IT),
    }
}

/// `names` are variables that hold programs, divided by `divider`, each of which calls the next.
fn lists(name: &'static str, names: &[&'static str], divider: char) -> Check {
    let judged = names.iter().filter_map(|name| Some((*name, value(name)?)));
    let judged: Vec<_> = judged.map(|(name, value)| judge(name, &value, divider)).collect();
    if let Some(Judged::Bad(check)) = judged.iter().find(|judged| matches!(judged, Judged::Bad(_))) {
        return Check { name, ..check.clone() };
    }
    let ours: Vec<_> = judged.iter().filter_map(Judged::ours).collect();
    match ours[..] {
        [] => Check::ok(GROUP, name, "no variable names a cache"),
        _ => Check::ok(GROUP, name, format!("{} call larder", ours.join(", "))),
    }
}

enum Judged {
    /// Larder comes first, and no other cache after it.
    Ours(&'static str),
    /// No cache is named.
    None,
    Bad(Check),
}

impl Judged {
    fn ours(&self) -> Option<&'static str> {
        if let Self::Ours(name) = self { Some(name) } else { None }
    }
}

fn judge(variable: &'static str, value: &str, divider: char) -> Judged {
    let words = value.split(divider).map(str::trim).filter(|word| !word.is_empty());
    // Options begin where the programs end.
    let words: Vec<_> = words.take_while(|word| !word.starts_with('-')).collect();
    let kinds: Vec<_> = words
        .iter()
        .filter_map(|word| find::first(word).map(|path| Kind::of(&path)).or_else(|| by_name(word)))
        .collect();
    let mut caches = kinds.iter().filter(|kind| kind.is_larder() || matches!(kind, Kind::Other(_)));
    let bad = |found: String, hint: String| Judged::Bad(Check::note(GROUP, variable, found, hint));
    match (caches.next(), caches.next()) {
        (None, _) => Judged::None,
        (Some(Kind::Other(other)), None) => bad(
            format!("{variable} names {other}, and not larder"),
            format!("name larder in the place of {other}"),
        ),
        (Some(_), Some(Kind::Other(_))) | (Some(Kind::Other(_)), Some(_)) => bad(
            format!("{variable} names several caches, one within the other"),
            "leave one of them".to_owned(),
        ),
        (Some(_), _) => Judged::Ours(variable),
    }
}

/// A cache that is named and not there: a build fails, or the shell finds it elsewhere.
fn by_name(word: &str) -> Option<Kind> {
    Some(Kind::of(std::path::Path::new(word))).filter(|kind| matches!(kind, Kind::Other(_)))
}

/// Another cache that is found by a compiler's name, or calls larder itself.
fn path() -> Check {
    const NAME: &str = "path";
    for variable in PREFIXES {
        let words = value(variable).unwrap_or_default();
        let larder = words.split_whitespace().filter_map(find::first).any(|path| Kind::of(&path).is_larder());
        if larder {
            let found = format!("{variable} names larder: one cache calls another");
            return Check::note(GROUP, NAME, found, format!("unset {variable}"));
        }
    }
    let first = COMPILERS.iter().filter_map(|name| find::first(name));
    let mut linked = first.filter_map(|path| match Kind::of(&path) {
        Kind::Other(other) => Some((path, other)),
        _ => None,
    });
    match linked.next() {
        Some((path, other)) => {
            let folder = path.parent().unwrap_or(&path).display().to_string();
            let found = format!("{folder} in PATH calls {other} by compilers' names");
            Check::note(GROUP, NAME, found, format!("take {folder} out of PATH, or put it last"))
        }
        None => Check::ok(GROUP, NAME, "no other cache has a compiler's name in PATH"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_before_the_first_option_are_judged() {
        let own = std::env::current_exe().unwrap().display().to_string();
        let is_bad = |value: &str, divider| matches!(judge("CC", value, divider), Judged::Bad(_));
        let is_ours = |value: &str, divider| judge("CC", value, divider).ours().is_some();
        assert!(is_bad("/no/such/ccache gcc", ' ') && is_bad("/no/such/sccache", ';'));
        assert!(is_bad(&format!("{own} /no/such/ccache gcc"), ' '), "one within the other");
        assert!(is_ours(&format!("{own} gcc"), ' ') && is_ours(&format!("{own};/bin/sh"), ';'));
        for none in ["gcc", "/bin/sh -c /no/such/ccache", "", "  "] {
            assert!(!is_bad(none, ' ') && !is_ours(none, ' '), "{none}");
        }
    }
}
