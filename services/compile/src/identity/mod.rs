//! Compiler identity: what makes two compilers the same one.
//!
//! A driver is its program, the links that lead to it and the libraries bound to it; its toolset is what it runs and
//! reads by itself under given options: compiler proper, assembler, specification and configuration files, and the
//! folders it searches. Both are worked out by asking the driver, and hold as long as every file, link and folder the
//! answers rest on is as it was.

mod archiver;
mod clang;
mod driver;
mod gcc;
mod introduced;
pub(crate) mod linker;
pub(crate) mod loader;
mod memo;
pub(crate) mod noted;
mod premises;
mod probe;
mod rustc;
pub(crate) mod verbose;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use larder_fingerprint::Fingerprints;
use larder_service::{Clock, Hasher, Key, Reason};

pub(crate) use self::archiver::{Archiver, Role};
pub use self::introduced::Introduced;
pub(crate) use self::linker::Linker;
use self::memo::Memo;
use self::premises::{Collector, Premises};
pub(crate) use self::probe::Probe;
pub(crate) use self::rustc::{Rustc, is_one as is_rustc};
use crate::args::{Dialect, Family, Invocation, Language, Refusal};
use crate::call::Call;
use crate::{key, paths};

/// How long a failed probe is not repeated.
const FAILURE_LASTS: Duration = Duration::from_secs(5);

/// How long a tool that is none that larder knows is not asked again: an answer can be cut short, too.
const UNKNOWN_LASTS: Duration = Duration::from_secs(300);

/// How long a file that could not be read is not tried again: it may be the daemon that lacks something, such as
/// descriptors, and to try costs no process.
const UNREADABLE_LASTS: Duration = Duration::from_secs(1);

/// A driver that was identified.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) key: Key,
    pub(crate) dialect: Dialect,
}

/// A tool that was identified.
#[derive(Debug)]
pub(crate) enum Tool {
    Compiler(Arc<Driver>),
    Archiver(Arc<Archiver>),
    /// A linker; where it looks depends on the call.
    Linker(Key),
}

impl Tool {
    /// Its identity.
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Compiler(driver) => driver.key,
            Self::Archiver(archiver) => archiver.key,
            Self::Linker(key) => *key,
        }
    }
}

/// What a driver uses under given options.
#[derive(Debug)]
pub(crate) struct Toolset {
    pub(crate) key: Key,
    /// Folders that it searches, or would if they existed, by itself and by the environment.
    pub(crate) folders: Vec<Vec<u8>>,
}

/// All compilers, archivers and linkers seen so far.
pub(crate) struct Compilers {
    fingerprints: Arc<Fingerprints>,
    clock: Arc<dyn Clock>,
    /// Where a file may be put that a driver is asked about.
    tmp: PathBuf,
    tools: Memo<Tool>,
    toolsets: Memo<Toolset>,
    linkers: Memo<Linker>,
    rustcs: Memo<Rustc>,
}

impl Compilers {
    pub(crate) fn new(fingerprints: Arc<Fingerprints>, clock: Arc<dyn Clock>, tmp: PathBuf) -> Self {
        Self {
            fingerprints,
            clock,
            tmp,
            tools: Memo::default(),
            toolsets: Memo::default(),
            linkers: Memo::default(),
            rustcs: Memo::default(),
        }
    }

    /// The tool of `call`, if it is known and unchanged. Asks nobody.
    pub(crate) fn known_tool(&self, call: &Call) -> Option<Result<Arc<Tool>, Refusal>> {
        self.tools.known(&driver_question(call), &self.fingerprints, &*self.clock)
    }

    /// The tool of `call`. May run it, and read all of it: for threads that may block.
    pub(crate) fn tool(&self, call: &Call) -> Result<Arc<Tool>, Refusal> {
        self.tools.get(driver_question(call), &self.fingerprints, &*self.clock, || {
            let mut collector = Collector::new(&self.fingerprints, &*self.clock);
            let found = driver::identify(&mut collector, call, folder_of(call), &self.tmp, &*self.clock);
            self.answer(found, collector)
        })
    }

