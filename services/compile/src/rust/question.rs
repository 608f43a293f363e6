//! Questions to the compiler, as Cargo and build scripts ask them at each start. What it answers is its own affair: it reads no
//! file that is not part of its identity.

use std::sync::Arc;

use larder_proto::v1::Publish;
use larder_service::{Hasher, Key, Reason};
use larder_store::{ActionResult, StoreError};

use super::args::{self, Word};
use super::options::{Codegen, Use};
use super::prepare::{FORBIDDEN, add_variables};
use crate::args::Refusal;
use crate::call::Call;
use crate::inputs::about;
use crate::paths;
use crate::publish::Stored;
use crate::record::bare;
use crate::state::{Core, OWNER};

/// Changes whenever what a key means changes.
const FORMAT: &[u8] = &[1];

/// What may be asked by `--print`; each answer goes to standard output.
const PRINTS: [&[u8]; 9] = [
    b"cfg",
    b"check-cfg",
    b"crate-name",
    b"file-names",
    b"host-tuple",
    b"split-debuginfo",
    b"sysroot",
    b"target-libdir",
    b"target-list",
];

/// A question, and what its answer is known by.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) call: Arc<Call>,
    pub(crate) base: Key,
}

/// What a question is about besides the compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    target: Option<Vec<u8>>,
    /// There is a crate to be read from standard input.
    reads_input: bool,
}

/// Takes apart what is a question and nothing else; `None` for everything that might be more.
fn asked(args: &[Vec<u8>]) -> Option<Asked> {
    let mut asked = Asked { target: None, reads_input: false };
    let (mut version, mut prints) = (false, false);
    let more = |name: &[u8]| Err(about(Reason::NotACompile, name));
    args::each_word(args, |word| {
        match word {
            Word::File(b"-") if !asked.reads_input => asked.reads_input = true,
            Word::File(file) => return more(file),
            Word::Option { what, name, value } => match what {
                Use::Key | Use::Shown | Use::CrateName | Use::CrateType => {}
                Use::Codegen if is_harmless(value) => {}
                // Anything but a plain name may be a file.
                Use::Target if asked.target.is_none() && !value.contains(&b'/') && !value.contains(&b'.') => {
                    asked.target = Some(value.to_vec());
                }
                Use::Refuse(_) if matches!(name, b"-V" | b"--version") => version = true,
                Use::Refuse(_) if name == b"--print" && PRINTS.contains(&value) => prints = true,
                _ => return more(name),
            },
        }
        Ok(())
    })
    .ok()?;
    (version != prints).then_some(asked)
}

/// Whether what `-C` sets says all by itself.
fn is_harmless(setting: &[u8]) -> bool {
    match args::codegen(setting) {
        // This machine's processor would be part of the answer.
        (_, value, Some(Codegen::TargetCpu)) => value != b"native",
        (
            ..,
            Some(
                Codegen::Key
                | Codegen::Linker
                | Codegen::DecidesLink
                | Codegen::ForTheLinker
                | Codegen::LinkerFlavor
                | Codegen::LinkerPlugin,
            ),
        ) => true,
        _ => false,
    }
}

impl Core {
    /// The question that `call` asks, if that is all it does. May run the compiler: for threads that may block.
    pub(crate) fn question(&self, call: &Arc<Call>) -> Option<Question> {
        let asked = asked(&call.args)?;
        let reads = ["RUST_TARGET_PATH"].iter().chain(FORBIDDEN);
        if paths::split(&call.tool_name).1 != b"rustc"
            || (asked.reads_input && !call.stdin_null)
            || reads.into_iter().any(|name| call.whole_env.get(name).is_some())
        {
            return None;
        }
        let rustc = match self.compilers.known_rustc(call, asked.target.as_deref()) {
            Some(known) => known.ok()?,
            None => self.compilers.rustc(call, asked.target.as_deref()).ok()?,
        };
        let mut hasher = Hasher::key("question of rustc");
        hasher.field("format", FORMAT);
        hasher.field("rustc", &rustc.key.0);
        hasher.field("sysroot", &paths::into_bytes(rustc.sysroot.clone()));
        for arg in &call.args {
            hasher.field("argument", arg);
        }
        add_variables(call, &rustc, &mut hasher);
        Some(Question { call: Arc::clone(call), base: hasher.finish_key() })
    }

    /// Stores what `publish` tells of, or says why not. May run the compiler: for threads that may block.
    pub(crate) fn publish_answer(&self, question: &Question, publish: Publish) -> Result<Stored, Refusal> {
        if !publish.stderr.is_empty() {
            // A message may look otherwise on another terminal.
            return Err(bare(Reason::NotACompile));
        }
        self.may_be_stored(&publish)?;
        let same = self.question(&question.call).is_some_and(|now| now.base == question.base);
        if !same {
            let tool = paths::into_bytes(question.call.tool.clone());
            return Err(about(Reason::InputsChangedMeanwhile, &tool));
        }
        let result = ActionResult {
            outputs: Vec::new(),
            stdout: publish.stdout,
            stderr: Vec::new(),
            exit_code: 0,
            tool_us: publish.tool_us,
            created_unix_ms: self.context.clock.unix_ms(),
        };
        self.store.put_action(OWNER, &question.base, &result).map_err(|error: StoreError| {
            tracing::warn!(%error, "failed to store an answer");
            bare(Reason::StoreFailed)
        })?;
        Ok(Stored { action: question.base, bytes: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<(Option<String>, bool)> {
        let args: Vec<Vec<u8>> = line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect();
        let asked = asked(&args)?;
        Some((asked.target.as_deref().map(paths::text), asked.reads_input))
    }

    #[test]
    fn what_cargo_and_build_scripts_ask_is_a_question() {
        for line in ["-vV", "-V", "--version --verbose", "--print sysroot", "--print=cfg -O -Copt-level=3"] {
            assert_eq!(of(line), Some((None, false)), "{line}");
        }
        let cargos = "- --crate-name ___ --print=file-names -C panic=abort --crate-type bin --crate-type=rlib --print=sysroot --print=split-debuginfo --print=crate-name --print=cfg -Wwarnings";
        assert_eq!(of(cargos), Some((None, true)));
        let other = format!("{cargos} --target wasm32-unknown-unknown --cfg x -A dead_code --codegen lto");
        assert_eq!(of(&other), Some((Some("wasm32-unknown-unknown".to_owned()), true)));
    }

    #[test]
    fn what_may_read_or_write_more_is_none() {
        for line in [
            "",
            "-v",
            "-O",
            "-vV x.rs",
            "--version --print cfg",
            "--explain E0001",
            "x.rs --print cfg",
            "- - --print cfg",
            "-",
            "- --crate-name x --emit=metadata",
            "--print",
            "--print cfg=file",
            "--print native-static-libs",
            "--print cfg -o out",
            "--print cfg --out-dir o",
            "--print cfg --sysroot /other",
            "--print cfg @args",
            "--print cfg -Zunstable-options",
            "--print cfg -Csave-temps",
            "--print cfg -C target-cpu=native",
            "--print cfg -Ctarget-cpu=native",
            "--print cfg --codegen=target-cpu=native",
            "--print cfg --target own.json",
            "--print cfg --target ./own",
            "--print cfg --target a --target b",
            "--print cfg --crate-name",
            "--print cfg -L x",
            "--print cfg --extern a=b",
            "+nightly -vV",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
