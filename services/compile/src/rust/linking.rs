//! The linker that `rustc` runs: which one it is, before it runs, and what it read, afterwards.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use larder_service::{Hasher, Key, Reason};

use super::args::Request;
use super::lineage::Crates;
use super::link_args::{self, LinkCall};
use super::{Crate, outputs};
use crate::args::{Family, Refusal};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::environment::Environment;
use crate::identity::{Linker, Probe, Rustc, Tool};
use crate::inputs::about;
use crate::link::{self, Joining, Linking};
use crate::manifest::Entry;
use crate::paths;
use crate::publish::read_written;
use crate::state::Core;

/// Most ways to link that are remembered; beyond it all are forgotten.
const MAX_WAYS: usize = 1024;

/// The linker of a crate, through the driver that runs it.
#[derive(Clone, Debug)]
pub(crate) struct CrateLinker {
    pub(crate) key: Key,
    tool: Arc<Tool>,
    linker: Arc<Linker>,
    /// The program as `rustc` calls it, and what it sets for it.
    program: Vec<u8>,
    variables: Vec<(Vec<u8>, Vec<u8>)>,
}

/// How `rustc` was found to call linkers, by what decides that.
#[derive(Default)]
pub(crate) struct Ways {
    known: Mutex<HashMap<Key, Arc<LinkCall>>>,
    /// Held by the one who is finding out.
    asking: Mutex<()>,
}

impl Ways {
    fn known(&self, question: &Key) -> Option<Arc<LinkCall>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(question).cloned()
    }

    fn remember(&self, question: Key, way: Arc<LinkCall>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_WAYS {
            known.clear();
        }
        known.insert(question, way);
    }
}

impl Core {
    /// The linker that will run for `request`. May run it and the compiler: for threads that may block.
    pub(crate) fn crate_linker(
        &self,
        call: &Call,
        rustc: &Rustc,
        request: &Request,
    ) -> Result<CrateLinker, Refusal> {
        let unknown = || about(Reason::LinkerUnknown, request.linker.as_deref().unwrap_or(b"cc"));
        if !is_driver(request) {
            return Err(unknown());
        }
        // What it does not know would not be known when it has run, and could write files already when it is tried.
        parsed(Family::Gcc, request.linker_args.clone())?;
        let way = self.way(call, rustc, request)?.ok_or_else(unknown)?;
        let by_rustc = called(call, &way.program, &way.variables).ok_or_else(unknown)?;
        // What is known is looked up without waiting for others who ask.
        let known = self.compilers.known_tool(&by_rustc);
        let tool = known.unwrap_or_else(|| self.compilers.tool(&by_rustc))?;
        let Tool::Compiler(driver) = &*tool else { return Err(unknown()) };
        let is_object = |arg: &[u8]| [&b".o"[..], b".rlib"].iter().any(|suffix| arg.ends_with(suffix));
        let args = without_files(without_temporary(way.args.clone()), is_object);
        let ask = parsed(driver.dialect.family, args)?.ask;
        let known = self.compilers.known_linker(&tool, &by_rustc, &ask);
        let linker = known.unwrap_or_else(|| self.compilers.linker(&tool, &by_rustc, &ask))?;
        let mut hasher = Hasher::key("crate linker");
        hasher.field("tool", &tool.key().0);
        hasher.field("linker", &linker.key.0);
        let (program, variables) = (way.program.clone(), way.variables.clone());
        Ok(CrateLinker { key: hasher.finish_key(), tool, linker, program, variables })
    }

    /// How the compiler links under the options of `request`: found out with a program that does nothing.
    fn way(&self, call: &Call, rustc: &Rustc, request: &Request) -> Result<Option<Arc<LinkCall>>, Refusal> {
        let mut hasher = Hasher::key("way to link");
        hasher.field("rustc", &rustc.key.0);
        for option in &request.link_options {
            hasher.field("option", option);
        }
        if !request.link_options.is_empty() {
            hasher.field("cwd", &paths::into_bytes(call.cwd.clone()));
        }
        call.env.add_to_probe_key(&mut hasher);
        let question = hasher.finish_key();
        let ways = &self.rust.ways;
        if let Some(known) = ways.known(&question) {
            return Ok(Some(known));
        }
        let _asking = ways.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = ways.known(&question) {
            return Ok(Some(known));
        }
        let folder = self.context.tmp.join(format!("link-{}", question.hex()));
        let failed = |_| about(Reason::ProbeFailed, &paths::into_bytes(call.tool.clone()));
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let found = try_to_link(&folder, call, rustc, request, &*self.context.clock);
        let _ = std::fs::remove_dir_all(&folder);
        let Some(way) = found? else { return Ok(None) };
        let way = Arc::new(way);
        ways.remember(question, Arc::clone(&way));
        Ok(Some(way))
    }