    /// The toolset of `driver` under the options of `invocation`, if it is known and unchanged. Asks nobody.
    pub(crate) fn known_toolset(
        &self,
        driver: &Driver,
        call: &Call,
        invocation: &Invocation,
    ) -> Option<Result<Arc<Toolset>, Refusal>> {
        let options = options(invocation);
        let question = toolset_question(driver, call, invocation.language, &options, cwd(call, &options));
        self.toolsets.known(&question, &self.fingerprints, &*self.clock)
    }

    /// The toolset of `driver` under the options of `invocation`. May run it: for threads that may block.
    pub(crate) fn toolset(
        &self,
        driver: &Driver,
        call: &Call,
        invocation: &Invocation,
    ) -> Result<Arc<Toolset>, Refusal> {
        let options = options(invocation);
        let cwd = cwd(call, &options);
        let question = toolset_question(driver, call, invocation.language, &options, cwd);
        self.toolsets.get(question, &self.fingerprints, &*self.clock, || {
            let mut collector = Collector::new(&self.fingerprints, &*self.clock);
            let language = invocation.language;
            let asked = Asked { call, language, options: &options, cwd, clock: &*self.clock };
            let found = match driver.dialect.family {
                Family::Gcc => gcc::toolset(&mut collector, asked),
                Family::Clang => clang::toolset(&mut collector, asked),
            };
            self.answer(found, collector)
        })
    }

    /// What links under `options` when `tool` is called, if it is known and unchanged. Asks nobody.
    pub(crate) fn known_linker(
        &self,
        tool: &Tool,
        call: &Call,
        options: &[Vec<u8>],
    ) -> Option<Result<Arc<Linker>, Refusal>> {
        let options: Vec<&[u8]> = options.iter().map(Vec::as_slice).collect();
        let question = linker_question(tool, call, &options);
        self.linkers.known(&question, &self.fingerprints, &*self.clock)
    }

    /// What links under `options` when `tool` is called. May run it: for threads that may block.
    pub(crate) fn linker(
        &self,
        tool: &Tool,
        call: &Call,
        options: &[Vec<u8>],
    ) -> Result<Arc<Linker>, Refusal> {
        let options: Vec<&[u8]> = options.iter().map(Vec::as_slice).collect();
        let question = linker_question(tool, call, &options);
        self.linkers.get(question, &self.fingerprints, &*self.clock, || {
            let mut collector = Collector::new(&self.fingerprints, &*self.clock);
            let cwd = cwd(call, &options);
            let asked = Asked { call, language: Language::C, options: &options, cwd, clock: &*self.clock };
            let found = match tool {
                Tool::Compiler(driver) => {
                    let family = driver.dialect.family;
                    let object = self.tmp.join(format!("link-{:x}.o", self.clock.unix_ns()));
                    // The driver looks whether it is there, and no further.
                    std::fs::write(&object, "").map_err(|_| asked.failed()).and_then(|()| {
                        let found = linker::driven(&mut collector, asked, family, &object);
                        let _ = std::fs::remove_file(&object);
                        found
                    })
                }
                _ => linker::called(&mut collector, asked),
            };
            self.answer(found, collector)
        })
    }

    /// The Rust compiler of `call` for `target`, if it is known and unchanged. Asks nobody.
    pub(crate) fn known_rustc(
        &self,
        call: &Call,
        target: Option<&[u8]>,
    ) -> Option<Result<Arc<Rustc>, Refusal>> {
        self.rustcs.known(&rustc::question(call, target), &self.fingerprints, &*self.clock)
    }

    /// The Rust compiler of `call` for `target`. May run it, and read all of it: for threads that may block.
    pub(crate) fn rustc(&self, call: &Call, target: Option<&[u8]>) -> Result<Arc<Rustc>, Refusal> {
        let question = rustc::question(call, target);
        self.rustcs.get(question, &self.fingerprints, &*self.clock, || {
            let mut collector = Collector::new(&self.fingerprints, &*self.clock);
            let found = rustc::identify(&mut collector, call, target, &*self.clock);
            self.answer(found, collector)
        })
    }

    fn answer<T>(
        &self,
        found: Result<T, Refusal>,
        collector: Collector<'_>,
    ) -> (memo::Found<T>, Premises, Option<u64>) {
        let lasts = match found.as_ref().map_err(|refusal| refusal.reason) {
            Ok(_) => None,
            Err(Reason::CompilerUnknown | Reason::LinkerUnknown) => Some(UNKNOWN_LASTS),
            Err(Reason::InputUnreadable) => Some(UNREADABLE_LASTS),
            Err(_) => Some(FAILURE_LASTS),
        };
        let until = lasts.map(|lasts| {
            let lasts = u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX);
            self.clock.monotonic_ns().saturating_add(lasts)
        });
        (found.map(Arc::new), collector.finish(), until)
    }
}

