//! Compilers in PATH, and what is called before them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use larder_tests::{Sandbox, go_program, program};

use super::{Found, command, found, tools};

/// A program that is not larder, as `name` in PATH.
fn put(sandbox: &Sandbox, name: &str) -> PathBuf {
    let path = tools(sandbox).join(name);
    fs::copy("/bin/true", &path).expect("a copy");
    path
}

fn with(sandbox: &Sandbox, vars: &[(&str, &str)]) -> Found {
    found(command(sandbox, &[]).envs(vars.iter().copied()))
}

fn larder() -> String {
    program("larder").display().to_string()
}

fn where_is(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("set");
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .expect("installed")
}

#[test]
fn compilers_are_listed_with_their_versions_and_what_stands_before_them() {
    let sandbox = Sandbox::new();
    assert_eq!(with(&sandbox, &[]).state("tools", "compilers"), "note", "there are none");
    let folder = tools(&sandbox);
    let script = folder.join("clang");
    fs::write(&script, "#!/bin/sh\nexec gcc \"$@\"\n").expect("ours");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("ours");
    put(&sandbox, "ccache");
    symlink("ccache", folder.join("g++")).expect("ours");
    symlink(program("larder"), folder.join("cc")).expect("ours");
    symlink(where_is("gcc"), folder.join("gcc")).expect("ours");
    let found = with(&sandbox, &[]);
    assert_eq!(found.state("tools", "gcc"), "ok");
    assert!(
        found.one("tools", "gcc")["found"].as_str().expect("text").contains("gcc ("),
        "{:#?}",
        found.checks
    );
    for (name, what) in [("clang", "script"), ("g++", "ccache")] {
        assert_eq!(found.state("tools", name), "note", "{name}");
        assert!(found.one("tools", name)["found"].as_str().expect("text").contains(what), "{name}");
    }
    assert!(found.all("tools", "cc").is_empty(), "a link to larder with no compiler behind it is none");
    assert_eq!((found.state("wrap", "path"), found.code), ("note", Some(0)));
    // What larder would call is another cache.
    let second = sandbox.root().join("q");
    fs::create_dir(&second).expect("ours");
    symlink(folder.join("ccache"), second.join("cc")).expect("ours");
    let path = std::env::join_paths([&folder, &second]).expect("plain");
    let nested = super::found(command(&sandbox, &[]).env("PATH", path));
    assert_eq!(nested.state("tools", "cc"), "note");
    assert!(nested.one("tools", "cc")["found"].as_str().expect("text").contains("calls another"));
}

#[test]
fn the_wrapper_of_cargo_is_found_where_cargo_finds_it() {
    let sandbox = Sandbox::new();
    put(&sandbox, "cargo");
    put(&sandbox, "sccache");
    let own = larder();
    let state = |vars: &[(&str, &str)], state: &str, what: &str| {
        let found = with(&sandbox, vars);
        let check = found.one("wrap", "rustc");
        assert_eq!(check["state"], state, "{check}");
        assert!(check["found"].as_str().expect("text").contains(what), "{check}");
        assert_eq!(found.code, Some(i32::from(state == "problem")), "{check}");
    };
    state(&[], "note", "without a wrapper");
    state(&[("RUSTC_WRAPPER", &own)], "ok", "larder");
    state(&[("CARGO_BUILD_RUSTC_WRAPPER", "sccache")], "note", "CARGO_BUILD_RUSTC_WRAPPER names sccache");
    state(&[("RUSTC_WRAPPER", "/no/such/wrapper")], "problem", "not there");
    state(&[("RUSTC_WRAPPER", &own), ("RUSTC_WORKSPACE_WRAPPER", "sccache")], "note", "calls another");
    // The nearest file counts, and variables go over it.
    sandbox.write(".cargo/config.toml", "[build]\nrustc-wrapper = \"sccache\"\n");
    state(&[], "note", ".cargo/config.toml names sccache");
    state(&[("RUSTC_WRAPPER", &own)], "ok", "RUSTC_WRAPPER names larder");
    state(&[("RUSTC_WRAPPER", "")], "note", "without a wrapper");
    let home = sandbox.root().join("h/.cargo");
    fs::create_dir_all(&home).expect("ours");
    fs::write(home.join("config.toml"), format!("[build]\nrustc-wrapper = {own:?}\n")).expect("ours");
    state(&[], "note", "sccache");
    fs::remove_dir_all(sandbox.work().join(".cargo")).expect("ours");
    state(&[], "ok", "names larder");
}

#[test]
fn launchers_and_compiler_variables_are_looked_through_and_their_values_not_shown() {
    let sandbox = Sandbox::new();
    put(&sandbox, "ccache");
    let own = larder();
    let (through_other, nested) = ("ccache gcc -DPASSWORD=hunter2".to_owned(), format!("{own} ccache gcc"));
    let (launcher, launchers) = (own.clone(), format!("{own};ccache"));
    for (name, variable, value, state) in [
        ("make", "CC", through_other.as_str(), "note"),
        ("make", "CXX", &nested, "note"),
        ("make", "CC", &format!("{own} gcc"), "ok"),
        ("make", "CC", "gcc -O2", "ok"),
        ("cmake", "CMAKE_C_COMPILER_LAUNCHER", "ccache", "note"),
        ("cmake", "CMAKE_CXX_COMPILER_LAUNCHER", &launchers, "note"),
        ("cmake", "CMAKE_C_COMPILER_LAUNCHER", &launcher, "ok"),
        ("path", "CCACHE_PREFIX", &launcher, "note"),
    ] {
        let found = with(&sandbox, &[(variable, value)]);
        let check = found.one("wrap", name);
        assert_eq!(check["state"], state, "{variable}={value}: {check}");
        assert!(state == "ok" || check["found"].as_str().expect("text").contains(variable), "{check}");
        assert!(!format!("{:?}", found.checks).contains("hunter2"));
        assert_eq!(found.code, Some(0));
    }
}

#[test]
fn an_option_that_makes_go_build_everything_anew_is_told() {
    let sandbox = Sandbox::new();
    let go = go_program();
    let path = go.parent().and_then(Path::to_str).expect("a folder").to_owned();
    for (value, state) in [("-a", "note"), ("-mod=mod", "ok")] {
        let found = with(&sandbox, &[("PATH", &path), ("GOENV", "off"), ("GOFLAGS", value)]);
        assert_eq!(found.state("go", "flags"), state, "{value}");
    }
}
