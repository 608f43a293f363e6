//! Go: whether the go command asks larder, and finds what it is told.

use std::path::Path;
use std::process::Command;

use larder_glue::checks::Check;
use rustix::fs::{Access, access};
use serde::Deserialize;

use super::find::{self, Kind};

const GROUP: &str = "go";

/// The first version that runs a helper without being told to try it.
const OLDEST: (u32, u32) = (1, 24);

/// Most bytes of a path, with its final zero: `PATH_MAX` of limits.h(0p).
const PATH_LIMIT: usize = 4096;

/// Bytes that a blob's path adds to `$GOCACHE`, at most.
const PATH_BYTES: usize = "/larder-01234567/ab/".len() + 64 + "-18446744073709551615".len();

const SET_IT: &str = "export GOCACHEPROG=\"larder go\"";

/// What `go env -json` says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE", default)]
struct Env {
    goversion: String,
    gocache: String,
    gocacheprog: String,
    goflags: String,
}

pub(super) fn checks() -> Vec<Check> {
    let asked =
        Command::new("go").args(["env", "-json", "GOVERSION", "GOCACHE", "GOCACHEPROG", "GOFLAGS"]).output();
    let said = match asked {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return vec![Check::note(GROUP, "command", "there is none in PATH", "")];
        }
        Err(error) => return vec![Check::problem(GROUP, "command", error.to_string(), "")],
        Ok(said) if !said.status.success() => {
            let error = String::from_utf8_lossy(&said.stderr).trim().to_owned();
            return vec![Check::problem(GROUP, "command", error, "go env must work")];
        }
        Ok(said) => said.stdout,
    };
    let env: Env = serde_json::from_slice(&said).unwrap_or_default();
    vec![version(&env.goversion), variable(&env.gocacheprog), flags(&env.goflags), paths(&env.gocache)]
}

fn version(version: &str) -> Check {
    match parse(version) {
        Some(found) if found < OLDEST => Check::problem(
            GROUP,
            "version",
            version,
            "use Go 1.24 or later, or export GOEXPERIMENT=cacheprog from 1.21 on",
        ),
        Some(_) => Check::ok(GROUP, "version", version),
        None => Check::note(GROUP, "version", format!("{version:?} is no release"), ""),
    }
}

/// `go1.27.3` is (1, 27).
fn parse(version: &str) -> Option<(u32, u32)> {
    let (major, rest) = version.strip_prefix("go")?.split_once('.')?;
    let minor = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn variable(value: &str) -> Check {
    let words: Vec<_> = value.split_whitespace().collect();
    let Some(program) = words.first() else {
        return Check::note(GROUP, "variable", "GOCACHEPROG is not set: go uses its own cache", SET_IT);
    };
    let Some(path) = find::first(program) else {
        let found = format!("GOCACHEPROG={value}: there is no {program}, and no go command works");
        return Check::problem(GROUP, "variable", found, SET_IT);
    };
    match (Kind::of(&path), &words[1..]) {
        (Kind::This, ["go"]) => Check::ok(GROUP, "variable", format!("GOCACHEPROG={value}")),
        (Kind::Larder, ["go"]) => {
            Check::note(GROUP, "variable", format!("GOCACHEPROG={value}: that is another larder"), SET_IT)
        }
        _ => Check::note(GROUP, "variable", format!("GOCACHEPROG={value} is not larder"), SET_IT),
    }
}

/// Options for each go command, by name: some have it make everything anew.
fn flags(value: &str) -> Check {
    const ANEW: [&str; 2] = ["-a", "--a"];
    let names = value.split_whitespace().map(|word| word.split_once('=').map_or(word, |(name, _)| name));
    if names.clone().any(|name| ANEW.contains(&name)) {
        let found = "GOFLAGS has -a: go makes everything anew each time";
        return Check::note(GROUP, "flags", found, "go env -u GOFLAGS, or unset GOFLAGS");
    }
    if names.clone().any(|name| name.trim_start_matches('-') == "toolexec") {
        let found = "GOFLAGS has -toolexec: what another program makes of the compiler's calls is kept apart";
        return Check::note(GROUP, "flags", found, "leave it out where you need it not");
    }
    Check::ok(GROUP, "flags", "no option of GOFLAGS stands in the way")
}

fn paths(gocache: &str) -> Check {
    let path = Path::new(gocache);
    if !path.is_absolute() {
        return Check::problem(
            GROUP,
            "paths",
            format!("GOCACHE={gocache} is no absolute path"),
            "unset GOCACHE",
        );
    }
    let longest = gocache.len() + PATH_BYTES;
    if longest >= PATH_LIMIT {
        let found = format!("below GOCACHE={gocache}, outputs have paths of {longest} bytes");
        return Check::problem(GROUP, "paths", found, format!("fewer than {PATH_LIMIT} can be opened"));
    }
    let nearest = path.ancestors().find(|path| path.exists()).unwrap_or(path);
    if access(nearest, Access::WRITE_OK).is_err() {
        let found =
            format!("GOCACHE={gocache} cannot be written: `go build -o x.a` takes archives from the store");
        return Check::note(GROUP, "paths", found, "make the folder writable, or choose another GOCACHE");
    }
    Check::ok(GROUP, "paths", format!("at most {longest} bytes, below GOCACHE={gocache}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_glue::checks::State;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (text, state) in [
            ("go1.27.3", State::Ok),
            ("go1.24rc1", State::Ok),
            ("go2.0", State::Ok),
            ("go1.23.9", State::Problem),
            ("go1.9", State::Problem),
            ("devel go1.28-abcdef", State::Note),
            ("", State::Note),
        ] {
            assert_eq!(version(text).state, state, "{text}");
        }
    }

    #[test]
    fn a_helper_that_is_not_there_is_a_problem_and_another_one_is_not() {
        let own = std::env::current_exe().expect("a path");
        assert_eq!(variable(&format!("{} go", own.display())).state, State::Ok);
        assert_eq!(variable("").state, State::Note);
        assert_eq!(variable("/bin/sh -c x").state, State::Note);
        assert_eq!(variable("/no/such/larder go").state, State::Problem);
    }

    #[test]
    fn an_option_that_makes_everything_anew_is_told() {
        for (value, state) in [
            ("", State::Ok),
            ("-mod=mod -v", State::Ok),
            ("-v -a", State::Note),
            ("-toolexec=/x", State::Note),
        ] {
            assert_eq!(flags(value).state, state, "{value}");
        }
    }

    #[test]
    fn a_path_that_nobody_can_open_is_a_problem() {
        assert_eq!(paths("/tmp").state, State::Ok);
        assert_eq!(paths("off").state, State::Problem);
        assert_eq!(paths(&format!("/{}", "x/".repeat(2000))).state, State::Problem);
    }
}
