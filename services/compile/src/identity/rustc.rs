//! Rust compilers: the program, the libraries bound to it, and what comes with it for a target.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use larder_service::{Clock, Hasher, Key, Reason};

use super::loader::add_program;
use super::premises::Collector;
use super::probe::{Answer, Probe};
use crate::args::Refusal;
use crate::call::Call;
use crate::paths;

/// Deepest folder of what comes with the compiler that is looked into.
const DEEPEST: usize = 3;

/// Most files that come with the compiler for one target.
const MAX_FILES: usize = 5_000;

/// A Rust compiler, or Clippy's driver in its place.
#[derive(Debug)]
pub(crate) struct Rustc {
    pub(crate) key: Key,
    /// The compiler itself.
    pub(crate) program: PathBuf,
    /// Where everything lies that comes with it.
    pub(crate) sysroot: PathBuf,
    /// Stems of the libraries that come with it for the target: `std-1a2b` for `libstd-1a2b.rlib`.
    pub(crate) libraries: HashSet<String>,
    /// It is Clippy's.
    pub(crate) lints: bool,
}

/// Whether a call of the tool called `name` is one of a Rust compiler.
pub(crate) fn is_one(name: &[u8]) -> bool {
    matches!(paths::split(name).1, b"rustc" | b"clippy-driver")
}

/// What decides which compiler runs when `call` is made.
pub(super) fn question(call: &Call, target: Option<&[u8]>) -> Key {
    let mut hasher = Hasher::key("rustc question");
    hasher.field("tool", &paths::into_bytes(call.tool.clone()));
    hasher.field("name", &call.tool_name);
    hasher.field("target", target.unwrap_or_default());
    if may_be_a_proxy(&call.tool) {
        // Rustup's choice goes by these.
        hasher.field("cwd", &paths::into_bytes(call.cwd.clone()));
        for (name, value) in
            call.whole_env.iter().filter(|(name, _)| name.starts_with(b"RUSTUP_") || *name == b"HOME")
        {
            hasher.field("variable", name);
            hasher.field("value", value);
        }
    }
    for name in ["LD_LIBRARY_PATH", "GLIBC_TUNABLES"] {
        hasher.field(name, call.env.get(name).unwrap_or_default());
    }
    hasher.finish_key()
}

/// Whether the compiler's library does not lie where a compiler would look for it.
fn may_be_a_proxy(tool: &Path) -> bool {
    sysroot_of(tool).is_none()
}

/// The folder that holds `bin/rustc` and `lib/librustc_driver-….so`.
fn sysroot_of(tool: &Path) -> Option<PathBuf> {
    let program = tool.canonicalize().ok()?;
    let sysroot = program.parent().filter(|folder| folder.ends_with("bin"))?.parent()?;
    let mut entries = std::fs::read_dir(sysroot.join("lib")).ok()?.flatten();
    let has = entries.any(|entry| entry.file_name().to_string_lossy().starts_with("librustc_driver-"));
    has.then(|| sysroot.to_owned())
}

/// Identifies the compiler of `call` with what it needs for `target`.
pub(super) fn identify(
    collector: &mut Collector<'_>,
    call: &Call,
    target: Option<&[u8]>,
    clock: &dyn Clock,
) -> Result<Rustc, Refusal> {
    let unknown = || Refusal { reason: Reason::CompilerUnknown, detail: paths::path_text(&call.tool) };
    let (_, name) = paths::split(&call.tool_name);
    let lints = name == b"clippy-driver";
    let program = collector.follow(&call.tool).ok_or_else(unknown)?;
    let mut hasher = Hasher::key("rustc");
    if sysroot_of(&call.tool).is_none() {
        // A proxy, or another layout.
        collector.file(&program)?;
        chosen_by_rustup(collector, call)?;
    }
    let asked = if lints { call.tool.with_file_name("rustc") } else { call.tool.clone() };
    // Where it is at home is its own affair: links may lead elsewhere than they seem to.
    let answer = ask(call, &asked, &["--print", "sysroot"], clock)?;
    let sysroot = answer.stdout.trim_ascii_end();
    if !answer.succeeded || !sysroot.starts_with(b"/") {
        return Err(unknown());
    }
    let sysroot = paths::as_path(sysroot).to_owned();
    let own = collector.follow(&sysroot.join("bin").join(paths::as_path(name)));
    if own.as_ref() != Some(&program) {
        if !is_rustups(&program) {
            // It may be anything, such as a script that adds options.
            return Err(unknown());
        }
        hasher.field("proxy", &collector.file(&program)?.hash);
    }
    let compiler = sysroot.join("bin/rustc");
    for program in
        [lints.then(|| sysroot.join("bin/clippy-driver")), Some(compiler.clone())].into_iter().flatten()
    {
        let program = collector.follow(&program).ok_or_else(unknown)?;
        add_program(collector, &mut hasher, &program, &call.env, clock)?;
    }
    let version = ask(call, &compiler, &["-vV"], clock)?;
    let host = host(&version.stdout).filter(|_| version.succeeded).ok_or_else(unknown)?;
    hasher.field("version", &version.stdout);
    let mut libraries = HashSet::new();
    let mut targets = vec![host];
    targets.extend(
        target.map(|target| paths::as_path(target).to_owned()).filter(|target| *target != targets[0]),
    );
    for (at, target) in targets.iter().enumerate() {
        if target.components().count() != 1 {
            return Err(unknown());
        }
        let folder = sysroot.join("lib/rustlib").join(target);
        let wanted = at + 1 == targets.len();
        add_folder(collector, &mut hasher, &folder, 0, &mut |path| {
            if wanted && let Some(stem) = stem(path) {
                libraries.insert(stem);
            }
        })?;
    }
    Ok(Rustc { key: hasher.finish_key(), program: compiler, sysroot, libraries, lints })
}

