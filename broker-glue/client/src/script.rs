//! Scripts that do not say what reads them. A shell does: glibc sees to that by itself when it is to start one, musl does not.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::io::Errno;

const SHELL: &str = "/bin/sh";

/// Has `begin` start `tool`, called `name`, with `args`; where the kernel cannot, the shell that reads it.
///
/// # Errors
/// As `begin`.
pub(crate) fn start<T>(
    tool: &OsStr,
    name: &OsStr,
    args: &[OsString],
    begin: impl Fn(Command) -> io::Result<T>,
) -> io::Result<T> {
    let mut command = Command::new(tool);
    command.arg0(name).args(args);
    match begin(command) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NOEXEC) => {
            let mut shell = Command::new(SHELL);
            shell.arg(tool).args(args);
            begin(shell)
        }
        begun => begun,
    }
}

/// Has `tool` take this process's place, as [`start`] would start it, on `input` where that is given. Returns only where it
/// cannot, and why.
pub(crate) fn exec(tool: &OsStr, name: &OsStr, args: &[OsString], input: Option<fn() -> Stdio>) -> io::Error {
    let begun = start(tool, name, args, |mut command| -> io::Result<Infallible> {
        if let Some(input) = input {
            command.stdin(input());
        }
        Err(command.exec())
    });
    match begun {
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_script_that_names_no_reader_is_read_by_the_shell() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = folder.path().join("script");
        std::fs::write(&script, "echo \"$1 of $0\"\n").expect("our own file");
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("our own file");
        let tries = Cell::new(0);
        // As a C library does that leaves it to its callers.
        let begin = |mut command: Command| {
            tries.set(tries.get() + 1);
            match command.get_program() == script.as_os_str() {
                true => Err(io::Error::from(Errno::NOEXEC)),
                false => command.output(),
            }
        };
        let output = start(script.as_os_str(), OsStr::new("s"), &["one".into()], begin).expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!((said.trim_end(), tries.get()), (&*format!("one of {}", script.display()), 2));
    }

    #[test]
    fn whatever_else_is_wrong_is_told_at_once() {
        let tries = Cell::new(0);
        let error = start(OsStr::new("t"), OsStr::new("t"), &[], |_| -> io::Result<()> {
            tries.set(tries.get() + 1);
            Err(io::ErrorKind::NotFound.into())
        });
        assert_eq!((error.map_err(|error| error.kind()), tries.get()), (Err(io::ErrorKind::NotFound), 1));
    }
}
