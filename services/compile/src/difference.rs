//! What a call has that the one before for the same object, or else from the same source, had not: why it was not seen
//! before.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_service::{Compared, Digest, Key, Reason};

use crate::args::Refusal;
use crate::call::Call;
use crate::compare::compare;
use crate::environment;
use crate::link::Linking;
use crate::lookup::{Prepared, Work};
use crate::paths;
use crate::rust::{Crate, outputs};

/// Most objects remembered; beyond it all are forgotten, which only makes a miss less well explained.
const MAX_OBJECTS: usize = 50_000;

/// Most differences that are named.
const MAX_NAMED: usize = 6;

/// The latest call for each object, and from each source.
#[derive(Default)]
pub(crate) struct Earlier(Mutex<HashMap<PathBuf, Arc<Parts>>>);

/// What a base key is made of, as far as a person can tell it apart.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) call: Arc<Call>,
    /// The options that count.
    pub(crate) options: Vec<Vec<u8>>,
    pub(crate) shows_cwd: bool,
    /// The command line itself, where it shows.
    pub(crate) shown: Vec<Vec<u8>>,
    /// The names of outputs, where they count.
    pub(crate) outputs: Vec<Vec<u8>>,
    pub(crate) tool: Key,
    /// What the tool uses.
    pub(crate) used: Key,
    /// The source's name and content; for a link there is none.
    pub(crate) source: Option<(Vec<u8>, Digest)>,
    /// The crates that a call names, by name and content.
    pub(crate) crates: Arc<Vec<(Vec<u8>, Digest)>>,
}

impl Parts {
    fn of_compile(prepared: &Prepared) -> Self {
        let invocation = &prepared.invocation;
        Self {
            call: Arc::clone(&prepared.call),
            options: invocation.key_args.clone(),
            shows_cwd: invocation.shows_cwd,
            shown: if invocation.shows_command_line { prepared.call.args.clone() } else { Vec::new() },
            outputs: if invocation.outputs().count() > 1 {
                invocation.outputs().map(<[u8]>::to_vec).collect()
            } else {
                Vec::new()
            },
            tool: prepared.driver.key,
            used: prepared.toolset.key,
            source: Some((invocation.source.clone(), prepared.source)),
            crates: Arc::default(),
        }
    }

    fn of_crate(work: &Crate) -> Self {
        Self {
            call: Arc::clone(&work.call),
            options: work.request.key_args.clone(),
            shows_cwd: true,
            shown: Vec::new(),
            outputs: Vec::new(),
            tool: work.rustc.key,
            used: work.linker.as_ref().map_or(work.rustc.key, |linker| linker.key),
            source: Some((work.request.source.clone(), work.source)),
            crates: Arc::clone(&work.externs),
        }
    }

    fn of_link(linking: &Linking) -> Self {
        Self {
            call: Arc::clone(&linking.call),
            options: linking.request.key_args.clone(),
            shows_cwd: false,
            shown: Vec::new(),
            outputs: Vec::new(),
            tool: linking.tool.key(),
            used: linking.linker.key,
            source: None,
            crates: Arc::default(),
        }
    }
}

fn object(prepared: &Prepared) -> PathBuf {
    paths::resolve(&prepared.call.cwd, &prepared.invocation.object)
}

fn source(prepared: &Prepared) -> PathBuf {
    paths::resolve(&prepared.call.cwd, &prepared.invocation.source)
}

/// What tells a crate's calls apart: the place of its outputs, and their names.
fn made_of(work: &Crate) -> PathBuf {
    let name = outputs::expected(&work.request).pop().unwrap_or_default();
    paths::resolve(&work.call.cwd, &work.request.out_dir).join(name)
}

fn linked(linking: &Linking) -> PathBuf {
    paths::resolve(&linking.call.cwd, &linking.request.output)
}

/// Under which names a call is remembered, and with what. Members of an archive are no inputs of a base key.
fn parts(work: &Work) -> Option<(Vec<PathBuf>, Arc<Parts>)> {
    let (names, parts) = match work {
        Work::Compile(prepared) => (vec![object(prepared), source(prepared)], Parts::of_compile(prepared)),
        Work::Link(linking) => (vec![linked(linking)], Parts::of_link(linking)),
        Work::Rust(work) => (vec![made_of(work)], Parts::of_crate(work)),
        Work::Archive(_) | Work::Question(_) => return None,
    };
    Some((names, Arc::new(parts)))
}

fn put(known: &mut HashMap<PathBuf, Arc<Parts>>, names: Vec<PathBuf>, parts: &Arc<Parts>) {
    if known.len() >= MAX_OBJECTS {
        known.clear();
    }
    known.extend(names.into_iter().map(|name| (name, Arc::clone(parts))));
}