    /// What the linker read and looked for in vain, as an entry without the crates: those are known already.
    pub(crate) fn linked_entry(
        &self,
        work: &Crate,
        lists: &Lists,
        crates: &Crates,
        started: u64,
    ) -> Result<Entry, Refusal> {
        let unclear = || about(Reason::DependenciesUnreadable, &work.request.source);
        let linker = work.linker.as_ref().ok_or_else(unclear)?;
        let line = read_written(&lists.call, &work.request.source, started).map_err(|_| unclear())?;
        let ran = link_args::read(&line).ok_or_else(unclear)?;
        if ran.program != linker.program || ran.variables != linker.variables {
            return Err(about(Reason::LinkerUnknown, &ran.program));
        }
        let Tool::Compiler(driver) = &*linker.tool else { return Err(unclear()) };
        let out_dir = paths::resolve(&work.call.cwd, &work.request.out_dir);
        let is_own = |file: &[u8]| work.is_own(&out_dir, crates, file);
        let args = without_files(without_temporary(ran.args), is_own);
        let mut request = parsed(driver.dialect.family, args)?;
        request.files.retain(|file| file != PLACEHOLDER);
        let list = read_written(&lists.read, &work.request.source, started).map_err(|_| unclear())?;
        let mut listed = crate::depfile::prerequisites(&list).map_err(|_| unclear())?;
        listed.retain(|file| !is_own(file));
        let call = called(&work.call, &linker.program, &linker.variables).ok_or_else(unclear)?;
        let joining = Joining {
            linking: Linking {
                arguments: Arc::new(Arguments::of(&call)?),
                call: Arc::new(call),
                tool: Arc::clone(&linker.tool),
                linker: Arc::clone(&linker.linker),
                request: Arc::new(request),
                base: work.base,
            },
            list: PathBuf::new(),
            list_is_ours: false,
        };
        let parts = self.parts(&joining, listed, started)?;
        // Only its folder plays a part.
        self.link_entry(&joining, &parts, &out_dir.join("output"), started)
    }
}

/// Where the compiler and the linker list what they do.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    /// How the linker is called.
    pub(crate) call: PathBuf,
    /// What it reads.
    pub(crate) read: PathBuf,
}

impl Lists {
    /// Arguments that make the compiler and the linker write these lists.
    pub(crate) fn arguments(&self) -> Vec<Vec<u8>> {
        let call = paths::into_bytes(self.call.clone());
        let read = paths::into_bytes(self.read.clone());
        vec![
            [b"--print=link-args=", call.as_slice()].concat(),
            b"-Clink-arg=-Xlinker".to_vec(),
            [b"-Clink-arg=--dependency-file=", read.as_slice()].concat(),
        ]
    }
}

impl Crate {
    /// Whether `file`, which the linker read, is the compiler's own: what it makes on the way, what comes with it, and
    /// the crates. All of these are known by other means.
    fn is_own(&self, out_dir: &Path, crates: &Crates, file: &[u8]) -> bool {
        let path = paths::resolve(&self.call.cwd, file);
        let temporary = path.starts_with(out_dir) && path.symlink_metadata().is_err();
        temporary
            || path.starts_with(self.rustc.sysroot.join("lib/rustlib"))
            || crates.files.contains(&path)
            || path.extension().is_some_and(|suffix| suffix == "rlib") && path.symlink_metadata().is_err()
    }
}

/// Whether the program that links is by its name a compiler's driver, as `rustc` judges it, which takes `-Xlinker`.
fn is_driver(request: &Request) -> bool {
    let for_linux =
        request.target.as_ref().is_none_or(|target| memchr::memmem::find(target, b"-linux-").is_some());
    let by_name = request.linker.as_ref().is_none_or(|linker| {
        let (_, name) = paths::split(linker);
        let name = name.strip_suffix(b".exe").unwrap_or(name);
        // As in `x86_64-linux-gnu-gcc-12`.
        let mut words = name
            .split(|byte| *byte == b'-')
            .filter(|word| !word.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.'));
        let last = words.next_back().unwrap_or_default();
        matches!(last, b"cc" | b"gcc" | b"clang" | b"c++" | b"g++" | b"clang++")
    });
    cfg!(target_os = "linux") && for_linux && by_name
}

/// Stands for the objects in a link's command line: the compiler's own are gone by now.
const PLACEHOLDER: &[u8] = b"crate.o";

fn parsed(family: Family, mut args: Vec<Vec<u8>>) -> Result<link::Request, Refusal> {
    args.push(PLACEHOLDER.to_vec());
    link::driver(family, &args)
}

/// `args` without the files, and no values of options, that `leave_out` names; and without the output, which is where
/// this call wants it.
fn without_files(args: Vec<Vec<u8>>, leave_out: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    const WITH_VALUE: [&[u8]; 7] = [b"-B", b"-L", b"-T", b"-Xlinker", b"-l", b"-u", b"-z"];
    let mut is_value = false;
    let mut kept = Vec::with_capacity(args.len());
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if !is_value && arg == b"-o" {
            args.next();
            continue;
        }
        if is_value || arg.starts_with(b"-") || !leave_out(&arg) {
            is_value = !is_value && WITH_VALUE.contains(&arg.as_slice());
            kept.push(arg);
        }
    }
    kept
}

