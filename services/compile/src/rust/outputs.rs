//! The files that a crate becomes: what they are called, and where this call wants them.

use std::collections::BTreeMap;

use super::args::{CrateType, Emit, Request};
use crate::paths;

/// Stands on both sides of an output's name where messages and lists name the output; no path has it.
const MARK: u8 = 0;

/// Name of an output that the call names itself: this and its kind.
const NAMED: &str = "emit:";

/// Where what one call makes is to go.
#[derive(Clone, Debug)]
pub(crate) struct Outputs {
    /// As the caller spells it; empty for the working folder.
    folder: Vec<u8>,
    /// Kinds for which the call names a file.
    named: BTreeMap<&'static str, Vec<u8>>,
}

/// How an output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Opened, cut off and written.
    InPlace,
    /// Put in place as a whole.
    Replaced,
}

impl Outputs {
    pub(crate) fn of(request: &Request) -> Self {
        let named = |(kind, file): (&Emit, &Option<Vec<u8>>)| Some((kind_name(*kind), file.clone()?));
        Self { folder: request.out_dir.clone(), named: request.emit.iter().filter_map(named).collect() }
    }

    /// Where the output called `name` goes. `None` where this call has none of that name.
    pub(crate) fn place(&self, name: &str) -> Option<Vec<u8>> {
        match name.strip_prefix(NAMED) {
            Some(kind) => self.named.get(kind).cloned(),
            None if name.is_empty() || name.contains(['/', '\0']) => None,
            None => Some(paths::join(&self.folder, name.as_bytes())),
        }
    }

    /// How the output called `name` is written.
    pub(crate) fn form(name: &str) -> Form {
        if name.ends_with(".d") || name == "emit:dep-info" { Form::InPlace } else { Form::Replaced }
    }

    /// `text`, a dependency file, with marks where a rule's target is one of the outputs called `names`.
    pub(crate) fn taken_out_of_list(&self, text: &[u8], names: &[String]) -> Option<Vec<u8>> {
        let targets: Vec<(Vec<u8>, &String)> = names
            .iter()
            .filter_map(|name| Some(([self.place(name)?, b":".to_vec()].concat(), name)))
            .collect();
        let mut out = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match targets
                .iter()
                .find(|(target, _)| line.starts_with(target) && line[target.len()..].starts_with(b" "))
            {
                Some((target, name)) => {
                    out.extend(marked(name));
                    out.extend_from_slice(&line[target.len() - 1..]);
                }
                None => out.extend_from_slice(line),
            }
        }
        (!text.contains(&MARK)).then_some(out)
    }

    /// `stored`, a dependency file with marks, for this call.
    pub(crate) fn put_in_list(&self, stored: &[u8]) -> Option<Vec<u8>> {
        self.put_in(stored, <[u8]>::to_vec)
    }

    /// `text`, the compiler's messages, with marks where it notes that one of the outputs called `names` is written.
    pub(crate) fn taken_out_of_notes(&self, text: &[u8], names: &[String]) -> Option<Vec<u8>> {
        let notes: Vec<(Vec<u8>, &String)> = names
            .iter()
            .filter_map(|name| Some(([NOTE, &json(&self.place(name)?), NOTE_END].concat(), name)))
            .collect();
        let mut out = Vec::with_capacity(text.len());
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match notes.iter().find(|(note, _)| line.starts_with(note)) {
                Some((note, name)) => {
                    out.extend_from_slice(NOTE);
                    out.extend(marked(name));
                    out.extend_from_slice(&line[note.len() - NOTE_END.len()..]);
                }
                None => out.extend_from_slice(line),
            }
        }
        (!text.contains(&MARK)).then_some(out)
    }

    /// `stored`, messages with marks, for this call.
    pub(crate) fn put_in_notes(&self, stored: &[u8]) -> Option<Vec<u8>> {
        self.put_in(stored, json)
    }

    fn put_in(&self, stored: &[u8], quote: impl Fn(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(stored.len());
        let mut parts = stored.split(|byte| *byte == MARK);
        out.extend_from_slice(parts.next()?);
        while let Some(name) = parts.next() {
            let place = self.place(str::from_utf8(name).ok()?)?;
            out.extend(quote(&place));
            out.extend_from_slice(parts.next()?);
        }
        Some(out)
    }
}

/// How a note of a written file begins and goes on.
const NOTE: &[u8] = b"{\"$message_type\":\"artifact\",\"artifact\":\"";
const NOTE_END: &[u8] = b"\",\"emit\":";

/// Whether `stored` holds nothing but notes of written files.
pub(crate) fn only_notes(stored: &[u8]) -> bool {
    stored
        .split(|byte| *byte == b'\n')
        .all(|line| line.is_empty() || line.starts_with(&[NOTE, &[MARK]].concat()))
}

fn marked(name: &str) -> Vec<u8> {
    [&[MARK], name.as_bytes(), &[MARK]].concat()
}

/// `path` within a JSON string, as `rustc` writes it: what is not UTF-8 is replaced.
fn json(path: &[u8]) -> Vec<u8> {
    let quoted = serde_json::to_string(&String::from_utf8_lossy(path)).unwrap_or_default();
    quoted.trim_matches('"').as_bytes().to_vec()
}

