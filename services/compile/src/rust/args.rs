//! A call of `rustc`, taken apart.

use std::collections::BTreeMap;

use larder_service::Reason;

use super::options::{self, Codegen, Shape, Use};
use crate::args::Refusal;
use crate::paths;

/// Crates that come with the compiler and need no path.
const OF_THE_SYSROOT: &[&str] = &["alloc", "core", "proc_macro", "std", "test"];

/// What a crate becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum CrateType {
    Bin,
    Lib,
    Dylib,
    Cdylib,
    Staticlib,
    ProcMacro,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Emit {
    Asm,
    DepInfo,
    Link,
    LlvmBc,
    LlvmIr,
    Metadata,
    Mir,
    Obj,
}

/// A crate that is named to the compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extern {
    /// With the options before it: `priv:name`.
    pub(crate) name: Vec<u8>,
    /// As the caller spells it; `None` for a crate that comes with the compiler.
    pub(crate) path: Option<Vec<u8>>,
}

/// Kind of a search folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FolderKind {
    Dependency,
    Crate,
    Native,
    All,
}

/// A call that compiles one crate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) crate_name: Vec<u8>,
    pub(crate) crate_types: Vec<CrateType>,
    /// Each kind with the file that the caller names for it.
    pub(crate) emit: BTreeMap<Emit, Option<Vec<u8>>>,
    pub(crate) extra_filename: Vec<u8>,
    /// Empty for the working folder.
    pub(crate) out_dir: Vec<u8>,
    /// `-o`
    pub(crate) output: Option<Vec<u8>>,
    pub(crate) source: Vec<u8>,
    pub(crate) externs: Vec<Extern>,
    pub(crate) folders: Vec<(FolderKind, Vec<u8>)>,
    /// Static libraries, as they stand behind `-l`, without their kind: name, and whether it is the file's own.
    pub(crate) static_libraries: Vec<(Vec<u8>, bool)>,
    /// Target and how files are called there; `None` for the host.
    pub(crate) target: Option<Vec<u8>>,
    pub(crate) test: bool,
    /// The program that links, where the caller names one.
    pub(crate) linker: Option<Vec<u8>>,
    /// Options that decide which linker runs and where it looks, in order.
    pub(crate) link_options: Vec<Vec<u8>>,
    /// What the caller has for the linker.
    pub(crate) linker_args: Vec<Vec<u8>>,
    /// Files that options name and the compiler reads.
    pub(crate) files: Vec<Vec<u8>>,
    /// The result depends on the processor it is made on.
    pub(crate) native_cpu: bool,
    pub(crate) shows_out_dir: bool,
    /// Objects are left for the linker to finish.
    pub(crate) for_linker_plugin: bool,
    /// Messages are JSON, and among them are notes of what has been written.
    pub(crate) notes_artifacts: bool,
    pub(crate) json: bool,
    /// What stands in the key, in order.
    pub(crate) key_args: Vec<Vec<u8>>,
    /// What only messages can show, in order.
    pub(crate) shown_args: Vec<Vec<u8>>,
}

impl Request {
    /// Whether the linker runs.
    pub(crate) fn links(&self) -> bool {
        let linked = |kind: &CrateType| !matches!(kind, CrateType::Lib | CrateType::Staticlib);
        self.emit.contains_key(&Emit::Link) && (self.test || self.crate_types.iter().any(linked))
    }

    /// Whether other crates' code, and not only what they declare, goes into the result.
    pub(crate) fn takes_code(&self) -> bool {
        let takes = |kind: &CrateType| *kind != CrateType::Lib;
        self.emit.contains_key(&Emit::Link) && (self.test || self.crate_types.iter().any(takes))
    }
}

fn refused(reason: Reason, detail: &[u8]) -> Refusal {
    Refusal { reason, detail: paths::text(&detail[..detail.len().min(80)]) }
}