/// `args` without what names the compiler's temporary folder: `rustc` and six letters or digits.
fn without_temporary(args: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let is_temporary = |arg: &[u8]| {
        arg.split(|byte| matches!(byte, b'/' | b'=' | b',')).rev().skip(1).any(|step| {
            step.strip_prefix(b"rustc")
                .is_some_and(|rest| rest.len() == 6 && rest.iter().all(u8::is_ascii_alphanumeric))
        })
    };
    let mut kept: Vec<Vec<u8>> = Vec::with_capacity(args.len());
    for arg in args {
        if is_temporary(&arg) {
            kept.pop_if(|last| last == b"-L");
        } else {
            kept.push(arg);
        }
    }
    kept
}

/// The call that `rustc` makes when `call` is made.
fn called(call: &Call, program: &[u8], variables: &[(Vec<u8>, Vec<u8>)]) -> Option<Call> {
    let mut env: Environment = call.env.clone();
    for (name, value) in variables {
        env = env.with(str::from_utf8(name).ok()?, value);
    }
    let tool = if program.contains(&b'/') {
        paths::resolve(&call.cwd, program)
    } else {
        let path = env.get("PATH").unwrap_or_default().to_vec();
        path.split(|byte| *byte == b':')
            .map(|folder| paths::resolve(&call.cwd, folder).join(paths::as_path(program)))
            .find(|path| is_executable(path))?
    };
    Some(Call {
        tool,
        tool_name: program.to_vec(),
        args: Vec::new(),
        env,
        whole_env: Environment::default(),
        portable: Vec::new(),
        stderr_terminal: false,
        terminal_columns: 0,
        ..call.clone()
    })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Compiles and links a program that does nothing in `folder`, and reads how the linker was called. `None` where it was
/// not called.
fn try_to_link(
    folder: &Path,
    call: &Call,
    rustc: &Rustc,
    request: &Request,
    clock: &dyn larder_service::Clock,
) -> Result<Option<LinkCall>, Refusal> {
    let source = folder.join("nothing.rs");
    let list = folder.join("call");
    std::fs::write(&source, "fn main() {}\n")
        .map_err(|_| about(Reason::ProbeFailed, &paths::into_bytes(call.tool.clone())))?;
    let source = paths::into_bytes(source);
    let out = [b"--out-dir=", paths::into_bytes(folder.to_owned()).as_slice()].concat();
    let print = [b"--print=link-args=", paths::into_bytes(list.clone()).as_slice()].concat();
    let own: [&[u8]; 5] = [&source, b"--crate-name=nothing", b"--crate-type=bin", &out, &print];
    let args = own.into_iter().chain(request.link_options.iter().map(Vec::as_slice)).collect();
    let argv0 = paths::into_bytes(rustc.program.clone());
    // Whether the link succeeds is of no matter.
    Probe { program: &rustc.program, argv0: &argv0, args, env: &call.whole_env, cwd: &call.cwd }
        .ask(clock)?;
    Ok(std::fs::read(&list).ok().and_then(|line| link_args::read(&line)))
}

/// Files beside the outputs that debug information is split into.
pub(crate) fn split_debug(work: &Crate) -> Vec<String> {
    let folder = paths::resolve(&work.call.cwd, &work.request.out_dir);
    let stem = outputs::stem(&work.request);
    let names: HashSet<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| outputs::is_split_debug(&stem, name))
        .collect();
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_compilers_temporary_folder_is_left_out() {
        let args = words(
            "-m64 /o/rustcA1b2C3/symbols.o -L /o/rustcA1b2C3/raw-dylibs -L /l -Wl,--version-script=/o/rustcA1b2C3/list rustc/x.o",
        );
        assert_eq!(without_temporary(args), words("-m64 -L /l rustc/x.o"));
    }

    #[test]
    fn drivers_are_known_by_their_names() {
        let with = |linker: &str| is_driver(&Request { linker: Some(linker.into()), ..Request::default() });
        assert!(is_driver(&Request::default()));
        assert!(
            with("/usr/bin/x86_64-linux-gnu-gcc-12") && with("clang") && !with("ld.lld") && !with("rust-lld")
        );
        let wasm = Request { target: Some(b"wasm32-unknown-unknown".into()), ..Request::default() };
        assert!(!is_driver(&wasm));
    }
}
