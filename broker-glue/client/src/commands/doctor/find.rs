//! Programs: where they are, whether they are larder or another cache, and what they say of themselves.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{Access, access};

use crate::running;

/// How long a program may take to say which version it is.
const LIMIT: Duration = Duration::from_secs(5);

/// Most bytes of what it says, and of one line that is shown.
const SAID: u64 = 16 << 10;
const LINE: usize = 100;

/// Other programs that stand in for compilers: caches, and what spreads compiles over machines.
const OTHERS: [&str; 9] =
    ["ccache", "sccache", "buildcache", "cachepot", "zccache", "distcc", "icecc", "fastcache", "firebuild"];

/// What stands behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The program that runs now.
    This,
    /// A larder of another installation.
    Larder,
    /// Another program that stands in for compilers.
    Other(&'static str),
    /// A script: nobody can tell what it makes of a call.
    Script,
    /// Anything else.
    Plain,
}

impl Kind {
    /// Of the program at `path`, links followed: caches are often called by a compiler's name.
    pub(super) fn of(path: &Path) -> Self {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let same = || {
            let (own, other) = (std::env::current_exe().ok()?.metadata().ok()?, path.metadata().ok()?);
            Some((own.dev(), own.ino()) == (other.dev(), other.ino()))
        };
        if same().unwrap_or(false) {
            return Self::This;
        }
        let name = real.file_name().unwrap_or_default();
        if name == "larder" {
            return Self::Larder;
        }
        if let Some(other) = OTHERS.iter().find(|other| name == **other) {
            return Self::Other(other);
        }
        let mut start = [0; 2];
        let read = std::fs::File::open(&real).and_then(|mut file| file.read_exact(&mut start));
        if read.is_ok() && start == *b"#!" { Self::Script } else { Self::Plain }
    }

    /// Whether it is larder, this one or another.
    pub(super) fn is_larder(self) -> bool {
        matches!(self, Self::This | Self::Larder)
    }
}

/// All programs that are found as `program`, in the order of `PATH`; the first is the one that runs.
pub(super) fn all(program: &str) -> Vec<PathBuf> {
    let executable = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(executable).into_iter().collect();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(program)).filter(executable).collect()
}

/// The one that runs as `program`.
pub(super) fn first(program: &str) -> Option<PathBuf> {
    all(program).into_iter().next()
}

/// The first line that `program` writes when it is called with `args`, or a sentence that says why there is none.
pub(super) fn said(program: &Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    // Rustup fetches no toolchain for being asked, nor does the go command.
    command.args(args).env("RUSTUP_AUTO_INSTALL", "0").env("GOTOOLCHAIN", "local");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let gone = running::wait_gone(child.id(), LIMIT).unwrap_or(false);
    if !gone {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    if !gone {
        return Err(format!("it has not ended within {} s", LIMIT.as_secs()));
    }
    let text = if status.success() { out.and_then(line) } else { err.and_then(line) };
    match (status.success(), text) {
        (true, text) => Ok(text.unwrap_or_default()),
        (false, text) => Err(text.unwrap_or_else(|| format!("it ended with {status}"))),
    }
}

/// The first line of `stream` that is not empty. Whoever else holds its other end must not hold this up.
fn line(stream: impl std::io::Read + std::os::fd::AsFd) -> Option<String> {
    let _ = rustix::io::ioctl_fionbio(&stream, true);
    let mut bytes = Vec::new();
    let _ = stream.take(SAID).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().filter(|c| !c.is_control()).take(LINE).collect())
}

/// The last part of `word`: what a variable's value says of itself without where it lies.
pub(super) fn base(word: &str) -> &str {
    Path::new(word).file_name().and_then(OsStr::to_str).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_cache_by_a_compilers_name_is_known_and_so_is_this_program() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("ccache"), "\x7fELF").unwrap();
        std::fs::write(at("script"), "#!/bin/sh\nexec gcc \"$@\"\n").unwrap();
        symlink("ccache", at("gcc")).unwrap();
        symlink(std::env::current_exe().unwrap(), at("cc")).unwrap();
        assert_eq!(Kind::of(&at("gcc")), Kind::Other("ccache"));
        assert_eq!(Kind::of(&at("cc")), Kind::This);
        assert_eq!(Kind::of(&at("script")), Kind::Script);
        assert_eq!(Kind::of(&at("ccache").with_file_name("none")), Kind::Plain);
    }

    #[test]
    fn what_a_program_says_is_one_line_and_a_failure_its_error() {
        let sh = Path::new("/bin/sh");
        assert_eq!(said(sh, &["-c", "echo; echo one; echo two"]), Ok("one".to_owned()));
        assert_eq!(said(sh, &["-c", "echo no >&2; exit 3"]), Err("no".to_owned()));
        assert!(said(sh, &["-c", "exit 3"]).unwrap_err().contains('3'));
        assert!(said(Path::new("/no/such"), &[]).is_err());
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        assert!(all(plain.to_str().unwrap()).is_empty(), "it is not executable");
        std::fs::set_permissions(&plain, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(first(plain.to_str().unwrap()), Some(plain));
    }
}
