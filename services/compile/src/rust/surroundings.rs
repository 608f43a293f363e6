//! What procedural macros can see beyond the source: the environment and the files of the package.
//!
//! A macro that says what it reads has it among the sources and variables of the dependency file. One that does not is
//! held right as far as its package goes: files elsewhere, the clock and the network are its own risk, with Cargo as
//! with larder.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use larder_fingerprint::Fingerprints;
use larder_service::{Digest, Hasher, Reason};

use super::Tree;
use crate::args::Refusal;
use crate::call::Call;
use crate::files;
use crate::inputs::about;
use crate::manifest::Fact;
use crate::paths;

/// Name of the fact that says which variables there are.
pub(super) const NAMES: &[u8] = b"=variables";

/// Name of the fact that says what the package's files hold.
pub(super) const PACKAGE: &[u8] = b"=package";

/// Name of the fact that says what the build script made.
pub(super) const GENERATED: &[u8] = b"=generated files";

/// Before the name of a variable whose value lies below the root of the working tree.
pub(super) const BELOW_ROOT: &[u8] = b"=below the root ";

/// Variables that name places in the target folder: Cargo itself holds a result to be the same when that is moved. They
/// count where a result shows their values.
const MOVED: &[&[u8]] = &[b"OUT_DIR", b"CARGO_TARGET_TMPDIR"];

/// The same, with the program's name behind it.
const MOVED_PREFIX: &[u8] = b"CARGO_BIN_EXE_";

/// Most files of a package.
const MAX_FILES: usize = 20_000;

/// Deepest folder of a package.
const DEEPEST: usize = 40;

/// Variables that say where and from what the compiler is called, and nothing about what it is to make.
const NOISE: &[&str] = &[
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_MAKEFLAGS",
    "CARGO_TARGET_DIR",
    "COLORTERM",
    "COLUMNS",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "LD_LIBRARY_PATH",
    "LINES",
    "LS_COLORS",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "OLDPWD",
    "PWD",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUST_RECURSION_COUNT",
    "SHLVL",
    "TERM",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "TERM_SESSION_ID",
    "TMUX",
    "TMUX_PANE",
    "WAYLAND_DISPLAY",
    "WINDOWID",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_ID",
    "_",
];

const NOISE_PREFIXES: &[&str] = &["LARDER_", "SSH_"];

fn is_noise(name: &[u8]) -> bool {
    NOISE.iter().any(|known| known.as_bytes() == name)
        || NOISE_PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// All of that, as facts.
pub(super) fn facts(
    call: &Call,
    tree: Option<&Tree>,
    fingerprints: &Fingerprints,
) -> Result<Vec<Fact>, Refusal> {
    let mut facts = vec![Fact { name: NAMES.to_vec(), digest: Some(names(call)) }];
    if let Some(digest) = package(call, fingerprints)? {
        facts.push(Fact { name: PACKAGE.to_vec(), digest: Some(digest) });
    }
    // Also that there is nothing: what is made later could be read.
    facts.push(Fact { name: GENERATED.to_vec(), digest: generated(call, fingerprints)? });
    if tree.is_some_and(|tree| !tree.asked) {
        facts.push(Fact { name: super::facts::CWD.to_vec(), digest: Some(folder(call)) });
    }
    for (name, value) in
        call.whole_env.iter().filter(|(name, value)| !is_noise(name) && !is_moved(name, value))
    {
        facts.push(match below_root(call, tree, name) {
            Some(digest) => Fact { name: [BELOW_ROOT, name].concat(), digest: Some(digest) },
            None => Fact { name: name.to_vec(), digest: Some(Digest::of(value)) },
        });
    }
    Ok(facts)
}

/// The working folder.
pub(super) fn folder(call: &Call) -> Digest {
    Digest::of(&paths::into_bytes(call.cwd.clone()))
}

/// Variables, with their values, that count only where a result shows them.
pub(super) fn moved(call: &Call) -> impl Iterator<Item = (&[u8], &[u8])> {
    call.whole_env.iter().filter(|(name, value)| is_moved(name, value))
}

/// A value that is no long path can stand anywhere by chance.
fn is_moved(name: &[u8], value: &[u8]) -> bool {
    let slashes = value.iter().filter(|byte| **byte == b'/').count();
    (MOVED.contains(&name) || name.starts_with(MOVED_PREFIX)) && value.starts_with(b"/") && slashes > 1
}

/// What follows the root in the value of the variable `name`, where macros are held not to go by the root.
pub(super) fn below_root(call: &Call, tree: Option<&Tree>, name: &[u8]) -> Option<Digest> {
    let tree = tree.filter(|tree| tree.asked)?;
    let value = call.whole_env.get(str::from_utf8(name).ok()?)?;
    let taken_out = tree.root.taken_out(value);
    (taken_out != value).then(|| Digest::of(&taken_out))
}

/// The names and contents of the files that the package's build script made. `None` where there is none.
pub(super) fn generated(call: &Call, fingerprints: &Fingerprints) -> Result<Option<Digest>, Refusal> {
    let folder = call.whole_env.get("OUT_DIR").filter(|folder| is_moved(b"OUT_DIR", folder));
    let Some(root) = folder.map(paths::as_path).filter(|folder| folder.is_dir()) else { return Ok(None) };
    let mut walk = Walk { fingerprints, root, hasher: Hasher::key("generated"), files: 0, whole: true };
    walk.folder(root, b"", 0)?;
    Ok(Some(walk.hasher.finish_digest()))
}

/// The names of the variables.
pub(super) fn names(call: &Call) -> Digest {
    let mut hasher = Hasher::key("variables");
    for (name, _) in call.whole_env.iter().filter(|(name, _)| !is_noise(name)) {
        hasher.field("name", name);
    }
    hasher.finish_digest()
}

/// The names and contents of the package's files. `None` where the call is for none.
pub(super) fn package(call: &Call, fingerprints: &Fingerprints) -> Result<Option<Digest>, Refusal> {
    let Some(folder) = call.whole_env.get("CARGO_MANIFEST_DIR").filter(|folder| folder.starts_with(b"/"))
    else {
        return Ok(None);
    };
    let root = paths::as_path(folder);
    let mut walk = Walk { fingerprints, root, hasher: Hasher::key("package"), files: 0, whole: false };
    walk.folder(root, b"", 0)?;
    Ok(Some(walk.hasher.finish_digest()))
}

struct Walk<'a> {
    fingerprints: &'a Fingerprints,
    root: &'a Path,
    hasher: Hasher,
    files: usize,
    /// Other packages, and what tools keep for themselves, are part of it.
    whole: bool,
}