/// Takes `args`, those of argument files in their place, apart.
///
/// # Errors
/// The reason why the call cannot be cached.
pub(crate) fn parse(args: &[Vec<u8>]) -> Result<Request, Refusal> {
    let mut request = Request::default();
    let mut source = None;
    each_word(args, |word| match word {
        Word::Option { what, name, value } => request.option(what, name, value),
        Word::File(file) if source.is_some() => Err(refused(Reason::SeveralSources, file)),
        Word::File(file) => {
            source = Some(file.to_vec());
            Ok(())
        }
    })?;
    request.source = source.ok_or_else(|| refused(Reason::NotACompile, b""))?;
    request.complete()
}

/// What the caller says, a thing at a time.
pub(super) enum Word<'a> {
    /// The value of a flag is empty.
    Option {
        what: Use,
        name: &'a [u8],
        value: &'a [u8],
    },
    File(&'a [u8]),
}

/// Shows `visit` each word of `args`, and ends at the first that is refused.
pub(super) fn each_word<'a>(
    args: &'a [Vec<u8>],
    mut visit: impl FnMut(Word<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (name, inline) = split(arg);
        if is_cluster(arg) {
            // Flags may stand in one argument, as in `-vV`.
            for flag in &arg[1..] {
                if let Some((Shape::Flag, what)) = options::short(*flag) {
                    visit(Word::Option { what, name: &[b'-', *flag], value: b"" })?;
                }
            }
            continue;
        }
        let Some((shape, what)) = known(name) else {
            if arg.starts_with(b"-") && arg.len() > 1 {
                return Err(refused(Reason::OptionUnknown, arg));
            }
            visit(Word::File(arg))?;
            continue;
        };
        let value: &'a [u8] = match (shape, inline) {
            (Shape::Flag, None) => b"",
            (Shape::Flag, Some(_)) => return Err(refused(Reason::OptionUnknown, arg)),
            (Shape::Value, Some(value)) => value,
            (Shape::Value, None) => rest.next().ok_or_else(|| refused(Reason::OptionMalformed, arg))?,
        };
        visit(Word::Option { what, name, value })?;
    }
    Ok(())
}

/// The option's name and the value that stands in the same argument.
fn split(arg: &[u8]) -> (&[u8], Option<&[u8]>) {
    if arg.starts_with(b"--") {
        match arg.iter().position(|byte| *byte == b'=') {
            Some(at) => (&arg[..at], Some(&arg[at + 1..])),
            None => (arg, None),
        }
    } else if arg.starts_with(b"-") && arg.len() > 2 {
        (&arg[..2], Some(&arg[2..]))
    } else {
        (arg, None)
    }
}

/// Whether `arg` is several flags of one letter each.
fn is_cluster(arg: &[u8]) -> bool {
    let is_flag = |flag: &u8| matches!(options::short(*flag), Some((Shape::Flag, _)));
    arg.len() > 2 && arg[0] == b'-' && arg[1..].iter().all(is_flag)
}

/// The name and the value of what `-C` sets, and what it is.
pub(super) fn codegen(setting: &[u8]) -> (&[u8], &[u8], Option<Codegen>) {
    let (name, value) = match setting.iter().position(|byte| *byte == b'=') {
        Some(at) => (&setting[..at], &setting[at + 1..]),
        None => (setting, &b""[..]),
    };
    (name, value, str::from_utf8(name).ok().and_then(options::codegen))
}

fn known(name: &[u8]) -> Option<(Shape, Use)> {
    match name {
        [b'-', b'-', long @ ..] => options::long(str::from_utf8(long).ok()?),
        [b'-', short] => options::short(*short),
        _ => None,
    }
}

