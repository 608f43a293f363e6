//! One compiler call as a client described it.

use std::path::{Path, PathBuf};

use larder_proto::compile_env;
use larder_proto::v1::Lookup;

use crate::environment::Environment;
use crate::paths;

/// Most arguments of one call.
const MAX_ARGS: usize = 100_000;
/// Most variables of one call.
const MAX_VARS: usize = 10_000;

/// A request that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to understand the lookup: {0}")]
pub(crate) struct CallError(&'static str);

/// One compiler call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Absolute.
    pub(crate) cwd: PathBuf,
    /// Absolute; links not followed.
    pub(crate) tool: PathBuf,
    /// `argv[0]`.
    pub(crate) tool_name: Vec<u8>,
    /// Without `argv[0]`.
    pub(crate) args: Vec<Vec<u8>>,
    /// What C toolchains read.
    pub(crate) env: Environment,
    /// Everything, where the tool's calls carry it; else empty.
    pub(crate) whole_env: Environment,
    /// Value of `LARDER_PORTABLE`, which is none of the tool's variables, or what the settings have in its place.
    pub(crate) portable: Vec<u8>,
    pub(crate) stderr_terminal: bool,
    /// There is nothing to be read from standard input.
    pub(crate) stdin_null: bool,
    pub(crate) terminal_columns: u32,
    /// Mount namespace, root device, root inode; 0 where unknown.
    pub(crate) filesystem_view: (u64, u64, u64),
    /// Of the program that made the call; 0 where unknown.
    pub(crate) parent_pid: u32,
    /// Empty where there is none.
    pub(crate) session: String,
}

impl Call {
    pub(crate) fn new(lookup: Lookup) -> Result<Self, CallError> {
        if !lookup.cwd.starts_with(b"/") {
            return Err(CallError("the working folder is not absolute"));
        }
        if !lookup.tool.starts_with(b"/") {
            return Err(CallError("the tool is not absolute"));
        }
        if lookup.args.len() > MAX_ARGS || lookup.env.len() > MAX_VARS {
            return Err(CallError("there are too many arguments or variables"));
        }
        let has_nul = |bytes: &[u8]| bytes.contains(&0);
        if has_nul(&lookup.cwd)
            || has_nul(&lookup.portable)
            || has_nul(&lookup.tool)
            || has_nul(&lookup.tool_name)
            || lookup.args.iter().any(|arg| has_nul(arg))
            || lookup.env.iter().any(|var| {
                has_nul(&var.name) || has_nul(&var.value) || var.name.is_empty() || var.name.contains(&b'=')
            })
        {
            return Err(CallError("an argument, variable or path cannot be one"));
        }
        let mut env = Environment::new(lookup.env);
        let mut whole_env = Environment::default();
        if compile_env::carries_everything(&lookup.tool_name) {
            whole_env = env.clone();
            env.retain(compile_env::is_carried);
        }
        let portable = env.take("LARDER_PORTABLE").unwrap_or(lookup.portable);
        Ok(Self {
            cwd: paths::as_path(&lookup.cwd).to_owned(),
            tool: paths::as_path(&lookup.tool).to_owned(),
            tool_name: lookup.tool_name,
            args: lookup.args,
            env,
            whole_env,
            portable,
            stderr_terminal: lookup.stderr_terminal,
            stdin_null: lookup.stdin_null,
            terminal_columns: lookup.terminal_columns,
            filesystem_view: (lookup.mount_namespace, lookup.root_device, lookup.root_inode),
            parent_pid: lookup.parent_pid,
            session: lookup.session,
        })
    }

    /// The caller sees the files that the daemon sees, as far as both know.
    pub(crate) fn sees_like(&self, daemon: (u64, u64, u64)) -> bool {
        let same = |a: u64, b: u64| a == 0 || b == 0 || a == b;
        let caller = self.filesystem_view;
        same(caller.0, daemon.0) && same(caller.1, daemon.1) && same(caller.2, daemon.2)
    }

    /// The tool's name for records.
    pub(crate) fn tool_text(&self) -> String {
        let (_, name) = paths::split(&self.tool_name);
        if name.is_empty() {
            return self.tool.file_name().map(|name| paths::path_text(Path::new(name))).unwrap_or_default();
        }
        paths::text(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_proto::v1::EnvVar;

    fn lookup() -> Lookup {
        Lookup { cwd: b"/w".into(), tool: b"/bin/gcc".into(), tool_name: b"gcc".into(), ..Default::default() }
    }

    #[test]
    fn impossible_calls_are_refused() {
        assert!(Call::new(lookup()).is_ok());
        assert!(Call::new(Lookup { cwd: b"w".into(), ..lookup() }).is_err());
        assert!(Call::new(Lookup { tool: b"gcc".into(), ..lookup() }).is_err());
        assert!(Call::new(Lookup { args: vec![b"a\0b".into()], ..lookup() }).is_err());
        let var = EnvVar { name: b"A=B".into(), value: b"".into() };
        assert!(Call::new(Lookup { env: vec![var], ..lookup() }).is_err());
    }

    #[test]
    fn an_unknown_part_of_the_view_does_not_separate() {
        let call =
            Call::new(Lookup { mount_namespace: 4, root_device: 5, root_inode: 6, ..lookup() }).unwrap();
        assert!(call.sees_like((4, 5, 6)));
        assert!(call.sees_like((0, 5, 6)));
        assert!(!call.sees_like((7, 5, 6)));
        assert!(!call.sees_like((0, 5, 7)));
    }
}
