//! The tool takes this process's place, as if larder had not been there.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use super::{ToolCall, complaint};
use crate::script;

/// Runs the tool in place of this process. Returns only when the operating system refuses.
pub(super) fn exec(call: &ToolCall, tool: &OsStr, args: Option<&[OsString]>) -> ExitCode {
    let error = script::exec(tool, &call.name, args.unwrap_or(&call.args), None);
    complaint::say(&format!("failed to run {}: {error}", call.name.display()));
    // As a shell has it: 127 when there is no such tool, 126 when it cannot be run.
    ExitCode::from(if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 })
}
