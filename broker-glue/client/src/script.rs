//! Scripts that do not say what reads them. A shell does: glibc sees to that by itself when it is to start one, musl does not.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::Command;

use rustix::io::Errno;

const SHELL: &str = "/bin/sh";

/// Whether `error` says that a program's file is none that the kernel can start.
pub(crate) fn is_one(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NOEXEC)
}

/// The shell that reads `script`.
pub(crate) fn reading(script: &OsStr, args: &[OsString]) -> Command {
    let mut command = Command::new(SHELL);
    command.arg(script).args(args);
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_script_without_a_first_line_that_names_its_reader_is_read_by_the_shell() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = folder.path().join("script");
        std::fs::write(&script, "echo \"$1 of $0\"\n").expect("our own file");
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("our own file");
        let output = reading(script.as_os_str(), &["one".into()]).output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim_end(), format!("one of {}", script.display()));
        assert!(is_one(&io::Error::from_raw_os_error(Errno::NOEXEC.raw_os_error())));
        assert!(!is_one(&io::Error::from(io::ErrorKind::NotFound)));
    }
}
