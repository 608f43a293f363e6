//! What the result of a command is kept under: all that it is said to depend on.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use larder_proto::v1::{ArtifactPart, ArtifactPartKind, ArtifactParts};
use larder_tree::shown;
use sha2::{Digest as _, Sha256};

use super::Plan;
use super::inputs::Input;
use crate::wrapper::ToolCall;

/// Version of the way in which keys are made.
const VERSION: &[u8] = b"larder run 1";

/// Most parts that the daemon compares; of a key of more it only tells that it is absent.
const MAX_PARTS: usize = 20_000;

/// Deepest chain of scripts that run scripts.
const MAX_INTERPRETERS: usize = 4;

/// Of a script's first line so many bytes are looked at.
const MAX_FIRST_LINE: u64 = 512;

/// Framed, so that no two sequences of fields are one.
#[derive(Default)]
struct Fields(Sha256);

impl Fields {
    fn of(fields: &[&[u8]]) -> Vec<u8> {
        let mut all = Self::default();
        fields.iter().for_each(|field| all.add(field));
        all.end()
    }

    fn add(&mut self, field: &[u8]) {
        self.0.update((field.len() as u64).to_le_bytes());
        self.0.update(field);
    }

    fn end(self) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

/// A key in hexadecimal, and what it was made of.
pub(crate) struct RunKey {
    pub(crate) key: String,
    pub(crate) parts: Option<ArtifactParts>,
    /// The tool, and the programs that run it where it is a script.
    pub(crate) programs: Vec<Input>,
}

impl RunKey {
    /// Of `plan`, whose tool is at `tool`.
    ///
    /// # Errors
    /// When the tool cannot be read.
    pub(crate) fn of(plan: &Plan, call: &ToolCall, tool: &OsStr, inputs: &[Input]) -> io::Result<Self> {
        let mut parts = Vec::with_capacity(inputs.len() + 16);
        let mut part = |kind: ArtifactPartKind, name: &[u8], digest: Vec<u8>| {
            parts.push(ArtifactPart { kind: kind.into(), name: shown(name), digest });
        };
        let mut programs = Vec::new();
        let tool = identity(Path::new(tool), MAX_INTERPRETERS, &mut programs)?;
        part(ArtifactPartKind::Tool, call.name.as_bytes(), tool);
        let words: Vec<&[u8]> =
            std::iter::once(&call.name).chain(&call.args).map(|word| word.as_bytes()).collect();
        part(ArtifactPartKind::Command, b"", Fields::of(&words));
        for name in &plan.env {
            let value = std::env::var_os(name);
            let digest = match &value {
                Some(value) => Fields::of(&[b"set", value.as_bytes()]),
                None => Fields::of(&[b"unset"]),
            };
            part(ArtifactPartKind::Variable, name.as_bytes(), digest);
        }
        let surroundings = ArtifactPartKind::Surroundings;
        let root = if plan.portable { Path::new("") } else { &plan.root };
        let folder = plan.folder.strip_prefix(&plan.root).unwrap_or(&plan.folder);
        let paths = [root.as_os_str().as_bytes(), folder.as_os_str().as_bytes()];
        part(surroundings, b"working folder", Fields::of(&paths));
        part(surroundings, b"umask", umask().to_le_bytes().to_vec());
        part(surroundings, b"streams", streams(plan));
        for output in &plan.outputs {
            // Where the command makes the folder itself, so does larder.
            let there = output.place.parent().is_some_and(Path::is_dir);
            let path = output.place.strip_prefix(&plan.root).unwrap_or(&output.place);
            let name = [b"folder of ", path.as_os_str().as_bytes()].concat();
            part(surroundings, &name, vec![u8::from(there)]);
        }
        for input in inputs {
            part(ArtifactPartKind::Input, input.path.as_os_str().as_bytes(), input.digest.clone());
        }
        let mut all = Fields::default();
        all.add(VERSION);
        for part in &parts {
            all.add(&part.kind.to_le_bytes());
            all.add(part.name.as_bytes());
            all.add(&part.digest);
        }
        let key = all.end().iter().map(|byte| format!("{byte:02x}")).collect();
        let comparable = parts.len() <= MAX_PARTS && parts.iter().all(|part| part.name.len() <= 4096);
        let parts = comparable.then(|| ArtifactParts { slot: slot(plan, call), parts });
        Ok(Self { key, parts, programs })
    }
}

/// What is made, whatever it is made of: the outputs, or the tool where there are none.
fn slot(plan: &Plan, call: &ToolCall) -> Vec<u8> {
    let mut fields = Fields::default();
    fields.add(plan.folder.as_os_str().as_bytes());
    plan.outputs.iter().for_each(|output| fields.add(output.shown.as_os_str().as_bytes()));
    if plan.outputs.is_empty() {
        fields.add(call.name.as_bytes());
    }
    fields.end()
}

fn umask() -> u32 {
    // There is no way to ask that does not set it.
    let mask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(mask);
    mask.bits()
}

/// Tools write otherwise to a terminal, and to one of another width.
fn streams(plan: &Plan) -> Vec<u8> {
    let terminal = io::stderr().is_terminal();
    let columns =
        if terminal { rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col) } else { 0 };
    let [low, high] = columns.to_le_bytes();
    vec![u8::from(plan.one_output), u8::from(terminal), low, high]
}

/// The program at `tool`, and what runs it where it is a script, added to `programs`; names all of them.
fn identity(tool: &Path, depth: usize, programs: &mut Vec<Input>) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    File::open(tool)?.take(MAX_FIRST_LINE).read_to_end(&mut begin)?;
    let program = Input::read(tool.to_owned())?;
    let mut fields = Fields::default();
    fields.add(tool.as_os_str().as_bytes());
    fields.add(&program.digest);
    programs.push(program);
    for interpreter in interpreters(&begin) {
        if depth == 0 {
            return Err(io::Error::other("too many scripts run each other"));
        }
        fields.add(&identity(&interpreter, depth - 1, programs)?);
    }
    Ok(fields.end())
}

/// What a script's first line names, and what `env` finds for it.
fn interpreters(begin: &[u8]) -> Vec<PathBuf> {
    let Some(line) = begin.strip_prefix(b"#!").and_then(|rest| rest.split(|byte| *byte == b'\n').next())
    else {
        return Vec::new();
    };
    let mut words = line.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
    let Some(first) = words.next().map(|word| Path::new(OsStr::from_bytes(word)).to_owned()) else {
        return Vec::new();
    };
    let by_env = first.file_name() == Some(OsStr::new("env"));
    let mut found = vec![first];
    let program = words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='));
    if let Some(program) = program.filter(|_| by_env) {
        let call = ToolCall { name: OsString::from(OsStr::from_bytes(program)), args: Vec::new() };
        found.extend(crate::wrapper::resolve(&call).ok().map(|(path, _)| PathBuf::from(path)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_what_runs_it_too() {
        assert_eq!(interpreters(b"#!/bin/sh -e\necho"), [Path::new("/bin/sh")]);
        assert_eq!(interpreters(b"\x7fELF"), [] as [&Path; 0]);
        let by_env = interpreters(b"#! /usr/bin/env -S sh\n");
        assert_eq!((by_env.len(), by_env[1].file_name()), (2, Some(OsStr::new("sh"))));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        assert_ne!(Fields::of(&[b"a", b"bc"]), Fields::of(&[b"ab", b"c"]));
    }
}
