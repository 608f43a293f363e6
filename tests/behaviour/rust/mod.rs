//! Rust: `rustc` by itself and under Cargo, compared with the compiler run alone.

mod cargo;
mod features;
mod inputs;
mod links;
mod macros;
mod outputs;
mod program;
mod questions;
mod reasons;
mod trees;

use std::path::PathBuf;
use std::process::{Command, Output};

use larder_tests::{Sandbox, rust_tool, same_as_alone_as};

/// A larder of its own, and `rustc`.
struct Rust {
    sandbox: Sandbox,
    rustc: String,
}

/// What Cargo has of each compile.
const LIBRARY: &[&str] = &["--crate-type", "lib", "--emit=dep-info,metadata,link", "--edition=2021"];
const PROGRAM: &[&str] = &["--crate-type", "bin", "--emit=dep-info,link", "--edition=2021"];
const MACRO: &[&str] =
    &["--crate-type", "proc-macro", "--emit=dep-info,link", "--edition=2021", "--extern", "proc_macro"];

impl Rust {
    fn new() -> Self {
        let sandbox = Sandbox::started();
        std::fs::create_dir(sandbox.work().join("o")).expect("our own folder");
        Self { sandbox, rustc: rust_tool("rustc").display().to_string() }
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        self.sandbox.write_settled(name, text)
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.sandbox.work().join(name)).expect("our own file");
        self.sandbox.settle();
    }

    /// Compiles the crate `name` in the file `source` as `kind` into `o`, with `more`, demanding `reason`.
    fn compile(&self, name: &str, source: &str, kind: &[&str], more: &[&str], reason: &str) -> Output {
        self.compile_with(&[], name, source, kind, more, reason)
    }

    /// The same with variables.
    fn compile_with(
        &self,
        env: &[(&str, &str)],
        name: &str,
        source: &str,
        kind: &[&str],
        more: &[&str],
        reason: &str,
    ) -> Output {
        let out_dir = if more.contains(&"--out-dir") { &[][..] } else { &["--out-dir", "o"] };
        let args = [&["--crate-name", name, source], kind, out_dir, more].concat();
        self.call(env, &args, reason)
    }

    /// Calls `rustc`, and demands that larder counts the call under `reason`.
    fn call(&self, env: &[(&str, &str)], args: &[&str], reason: &str) -> Output {
        let argv = [&[self.rustc.as_str()], args].concat();
        let shape = |mut command: Command| {
            command.envs(env.iter().copied());
            command
        };
        let output = same_as_alone_as(&self.sandbox, &argv, shape);
        let record = &self.sandbox.stats()["records"][0];
        assert_eq!(
            record["reason"],
            reason,
            "{args:?}: {}; it printed {}",
            record["detail"],
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }
}
