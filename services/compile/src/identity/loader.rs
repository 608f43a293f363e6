//! ELF programs: what they are and which shared libraries the loader binds to them.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use larder_service::{Clock, Digest, Hasher, Reason};
use object::Endianness;
use object::read::elf::{FileHeader, ProgramHeader as _};
use object::read::{ReadCache, ReadRef};

use super::premises::Collector;
use super::probe::{Answer, Probe};
use crate::args::Refusal;
use crate::environment::Environment;
use crate::paths;

/// Longest library path or list of them that is looked at.
const MAX_LIBRARIES: usize = 4096;

/// What an ELF program's headers say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    /// The loader; `None` for a program that needs none.
    pub(crate) loader: Option<PathBuf>,
    /// Folders in which the program itself has its libraries looked for, `$ORIGIN` still in them.
    pub(crate) runpath: Vec<Vec<u8>>,
}

/// What the loader has to do with a program.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    /// `None` for a program that needs none.
    pub(crate) loader: Option<PathBuf>,
    /// Where the libraries lie that it binds.
    pub(crate) folders: Vec<PathBuf>,
}

/// Adds to `hasher` the content of `program` (no link) and of everything the loader binds to it.
pub(crate) fn add_program(
    collector: &mut Collector<'_>,
    hasher: &mut Hasher,
    program: &Path,
    env: &Environment,
    clock: &dyn Clock,
) -> Result<Bound, Refusal> {
    let digest = collector.file(program)?;
    let unknown = || Refusal { reason: Reason::CompilerUnknown, detail: paths::path_text(program) };
    let parsed = read(program).ok_or_else(unknown)?;
    hasher.field("program", &paths::into_bytes(program.to_owned()));
    hasher.field("content", &digest.hash);
    let Some(loader) = parsed.loader else { return Ok(Bound::default()) };
    let folders = add_bound(collector, hasher, &loader, program, env, clock)?;
    Ok(Bound { loader: Some(loader), folders })
}

/// Adds to `hasher` what `loader` binds to `program`, or to the library of that name; tells where it lies.
pub(crate) fn add_bound(
    collector: &mut Collector<'_>,
    hasher: &mut Hasher,
    loader_path: &Path,
    program: &Path,
    env: &Environment,
    clock: &dyn Clock,
) -> Result<Vec<PathBuf>, Refusal> {
    let failed = || Refusal { reason: Reason::ProbeFailed, detail: paths::path_text(program) };
    let parsed = read(program).ok_or_else(failed)?;
    // Where another library could come to stand before the one that is bound now.
    let origin = program.parent().unwrap_or(Path::new("/"));
    for folder in &parsed.runpath {
        collector.folder(&origin_expanded(folder, origin));
    }
    for file in ["/etc/ld.so.cache", "/etc/ld.so.preload"] {
        collector.file_or_absent(Path::new(file))?;
    }
    add_content(hasher, b"loader", collector.file(loader_path)?);
    let program_bytes = paths::into_bytes(program.to_owned());
    // The loader is asked instead of the program, so that nothing of the program runs.
    let args = vec![&b"--list"[..], &program_bytes];
    let argv0 = paths::into_bytes(loader_path.to_owned());
    let ask = || {
        Probe { program: loader_path, argv0: &argv0, args: args.clone(), env, cwd: Path::new("/") }.ask(clock)
    };
    let names = |answer: &Answer| -> Option<Vec<OsString>> {
        let libraries = libraries(&answer.stdout).filter(|_| answer.succeeded)?;
        Some(libraries.into_iter().map(|(name, _)| paths::as_path(paths::split(name).1).into()).collect())
    };
    let mut answer = ask()?;
    let searched: Vec<&Path> = searched(env).collect();
    if !searched.is_empty() {
        // Where libraries of these names could come to stand before those that are bound now. Build tools name folders that
        // they write to all the time, so that the folders' stamps would say nothing.
        let before = names(&answer).ok_or_else(failed)?;
        for folder in searched {
            collector.listing(folder, before.clone());
        }
        // What was there by then is what the second answer rests on.
        answer = ask()?;
        if names(&answer) != Some(before) {
            return Err(failed());
        }
    }
    if !answer.succeeded {
        return Err(failed());
    }
    let mut folders: Vec<PathBuf> = Vec::new();
    for (name, path) in libraries(&answer.stdout).ok_or_else(failed)? {
        let path = paths::as_path(path);
        add_content(hasher, name, collector.file(path)?);
        if let Some(folder) = path.parent().filter(|folder| !folders.iter().any(|known| known == folder)) {
            folders.push(folder.to_owned());
        }
    }
    for folder in &folders {
        collector.folder(folder);
    }
    Ok(folders)
}