impl Walk<'_> {
    /// Version control is left out, and unless all is asked for, other packages and what tools keep for themselves.
    fn folder(&mut self, folder: &Path, name: &[u8], depth: usize) -> Result<(), Refusal> {
        let spelled = paths::into_bytes(folder.to_owned());
        let unreadable = |_| about(Reason::InputUnreadable, &spelled);
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
            .map_err(unreadable)?
            .map(|entry| Ok(entry.map_err(unreadable)?.path()))
            .collect::<Result<_, Refusal>>()?;
        entries.sort();
        let has =
            |name: &str| entries.iter().any(|entry| entry.file_name().is_some_and(|known| known == name));
        if !self.whole && has("CACHEDIR.TAG") || !self.whole && depth > 0 && has("Cargo.toml") {
            return Ok(());
        }
        self.hasher.field("folder", name);
        for path in entries {
            self.files += 1;
            if self.files > MAX_FILES || depth > DEEPEST {
                return Err(about(Reason::PackageTooLarge, &paths::into_bytes(self.root.to_owned())));
            }
            let name = path.file_name().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
            let Ok(meta) = path.symlink_metadata() else { continue };
            if meta.is_dir() {
                if self.whole || ![&b".git"[..], b".hg", b".svn", b".jj"].contains(&name.as_slice()) {
                    self.folder(&path, &name, depth + 1)?;
                }
                continue;
            }
            self.hasher.field("name", &name);
            if meta.is_symlink() {
                let target = path.read_link().map(paths::into_bytes).unwrap_or_default();
                self.hasher.field("link", &target);
            }
            // Pipes and devices are read by nobody twice alike.
            if let files::Node::File(_) = files::node(self.fingerprints, &path)? {
                self.hasher.field("content", &files::fingerprint(self.fingerprints, &path)?.digest.hash);
            }
        }
        self.hasher.field("end", b"");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_proto::v1::{EnvVar, Lookup};
    use larder_service::SystemClock;
    use std::sync::Arc;

    fn call(vars: &[(&str, &str)]) -> Call {
        let var = |(name, value): &(&str, &str)| EnvVar { name: (*name).into(), value: (*value).into() };
        Call::new(Lookup {
            cwd: b"/w".into(),
            tool: b"/bin/rustc".into(),
            tool_name: b"rustc".into(),
            env: vars.iter().map(var).collect(),
            ..Default::default()
        })
        .unwrap()
    }

    #[test]
    fn variables_count_by_name_and_value_and_noise_does_not() {
        let fingerprints = Fingerprints::new(Arc::new(SystemClock), 10);
        let of = |vars: &[(&str, &str)]| facts(&call(vars), None, &fingerprints).unwrap();
        assert_eq!(of(&[("A", "1"), ("SHLVL", "2")]), of(&[("A", "1"), ("TERM", "x")]));
        assert_ne!(of(&[("A", "1")]), of(&[("A", "2")]));
        assert_ne!(names(&call(&[("A", "1")])), names(&call(&[("B", "1")])));
    }

    #[test]
    fn the_package_is_all_files_but_other_packages_and_what_tools_keep() {
        let folder = tempfile::tempdir().unwrap();
        let fingerprints = Fingerprints::new(Arc::new(SystemClock), 100);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let call = call(&[("CARGO_MANIFEST_DIR", folder.path().to_str().unwrap())]);
        let now = || package(&call, &fingerprints).unwrap().unwrap();
        write("Cargo.toml", "");
        write("data/a.txt", "1");
        let before = now();
        write("target/CACHEDIR.TAG", "");
        write("target/debug/x", "");
        write("inner/Cargo.toml", "");
        write("inner/src/lib.rs", "");
        write(".git/HEAD", "");
        assert_eq!(before, now());
        write("data/a.txt", "2");
        assert_ne!(before, now());
    }
}