impl Request {
    fn option(&mut self, what: Use, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let malformed = || refused(Reason::OptionMalformed, name);
        let text = || str::from_utf8(value).map_err(|_| malformed());
        match what {
            Use::Key => self.key(name, value),
            Use::Shown => self.shown_args.push([name, b"=", value].concat()),
            Use::CrateName => self.crate_name = value.to_vec(),
            Use::CrateType => {
                for kind in text()?.split(',') {
                    self.crate_types.push(crate_type(kind).ok_or_else(malformed)?);
                }
            }
            Use::Emit => {
                for kind in text()?.split(',') {
                    let (kind, file) =
                        kind.split_once('=').map_or((kind, None), |(kind, file)| (kind, Some(file)));
                    let kind = emit(kind).ok_or_else(|| refused(Reason::OptionUncacheable, name))?;
                    self.emit.insert(kind, file.map(|file| file.as_bytes().to_vec()));
                }
            }
            Use::Extern => {
                let (name, path) = match value.iter().position(|byte| *byte == b'=') {
                    Some(at) => (&value[..at], Some(value[at + 1..].to_vec())),
                    None => (value, None),
                };
                let plain = name.rsplit(|byte| *byte == b':').next().unwrap_or(name);
                if path.is_none() && !OF_THE_SYSROOT.iter().any(|known| known.as_bytes() == plain) {
                    return Err(refused(Reason::OptionUncacheable, value));
                }
                self.externs.push(Extern { name: name.to_vec(), path });
            }
            Use::Target => {
                self.target = Some(value.to_vec());
                self.link_options.push([b"--target=", value].concat());
            }
            Use::Folder => self.folder(value)?,
            Use::Library => self.library(value)?,
            Use::Codegen => self.codegen(value)?,
            Use::OutDir => self.out_dir = value.to_vec(),
            Use::Output => self.output = Some(value.to_vec()),
            Use::Test => {
                self.test = true;
                self.key(name, value);
            }
            Use::Json => self.json(value),
            Use::Refuse(reason) => return Err(refused(reason, name)),
        }
        Ok(())
    }

    fn key(&mut self, name: &[u8], value: &[u8]) {
        self.key_args.push([name, b"=", value].concat());
    }

    fn json(&mut self, value: &[u8]) {
        for part in value.split(|byte| *byte == b',') {
            if part == b"artifacts" {
                self.notes_artifacts = true;
            }
            // These add messages of their own; others only give messages another form.
            if part.starts_with(b"diagnostic-") {
                self.shown_args.push([b"--json=", part].concat());
            } else {
                self.key(b"--json", part);
            }
        }
    }

    fn folder(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let (kind, folder) = match value.iter().position(|byte| *byte == b'=') {
            Some(at) => (&value[..at], &value[at + 1..]),
            None => (&b"all"[..], value),
        };
        let (kind, folder) = match kind {
            b"dependency" => (FolderKind::Dependency, folder),
            b"crate" => (FolderKind::Crate, folder),
            b"native" => (FolderKind::Native, folder),
            b"framework" => return Err(refused(Reason::OptionUncacheable, value)),
            b"all" => (FolderKind::All, folder),
            _ => (FolderKind::All, value),
        };
        if folder.is_empty() || folder.starts_with(b"@RUSTC_BUILTIN") {
            return Err(refused(Reason::OptionUncacheable, value));
        }
        self.folders.push((kind, folder.to_vec()));
        Ok(())
    }

    /// `-l [KIND[:MODIFIERS]=]NAME[:RENAME]`
    fn library(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.key(b"-l", value);
        let (kind, name) = match value.iter().position(|byte| *byte == b'=') {
            Some(at) => (&value[..at], &value[at + 1..]),
            None => (&b"dylib"[..], value),
        };
        let mut parts = kind.split(|byte| *byte == b':');
        if parts.next() != Some(b"static") {
            return Ok(());
        }
        let verbatim =
            parts.flat_map(|modifiers| modifiers.split(|byte| *byte == b',')).any(|one| one == b"+verbatim");
        let (name, renamed) = match name.iter().position(|byte| *byte == b':') {
            Some(at) => (&name[..at], &name[at + 1..]),
            None => (name, &b""[..]),
        };
        let name = if renamed.is_empty() { name } else { renamed };
        if name.is_empty() || name.contains(&b'/') {
            return Err(refused(Reason::OptionUncacheable, value));
        }
        self.static_libraries.push((name.to_vec(), verbatim));
        Ok(())
    }

