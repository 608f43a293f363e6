//! Which tool a call is for, and where it is.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::commands;

/// A call that larder wraps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The tool as the caller spelled it: `gcc`, `/usr/bin/cc`.
    pub name: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
}

/// The wrapped call, or `None` when one of larder's own commands is meant.
///
/// Called by another name than `larder`, the program stands in for the tool of that name; otherwise the first
/// argument that is no command of larder's names the tool.
#[must_use]
pub fn tool_of(own_name: &OsStr, args: &[OsString]) -> Option<ToolCall> {
    let base = Path::new(own_name).file_name().unwrap_or(own_name);
    if base != "larder" && !base.is_empty() {
        return Some(ToolCall { name: base.to_owned(), args: args.to_vec() });
    }
    let (first, rest) = args.split_first()?;
    if first.is_empty() || first.as_encoded_bytes()[0] == b'-' || commands::is_command(first) {
        return None;
    }
    Some(ToolCall { name: first.clone(), args: rest.to_vec() })
}

/// Absolute path of the tool that the shell would run, passing over links to larder itself, and the call as the tool
/// is to see it.
///
/// GCC looks for its own name in `PATH` to find the programs it runs. Where a link to larder is what it would find
/// there, it is called by its path instead.
pub(crate) fn resolve(call: &ToolCall) -> Result<(OsString, ToolCall), String> {
    let own = std::env::current_exe().ok().and_then(|path| path.metadata().ok());
    let is_own = |path: &Path| {
        own.as_ref()
            .zip(path.metadata().ok())
            .is_some_and(|(own, other)| (own.dev(), own.ino()) == (other.dev(), other.ino()))
    };
    let name = Path::new(&call.name);
    // Named as two wrappers at once, as Cargo allows, it is one.
    let is_a_second = call.name.as_encoded_bytes().contains(&b'/') && is_own(name) || call.name == "larder";
    if let Some((tool, args)) = call.args.split_first().filter(|_| is_a_second) {
        return resolve(&ToolCall { name: tool.clone(), args: args.to_vec() });
    }
    if call.name.as_encoded_bytes().contains(&b'/') {
        let path = std::path::absolute(name).map_err(|error| error.to_string())?;
        if is_own(&path) {
            return Err(format!("failed to run {}: it is larder itself", name.display()));
        }
        return Ok((path.into_os_string(), call.clone()));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut passed_over = false;
    for folder in std::env::split_paths(&path) {
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        let candidate = folder.join(name);
        if !is_executable(&candidate) {
            continue;
        }
        if is_own(&candidate) {
            passed_over = true;
            continue;
        }
        let Ok(found) = std::path::absolute(candidate).map(PathBuf::into_os_string) else { continue };
        let seen = if passed_over { ToolCall { name: found.clone(), ..call.clone() } } else { call.clone() };
        return Ok((found, seen));
    }
    Err(format!("failed to find {} in PATH\nhint: larder --help lists larder's own commands", name.display()))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(own: &str, args: &[&str]) -> Option<(String, usize)> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        tool_of(OsStr::new(own), &args)
            .map(|call| (call.name.to_string_lossy().into_owned(), call.args.len()))
    }

    #[test]
    fn the_first_argument_names_the_tool_unless_it_is_a_command_or_a_flag() {
        assert_eq!(tool("larder", &["gcc", "-c", "x.c"]), Some(("gcc".into(), 2)));
        assert_eq!(tool("/usr/bin/larder", &["/usr/bin/cc"]), Some(("/usr/bin/cc".into(), 0)));
        assert_eq!(tool("larder", &["status", "--json"]), None);
        assert_eq!(tool("larder", &["--version"]), None);
        assert_eq!(tool("larder", &[]), None);
    }

    #[test]
    fn called_by_a_tools_name_larder_stands_in_for_it() {
        assert_eq!(tool("/home/u/bin/gcc", &["--version"]), Some(("gcc".into(), 1)));
    }
}
