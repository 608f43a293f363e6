//! What the daemon is told of a call.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use larder_proto::compile_env;
use larder_proto::v1::{EnvVar, Lookup};

use super::ToolCall;

/// `portable` is what the settings have in the place of `LARDER_PORTABLE`.
pub(super) fn lookup(call: &ToolCall, tool: &OsStr, portable: Option<&[u8]>) -> io::Result<Lookup> {
    let everything = compile_env::carries_everything(call.name.as_bytes());
    let mut env: Vec<EnvVar> = std::env::vars_os()
        .filter(|(name, _)| everything || compile_env::is_carried(name.as_bytes()))
        .map(|(name, value)| EnvVar { name: name.into_vec(), value: value.into_vec() })
        .collect();
    env.sort_by(|a, b| a.name.cmp(&b.name));
    let stderr_terminal = io::stderr().is_terminal();
    let (mount_namespace, root_device, root_inode) = crate::ask::filesystem_view();
    Ok(Lookup {
        cwd: std::env::current_dir()?.into_os_string().into_vec(),
        tool: tool.as_bytes().to_vec(),
        tool_name: call.name.as_bytes().to_vec(),
        args: call.args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
        env,
        stderr_terminal,
        terminal_columns: if stderr_terminal { columns() } else { 0 },
        mount_namespace,
        root_device,
        root_inode,
        session: crate::session::current().unwrap_or_default(),
        portable: portable.unwrap_or_default().to_vec(),
        parent_pid: std::os::unix::process::parent_id(),
        stdin_null: everything && stdin_is_null(),
    })
}

/// Whether nothing can be read from standard input, as far as can be told without reading.
fn stdin_is_null() -> bool {
    // Linux's numbers of the null device.
    let null = rustix::fs::makedev(1, 3);
    rustix::fs::fstat(io::stdin()).is_ok_and(|stat| {
        rustix::fs::FileType::from_raw_mode(stat.st_mode).is_char_device() && stat.st_rdev == null
    })
}

fn columns() -> u32 {
    rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| u32::from(size.ws_col))
}

pub(super) fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}