    fn codegen(&mut self, value: &[u8]) -> Result<(), Refusal> {
        let (name, inner, what) = codegen(value);
        let what = what.ok_or_else(|| refused(Reason::OptionUnknown, &[b"-C ", name].concat()))?;
        match what {
            Codegen::Key => {}
            Codegen::DecidesLink => self.link_options.push([b"-C", value].concat()),
            Codegen::ForTheLinker => {
                self.link_options.push([b"-C", value].concat());
                let args =
                    inner.split(|byte| name.ends_with(b"s") && *byte == b' ').filter(|arg| !arg.is_empty());
                self.linker_args.extend(args.map(<[u8]>::to_vec));
            }
            Codegen::ExtraFilename => self.extra_filename = inner.to_vec(),
            Codegen::Incremental => return Err(refused(Reason::Incremental, inner)),
            Codegen::Linker => {
                self.linker = Some(inner.to_vec());
                self.link_options.push([b"-C", value].concat());
            }
            Codegen::LinkerFlavor if inner.ends_with(b"cc") => {
                self.link_options.push([b"-C", value].concat())
            }
            Codegen::LinkerPlugin => {
                self.for_linker_plugin = !matches!(inner, b"no" | b"n" | b"off" | b"false")
            }
            Codegen::TargetCpu => self.native_cpu |= inner == b"native",
            Codegen::Input => self.files.push(inner.to_vec()),
            Codegen::ShowsOutDir => self.shows_out_dir |= !matches!(inner, b"no" | b"n" | b"off" | b"false"),
            Codegen::LinkerFlavor | Codegen::Refuse => {
                return Err(refused(Reason::OptionUncacheable, &[b"-C ", name].concat()));
            }
        }
        self.key(b"-C", value);
        Ok(())
    }

    /// Fills in what follows from the rest, and refuses what cannot be kept together.
    fn complete(mut self) -> Result<Self, Refusal> {
        if self.source == b"-" {
            return Err(refused(Reason::SourceFromStdin, b""));
        }
        // Without it the source's own attributes decide.
        if self.crate_name.is_empty() {
            return Err(refused(Reason::OptionUncacheable, b"no --crate-name"));
        }
        if self.crate_types.is_empty() {
            if !self.test {
                return Err(refused(Reason::OptionUncacheable, b"no --crate-type"));
            }
            self.crate_types.push(CrateType::Bin);
        }
        self.crate_types.sort();
        self.crate_types.dedup();
        if !self.emit.contains_key(&Emit::DepInfo) {
            return Err(refused(Reason::OptionUncacheable, b"no --emit=dep-info"));
        }
        let elsewhere = self.emit.values().flatten().any(|file| file == b"-");
        if elsewhere || self.output.is_some() {
            return Err(refused(Reason::OptionUncacheable, if elsewhere { b"--emit" } else { b"-o" }));
        }
        let odd = |name: &[u8]| name.contains(&b'/') || name.contains(&0);
        if odd(&self.crate_name) || odd(&self.extra_filename) {
            return Err(refused(Reason::OptionMalformed, b"--crate-name"));
        }
        if self.for_linker_plugin && self.links() {
            return Err(refused(Reason::LinkTimeOptimization, b"-C linker-plugin-lto"));
        }
        if self.target.as_ref().is_some_and(|target| target.ends_with(b".json")) {
            return Err(refused(Reason::OptionUncacheable, b"--target"));
        }
        Ok(self)
    }
}

fn crate_type(name: &str) -> Option<CrateType> {
    Some(match name {
        "bin" => CrateType::Bin,
        "lib" | "rlib" => CrateType::Lib,
        "dylib" => CrateType::Dylib,
        "cdylib" => CrateType::Cdylib,
        "staticlib" => CrateType::Staticlib,
        "proc-macro" => CrateType::ProcMacro,
        _ => return None,
    })
}

fn emit(name: &str) -> Option<Emit> {
    Some(match name {
        "asm" => Emit::Asm,
        "dep-info" => Emit::DepInfo,
        "link" => Emit::Link,
        "llvm-bc" => Emit::LlvmBc,
        "llvm-ir" => Emit::LlvmIr,
        "metadata" => Emit::Metadata,
        "mir" => Emit::Mir,
        "obj" => Emit::Obj,
        _ => return None,
    })
}