impl Earlier {
    fn known(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<Parts>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers `work` as the latest call for what it makes.
    pub(crate) fn remember(&self, work: &Work) {
        if let Some((names, parts)) = parts(work) {
            put(&mut self.known(), names, &parts);
        }
    }

    /// The same; and the inputs of `work` beside those of the call before for the same object, or else from the same
    /// source.
    pub(crate) fn compare(&self, work: &Work) -> Compared {
        let Some((names, now)) = parts(work) else { return Compared::default() };
        let mut known = self.known();
        let then = names.iter().find_map(|name| known.get(name)).cloned();
        put(&mut known, names, &now);
        drop(known);
        then.map_or_else(Compared::default, |then| compare(&then, &now))
    }

    /// What differs between `prepared` and the call before for the same object, or else from the same source; empty
    /// where there was none.
    pub(crate) fn difference(&self, prepared: &Prepared) -> String {
        self.described(&[object(prepared), source(prepared)], &Parts::of_compile(prepared))
    }

    /// Why there is nothing under the key of `linking`.
    pub(crate) fn never_linked(&self, linking: &Linking) -> Refusal {
        let detail = self.described(&[linked(linking)], &Parts::of_link(linking));
        Refusal { reason: Reason::FirstSeen, detail }
    }

    /// The same for a crate.
    pub(crate) fn never_compiled(&self, work: &Crate) -> String {
        self.described(&[made_of(work)], &Parts::of_crate(work))
    }

    fn described(&self, names: &[PathBuf], now: &Parts) -> String {
        let known = self.known();
        let then = names.iter().find_map(|name| known.get(name));
        then.map_or_else(String::new, |then| describe(then, now))
    }
}

fn describe(then: &Parts, now: &Parts) -> String {
    let mut named = Vec::new();
    if then.tool != now.tool {
        named.push(if now.source.is_some() { "another compiler" } else { "another linker" }.to_owned());
    }
    if then.source.as_ref().map(|source| &source.0) != now.source.as_ref().map(|source| &source.0) {
        named.push("another source".to_owned());
    } else if then.source != now.source {
        named.push("the source's content".to_owned());
    }
    for (name, content) in now.crates.iter() {
        match then.crates.iter().find(|(known, _)| known == name) {
            Some((_, then)) if then == content => {}
            _ => named.push(format!("crate {}", paths::text(name))),
        }
    }
    let (without, with) = options(&then.options, &now.options);
    let variables = variables(then, now);
    // An option or a variable can bring others along.
    let brought = !(without.is_empty() && with.is_empty() && variables.is_empty());
    if then.tool == now.tool && then.used != now.used && !brought {
        named.push("another program or file that the compiler or linker uses".to_owned());
    }
    named.extend(without.iter().map(|option| format!("without {option}")));
    named.extend(with.iter().map(|option| format!("with {option}")));
    named.extend(variables.into_iter().map(|name| format!("variable {name}")));
    if then.outputs != now.outputs {
        named.push("other names of outputs".to_owned());
    }
    if then.call.cwd != now.call.cwd && now.shows_cwd {
        named.push("another working folder".to_owned());
    }
    if then.call.stderr_terminal != now.call.stderr_terminal {
        named.push("a terminal or none".to_owned());
    } else if now.call.stderr_terminal && then.call.terminal_columns != now.call.terminal_columns {
        named.push("another width of the terminal".to_owned());
    }
    if named.is_empty() && then.shown != now.shown {
        named.push("the command line, which shows".to_owned());
    }
    let more = named.len().saturating_sub(MAX_NAMED);
    named.truncate(MAX_NAMED);
    if more > 0 {
        named.push(format!("{more} more"));
    }
    named.join(", ")
}

/// The options that only `then` has, and those that only `now` has.
pub(crate) fn options(then: &[Vec<u8>], now: &[Vec<u8>]) -> (Vec<String>, Vec<String>) {
    let only = |these: &[Vec<u8>], those: &[Vec<u8>]| {
        let mut left = those.to_vec();
        let mut only = Vec::new();
        for option in these {
            match left.iter().position(|other| other == option) {
                Some(at) => drop(left.swap_remove(at)),
                None => only.push(paths::text(option)),
            }
        }
        only
    };
    (only(then, now), only(now, then))
}

/// Names of the carried variables whose values differ, and which can be part of a key.
pub(crate) fn variables(then: &Parts, now: &Parts) -> Vec<String> {
    let (shows_cwd, then, now) = (now.shows_cwd, &then.call, &now.call);
    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let differs = |name: &str| then.env.get(name) != now.env.get(name);
    let mut names: Vec<String> = then
        .env
        .in_key()
        .chain(now.env.in_key())
        .map(|(name, _)| text(name))
        .filter(|name| differs(name))
        .collect();
    if shows_cwd && then.cwd == now.cwd && differs("PWD") {
        names.push("PWD".to_owned());
    }
    if now.stderr_terminal && then.stderr_terminal {
        names
            .extend(environment::TERMINAL.iter().filter(|name| differs(name)).map(|name| (*name).to_owned()));
    }
    if then.portable != now.portable {
        names.push("LARDER_PORTABLE".to_owned());
    }
    names.sort();
    names.dedup();
    names
}