/// Folders that the loader looks into before all others.
fn searched(env: &Environment) -> impl Iterator<Item = &Path> {
    let list = env.get("LD_LIBRARY_PATH").unwrap_or_default();
    list.split(|byte| matches!(byte, b':' | b';')).map(paths::as_path).filter(|folder| folder.is_absolute())
}

fn add_content(hasher: &mut Hasher, name: &[u8], digest: Digest) {
    hasher.field("library", name);
    hasher.field("content", &digest.hash);
}

fn origin_expanded(folder: &[u8], origin: &Path) -> PathBuf {
    let rest = [&b"$ORIGIN"[..], b"${ORIGIN}"].iter().find_map(|variable| folder.strip_prefix(*variable));
    match rest {
        Some(rest) => origin.join(paths::as_path(rest.strip_prefix(b"/").unwrap_or(rest))),
        None => paths::as_path(folder).to_owned(),
    }
}

/// Names and absolute paths in the answer of `ld.so --list`. `None` when a library is missing or a line is unknown.
pub(crate) fn libraries(answer: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut found = Vec::new();
    for line in answer.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        if line == b"statically linked" {
            continue;
        }
        // "name => path (address)" or "path (address)"; what the kernel provides has no path.
        let line = match line.windows(4).rposition(|window| window == b" (0x") {
            Some(end) => &line[..end],
            None => line,
        };
        let arrow = line.windows(4).position(|window| window == b" => ");
        let (name, path) = arrow.map_or((line, line), |place| (&line[..place], &line[place + 4..]));
        if path.starts_with(b"/") {
            found.push((name, path));
        } else if arrow.is_some() || !path.starts_with(b"linux-") {
            return None;
        }
        if found.len() > MAX_LIBRARIES {
            return None;
        }
    }
    Some(found)
}

/// `None`: not an ELF program.
fn read(path: &Path) -> Option<Program> {
    let file = File::open(path).ok()?;
    let cache = ReadCache::new(file);
    parse(&cache)
}

pub(crate) fn parse<'data, R: ReadRef<'data>>(data: R) -> Option<Program> {
    let ident = data.read_bytes_at(0, 5).ok()?;
    match ident {
        [0x7f, b'E', b'L', b'F', 1] => headers::<object::elf::FileHeader32<Endianness>, R>(data),
        [0x7f, b'E', b'L', b'F', 2] => headers::<object::elf::FileHeader64<Endianness>, R>(data),
        _ => None,
    }
}

fn headers<'data, Elf, R>(data: R) -> Option<Program>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = Elf::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let mut program = Program::default();
    for segment in header.program_headers(endian, data).ok()? {
        if let Some(loader) = segment.interpreter(endian, data).ok()? {
            program.loader = Some(paths::as_path(loader).to_owned()).filter(|loader| loader.is_absolute());
        }
    }
    // A program without section headers keeps its libraries' folders to itself; the loader still names the libraries.
    let sections = header.sections(endian, data).ok()?;
    let table = sections.dynamic_table(endian, data).ok()?;
    for entry in &table {
        if entry.tag == object::elf::DT_RUNPATH || entry.tag == object::elf::DT_RPATH {
            let list = table.string(entry).ok()?;
            program.runpath.extend(list.split(|byte| *byte == b':').map(<[u8]>::to_vec));
        }
    }
    Some(program)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_loaders_list_is_read() {
        let answer = b"\tlinux-vdso.so.1 (0x00007f)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected: Vec<(&[u8], &[u8])> = vec![
            (b"libc.so.6", b"/lib/libc.so.6"),
            (b"/lib64/ld-linux-x86-64.so.2", b"/lib64/ld-linux-x86-64.so.2"),
        ];
        assert_eq!(libraries(answer), Some(expected));
        assert_eq!(libraries(b"\tlibx.so => not found\n"), None);
    }

    #[test]
    fn a_running_program_is_elf_and_a_script_is_not() {
        assert!(read(&std::env::current_exe().unwrap()).unwrap().loader.is_some());
        assert_eq!(parse(&b"#!/bin/sh\nexec gcc \"$@\"\n"[..]), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300), class in 1u8..3) {
            let _ = parse(bytes.as_slice());
            let elf = [&[0x7f, b'E', b'L', b'F', class, 1, 1], bytes.as_slice()].concat();
            let _ = parse(elf.as_slice());
            let _ = libraries(&bytes);
        }
    }
}