/// A question about a toolset.
#[derive(Clone, Copy)]
struct Asked<'a> {
    call: &'a Call,
    language: Language,
    options: &'a [&'a [u8]],
    cwd: &'a Path,
    clock: &'a dyn Clock,
}

impl Asked<'_> {
    /// Asks the driver with the call's options, then `args`.
    fn ask(&self, args: &[&str]) -> Result<probe::Answer, Refusal> {
        let args = args.iter().map(|arg| arg.as_bytes());
        Probe {
            program: &self.call.tool,
            argv0: &self.call.tool_name,
            args: self.options.iter().copied().chain(args).collect(),
            env: &self.call.env,
            cwd: self.cwd,
        }
        .ask(self.clock)
    }

    /// Asks for the search folders, which only preprocessing lists.
    fn listing(&self) -> Result<probe::Answer, Refusal> {
        let language = match self.language {
            // A driver that is to assemble searches nothing; what it would search shows what it is all the same.
            Language::Assembler => Language::AssemblerWithCpp,
            other => other,
        };
        self.ask(&["-x", key::language(language), "-E", "-v", "-"])
    }

    fn failed(&self) -> Refusal {
        Refusal { reason: Reason::ProbeFailed, detail: paths::path_text(&self.call.tool) }
    }
}

/// Options to repeat when the driver is asked: those that change its search or target, or whose meaning depends on
/// the processor it runs on.
fn options(invocation: &Invocation) -> Vec<&[u8]> {
    invocation.search.probe_args.iter().map(Vec::as_slice).collect()
}

/// Where to ask about the driver itself: the caller's folder only if it matters, so that one answer serves a tree.
fn folder_of(call: &Call) -> &Path {
    let relative_name = call.tool_name.contains(&b'/') && !call.tool_name.starts_with(b"/");
    if relative_name || call.env.has_relative_folders() { &call.cwd } else { Path::new("/") }
}

fn cwd<'a>(call: &'a Call, options: &[&[u8]]) -> &'a Path {
    const WITHOUT_FOLDERS: &[&str] = &[
        "-O",
        "-W",
        "-ansi",
        "-f",
        "-g",
        "-m",
        "-no-pie",
        "-nostd",
        "-pedantic",
        "-pie",
        "-pipe",
        "-pthread",
        "-rdynamic",
        "-shared",
        "-static",
        "-std=",
        "--target=",
        "-undef",
        "-w",
    ];
    let plain = |option: &&[u8]| WITHOUT_FOLDERS.iter().any(|prefix| option.starts_with(prefix.as_bytes()));
    if options.iter().all(plain) { folder_of(call) } else { &call.cwd }
}

fn driver_question(call: &Call) -> Key {
    let mut hasher = Hasher::key("driver question");
    hasher.field("tool", &paths::into_bytes(call.tool.clone()));
    hasher.field("name", &call.tool_name);
    hasher.field("cwd", &paths::into_bytes(folder_of(call).to_owned()));
    call.env.add_to_probe_key(&mut hasher);
    hasher.finish_key()
}

fn linker_question(tool: &Tool, call: &Call, options: &[&[u8]]) -> Key {
    let mut hasher = Hasher::key("linker question");
    hasher.field("tool", &tool.key().0);
    hasher.field("cwd", &paths::into_bytes(cwd(call, options).to_owned()));
    for option in options {
        hasher.field("option", option);
    }
    call.env.add_to_probe_key(&mut hasher);
    hasher.finish_key()
}

fn toolset_question(driver: &Driver, call: &Call, language: Language, options: &[&[u8]], cwd: &Path) -> Key {
    let mut hasher = Hasher::key("toolset question");
    hasher.field("driver", &driver.key.0);
    hasher.field("language", key::language(language).as_bytes());
    hasher.field("cwd", &paths::into_bytes(cwd.to_owned()));
    for option in options {
        hasher.field("option", option);
    }
    call.env.add_to_probe_key(&mut hasher);
    hasher.finish_key()
}