fn kind_name(kind: Emit) -> &'static str {
    match kind {
        Emit::Asm => "asm",
        Emit::DepInfo => "dep-info",
        Emit::Link => "link",
        Emit::LlvmBc => "llvm-bc",
        Emit::LlvmIr => "llvm-ir",
        Emit::Metadata => "metadata",
        Emit::Mir => "mir",
        Emit::Obj => "obj",
    }
}

/// The name of the dependency file among the outputs.
pub(crate) fn dep_info_name(request: &Request) -> String {
    expected_of(request, Emit::DepInfo).pop().unwrap_or_default()
}

/// Names of the outputs that a call must make, the one that tells it apart last.
pub(crate) fn expected(request: &Request) -> Vec<String> {
    request
        .emit
        .keys()
        .filter(|kind| **kind != Emit::Link)
        .chain(request.emit.keys().filter(|kind| **kind == Emit::Link))
        .flat_map(|kind| expected_of(request, *kind))
        .collect()
}

fn expected_of(request: &Request, kind: Emit) -> Vec<String> {
    if request.emit.get(&kind).is_some_and(Option::is_some) {
        return vec![format!("{NAMED}{}", kind_name(kind))];
    }
    let stem = stem(request);
    let suffix = match kind {
        Emit::Link if request.test => return vec![format!("{stem}{}", executable(request))],
        Emit::Link => return request.crate_types.iter().map(|kind| linked(request, *kind, &stem)).collect(),
        Emit::Metadata => return vec![format!("lib{stem}.rmeta")],
        Emit::DepInfo => "d",
        Emit::Asm => "s",
        Emit::LlvmBc => "bc",
        Emit::LlvmIr => "ll",
        Emit::Mir => "mir",
        Emit::Obj => "o",
    };
    vec![format!("{stem}.{suffix}")]
}

/// What the names of all outputs hold: the crate's name and what tells it from others of that name.
pub(crate) fn stem(request: &Request) -> String {
    paths::text(&[request.crate_name.as_slice(), &request.extra_filename].concat())
}

/// Where the target does not call them so, they are found missing, and nothing is stored.
fn linked(request: &Request, kind: CrateType, stem: &str) -> String {
    let wasm = is_wasm(request);
    match kind {
        CrateType::Bin => format!("{stem}{}", executable(request)),
        CrateType::Lib => format!("lib{stem}.rlib"),
        CrateType::Staticlib => format!("lib{stem}.a"),
        CrateType::Cdylib if wasm => format!("{stem}.wasm"),
        CrateType::Dylib | CrateType::Cdylib | CrateType::ProcMacro => format!("lib{stem}.so"),
    }
}

fn executable(request: &Request) -> &'static str {
    if is_wasm(request) { ".wasm" } else { "" }
}

fn is_wasm(request: &Request) -> bool {
    request.target.as_ref().is_some_and(|target| target.starts_with(b"wasm"))
}

/// Whether the file `name` may be a piece of debug information that the crate `stem` leaves beside its outputs.
pub(crate) fn is_split_debug(stem: &str, name: &str) -> bool {
    let rest = name.strip_prefix(stem).or_else(|| name.strip_prefix("lib")?.strip_prefix(stem));
    rest.is_some_and(|rest| rest.starts_with('.') && (rest.ends_with(".dwo") || rest.ends_with(".dwp")))
}

/// Mode bits before the umask.
pub(crate) fn is_executable(name: &str, request: &Request) -> bool {
    let linked = expected_of(request, Emit::Link).iter().any(|known| known == name);
    linked && request.links() && !name.ends_with(".rlib") && !name.ends_with(".a")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(args: &[&str]) -> Request {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        super::super::args::parse(&args).unwrap()
    }

    fn library(out_dir: &str) -> Request {
        request(&[
            "--crate-name",
            "a",
            "x.rs",
            "--crate-type",
            "lib",
            "--emit=dep-info,metadata,link",
            "-C",
            "extra-filename=-1",
            "--out-dir",
            out_dir,
        ])
    }

    #[test]
    fn outputs_are_called_as_the_compiler_calls_them() {
        assert_eq!(expected(&library("o")), ["a-1.d", "liba-1.rmeta", "liba-1.rlib"]);
        let test = request(&["--crate-name", "a", "x.rs", "--test", "--emit=dep-info,link"]);
        assert_eq!(expected(&test), ["a.d", "a"]);
        assert!(is_executable("a", &test) && !is_executable("a.d", &test));
    }

    #[test]
    fn lists_and_notes_name_the_outputs_of_another_call() {
        let (one, other) = (library("/one o"), library("t\\w"));
        let names = expected(&one);
        let list = b"/one o/a-1.d: x.rs y.rs\n\nx.rs:\n";
        let stored = Outputs::of(&one).taken_out_of_list(list, &names).unwrap();
        assert_eq!(Outputs::of(&other).put_in_list(&stored).unwrap(), b"t\\w/a-1.d: x.rs y.rs\n\nx.rs:\n");
        let notes = b"{\"$message_type\":\"artifact\",\"artifact\":\"/one o/a-1.d\",\"emit\":\"dep-info\"}\n";
        let stored = Outputs::of(&one).taken_out_of_notes(notes, &names).unwrap();
        assert!(only_notes(&stored) && !only_notes(b"warning"));
        assert_eq!(
            Outputs::of(&other).put_in_notes(&stored).unwrap(),
            b"{\"$message_type\":\"artifact\",\"artifact\":\"t\\\\w/a-1.d\",\"emit\":\"dep-info\"}\n"
        );
    }
}
