//! Questions to the compiler, as Cargo and build scripts ask them at each start. What it answers is its own affair: it reads no
//! file that is not part of its identity.

use std::sync::Arc;

use larder_proto::v1::Publish;
use larder_service::{Hasher, Key, Reason};
use larder_store::{ActionResult, StoreError};

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

/// Ways to ask for the version.
const VERSION: [&[u8]; 4] = [b"-vV", b"-Vv", b"-V", b"--version"];
const VERBOSE: [&[u8]; 2] = [b"-v", b"--verbose"];

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

/// Options with a value, of which the answer may tell, and which bring in no file.
const VALUES: [&[u8]; 5] = [b"--crate-name", b"--crate-type", b"--cfg", b"--check-cfg", b"--edition"];

/// The same with a value of one word behind them or in the next argument.
const LETTERS: [u8; 5] = *b"WADFC";

/// What `-C` may set.
const CODEGEN: [&[u8]; 17] = [
    b"codegen-units",
    b"debug-assertions",
    b"debuginfo",
    b"force-frame-pointers",
    b"force-unwind-tables",
    b"link-arg",
    b"link-args",
    b"linker",
    b"linker-plugin-lto",
    b"lto",
    b"opt-level",
    b"overflow-checks",
    b"panic",
    b"relocation-model",
    b"strip",
    b"target-cpu",
    b"target-feature",
];

/// A question, and what its answer is known by.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) call: Arc<Call>,
    pub(crate) base: Key,
}

/// What a question is about besides the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked<'c> {
    target: Option<&'c [u8]>,
    /// There is a crate to be read from standard input.
    reads_input: bool,
}

/// Takes apart what is a question and nothing else; `None` for everything that might be more.
fn asked(args: &[Vec<u8>]) -> Option<Asked<'_>> {
    let is_of = |words: &[&[u8]], arg: &Vec<u8>| words.contains(&arg.as_slice());
    let mut asked = Asked { target: None, reads_input: false };
    if args.iter().any(|arg| is_of(&VERSION, arg)) {
        let others = args.iter().all(|arg| is_of(&VERSION, arg) || is_of(&VERBOSE, arg));
        return others.then_some(asked);
    }
    let mut prints = false;
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (name, joined) = match arg.iter().position(|byte| *byte == b'=') {
            Some(at) if arg.starts_with(b"--") => (&arg[..at], Some(&arg[at + 1..])),
            _ => (arg.as_slice(), None),
        };
        let mut value = || joined.or_else(|| rest.next().map(Vec::as_slice));
        match name {
            b"-" if !asked.reads_input => asked.reads_input = true,
            b"-O" | b"-g" => {}
            b"--print" => {
                let what = value()?;
                if !PRINTS.contains(&what) {
                    return None;
                }
                prints = true;
            }
            b"--target" => {
                let target = value()?;
                // Anything else may be a file.
                if asked.target.is_some() || target.iter().any(|byte| matches!(byte, b'/' | b'.')) {
                    return None;
                }
                asked.target = Some(target);
            }
            b"--codegen" if !is_harmless(value()?) => return None,
            b"--codegen" => {}
            name if VALUES.contains(&name) => drop(value()?),
            [b'-', letter, attached @ ..] if LETTERS.contains(letter) => {
                let value = if attached.is_empty() { rest.next()?.as_slice() } else { attached };
                if *letter == b'C' && !is_harmless(value) {
                    return None;
                }
            }
            _ => return None,
        }
    }
    prints.then_some(asked)
}

/// Whether what `-C` sets says all by itself.
fn is_harmless(codegen: &[u8]) -> bool {
    let end = codegen.iter().position(|byte| *byte == b'=').unwrap_or(codegen.len());
    let (name, value) = codegen.split_at(end);
    // This machine's processor would be part of the answer.
    CODEGEN.contains(&name) && value != b"=native"
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
        let rustc = match self.compilers.known_rustc(call, asked.target) {
            Some(known) => known.ok()?,
            None => self.compilers.rustc(call, asked.target).ok()?,
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
        self.may_be_stored(&publish)?;
        let same = self.question(&question.call).is_some_and(|now| now.base == question.base);
        if !same {
            let tool = paths::into_bytes(question.call.tool.clone());
            return Err(about(Reason::InputsChangedMeanwhile, &tool));
        }
        let result = ActionResult {
            outputs: Vec::new(),
            stdout: publish.stdout,
            stderr: publish.stderr,
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
        Some((asked.target.map(paths::text), asked.reads_input))
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