/// Whether `program` is Rustup's proxy: Rustup itself, by a link of either kind.
fn is_rustups(program: &Path) -> bool {
    let node = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    let rustup = program.with_file_name("rustup");
    program == rustup || node(program).is_some_and(|own| Some(own) == node(&rustup))
}

fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_str()?.strip_prefix("lib")?.to_owned())
}

/// Adds everything that lies in `folder`, by name and content.
fn add_folder(
    collector: &mut Collector<'_>,
    hasher: &mut Hasher,
    folder: &Path,
    depth: usize,
    seen: &mut impl FnMut(&Path),
) -> Result<(), Refusal> {
    let odd = || Refusal { reason: Reason::CompilerUnknown, detail: paths::path_text(folder) };
    collector.folder(folder);
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    let mut names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    if names.len() > MAX_FILES {
        return Err(odd());
    }
    names.sort();
    for path in names {
        let real = collector.follow(&path).ok_or_else(odd)?;
        hasher.field("name", &paths::into_bytes(path.clone()));
        if real.is_dir() {
            if depth >= DEEPEST {
                return Err(odd());
            }
            add_folder(collector, hasher, &path, depth + 1, seen)?;
        } else {
            hasher.field("content", &collector.file(&real)?.hash);
            seen(&path);
        }
    }
    Ok(())
}

/// What Rustup goes by becomes premises: its settings, and files above the working folder.
fn chosen_by_rustup(collector: &mut Collector<'_>, call: &Call) -> Result<(), Refusal> {
    let home = call.whole_env.get("RUSTUP_HOME").map(paths::as_path).map(Path::to_owned);
    let home = home.or_else(|| Some(paths::as_path(call.whole_env.get("HOME")?).join(".rustup")));
    if let Some(home) = home {
        collector.file_or_absent(&home.join("settings.toml"))?;
        // A toolchain can be a link to a folder elsewhere.
        collector.folder(&home.join("toolchains"));
    }
    for folder in call.cwd.ancestors() {
        for name in ["rust-toolchain", "rust-toolchain.toml"] {
            collector.file_or_absent(&folder.join(name))?;
        }
    }
    Ok(())
}

fn ask(call: &Call, program: &Path, args: &[&str], clock: &dyn Clock) -> Result<Answer, Refusal> {
    let argv0 = paths::into_bytes(program.to_owned());
    let args = args.iter().map(|arg| arg.as_bytes()).collect();
    Probe { program, argv0: &argv0, args, env: &call.whole_env, cwd: &call.cwd }.ask(clock)
}

/// The host in the answer to `-vV`.
fn host(version: &[u8]) -> Option<PathBuf> {
    let mut lines = version.split(|byte| *byte == b'\n');
    let host = lines.find_map(|line| line.strip_prefix(b"host: "))?;
    (!host.is_empty() && !host.contains(&b'/')).then(|| paths::as_path(host).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_from_the_version() {
        let version = b"rustc 1.95.0\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(host(version).unwrap(), Path::new("x86_64-unknown-linux-gnu"));
        assert_eq!(host(b"rustc\nhost: \n"), None);
    }

    #[test]
    fn compilers_are_known_by_their_files_names() {
        assert!(is_one(b"/t/bin/rustc") && is_one(b"clippy-driver") && !is_one(b"rustdoc"));
    }
}
