//! Linkers: which one a driver runs, what it is, and where it looks by itself.

use std::path::{Path, PathBuf};

use larder_service::{Hasher, Key, Reason};

use super::loader::add_program;
use super::premises::Collector;
use super::probe::Probe;
use super::{Asked, clang, gcc};
use crate::args::{Family, Refusal};
use crate::paths;

/// A linker that was identified, by itself or with the driver that runs it.
#[derive(Debug)]
pub(crate) struct Linker {
    pub(crate) key: Key,
    /// Folders in which it, or the driver, may look for libraries and the like by itself.
    pub(crate) folders: Vec<Vec<u8>>,
}

/// Folders that some linkers look into without saying so.
const USUAL: &[&str] = &[
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/local/lib64",
];

/// Where GNU ld finds the folders of the dynamic loader.
const LOADER_FOLDERS: &str = "/etc/ld.so.conf";

/// Specification files that GCC's driver reads for a link, where they are.
const LINK_SPECS: &[&str] = &["libgomp.spec", "libitm.spec", "libsanitizer.spec", "libgfortran.spec"];

/// Whether the first line of a tool's version is a linker's.
pub(super) fn is_linker(version: &[u8]) -> bool {
    let first = version.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let words: Vec<&[u8]> = first.split(|byte| *byte == b' ').collect();
    first.starts_with(b"GNU ld ")
        || first.starts_with(b"GNU gold ")
        || first.starts_with(b"mold ")
        || words.contains(&&b"LLD"[..])
}

/// The linker that was called itself; `options` of the call decide where it looks.
pub(super) fn called(collector: &mut Collector<'_>, asked: Asked<'_>) -> Result<Linker, Refusal> {
    let program = collector.follow(&asked.call.tool).ok_or_else(|| asked.failed())?;
    let mut folders = Vec::new();
    let mut hasher = Hasher::key("linker");
    let asking =
        Asking { program: &program, argv0: &asked.call.tool_name, options: asked.options.to_vec(), asked };
    asking.add(collector, &mut hasher, &mut folders)?;
    Ok(finish(hasher, folders))
}

/// What `family`'s driver does under `options` to link the file `object`.
pub(super) fn driven(
    collector: &mut Collector<'_>,
    asked: Asked<'_>,
    family: Family,
    object: &Path,
) -> Result<Linker, Refusal> {
    let mut hasher = Hasher::key("driver's linker");
    let mut folders = Vec::new();
    // What the driver goes by is the same as for a compile.
    let toolset = match family {
        Family::Gcc => gcc::toolset(collector, asked)?,
        Family::Clang => clang::toolset(collector, asked)?,
    };
    hasher.field("toolset", &toolset.key.0);
    let dirs = asked.ask(&["-print-search-dirs"])?;
    let (programs, libraries) =
        gcc::search_dirs(&dirs.stdout).filter(|_| dirs.succeeded).ok_or_else(|| asked.failed())?;
    for folder in &libraries {
        // Start files and specifications are looked for here by the driver, before anything is run.
        collector.folder(&asked.cwd.join(folder));
        folders.push(paths::into_bytes(folder.clone()));
    }
    let object = object.to_str().ok_or_else(|| asked.failed())?;
    let answer = asked.ask(&["-###", object])?;
    let command = command(&answer.stderr).filter(|_| answer.succeeded).ok_or_else(|| asked.failed())?;
    let linker = match family {
        Family::Gcc => {
            for name in LINK_SPECS {
                for folder in &libraries {
                    gcc::specs(collector, &mut hasher, &asked.cwd.join(folder).join(name))?;
                }
            }
            let collect =
                collector.follow(&paths::resolve(asked.cwd, &command[0])).ok_or_else(|| asked.failed())?;
            add_program(collector, &mut hasher, &collect, &asked.call.env, asked.clock)?;
            // These would stand in for the linker.
            for folder in &programs {
                for name in ["real-ld", "collect-ld"] {
                    if !collector.absent(&asked.cwd.join(folder).join(name)) {
                        return Err(unknown(&collect));
                    }
                }
            }
            let name = gcc_linker(asked.options);
            gcc::program(collector, asked, &programs, name, &gcc::named(asked, name)?)?
        }
        Family::Clang => {
            // It tries several names in all of these.
            let path = asked.call.env.get("PATH").unwrap_or_default().split(|byte| *byte == b':');
            for folder in path.map(|folder| paths::resolve(asked.cwd, folder)).chain(programs) {
                collector.folder(&asked.cwd.join(folder));
            }
            paths::resolve(asked.cwd, &command[0])
        }
    };
    let mut options = Vec::new();
    let mut rest = command[1..].iter();
    while let Some(word) = rest.next() {
        match word.as_slice() {
            b"-m" => options.extend([&b"-m"[..], rest.as_slice().first().map_or(&b""[..], Vec::as_slice)]),
            b"-plugin" => {
                // It reads every object to see whether it is one of its own.
                if let Some(plugin) = rest.as_slice().first() {
                    let digest = collector.file(&paths::resolve(asked.cwd, plugin))?;
                    hasher.field("plugin", &digest.hash);
                }
            }
            root if root.starts_with(b"--sysroot=") && root != b"--sysroot=" && root != b"--sysroot=/" => {
                return Err(Refusal { reason: Reason::OptionUncacheable, detail: "--sysroot".to_owned() });
            }
            [b'-', b'L', folder @ ..] => folders.push(folder.to_vec()),
            _ => {}
        }
        // A temporary file's name.
        if word != object.as_bytes() && !word.starts_with(b"-plugin-opt=-fresolution=") {
            hasher.field("word", word);
        }
    }
    // Some linkers go by the name of the link that leads to them.
    let argv0 = paths::into_bytes(linker.clone());
    let linker = collector.follow(&linker).ok_or_else(|| asked.failed())?;
    let asking = Asking { program: &linker, argv0: &argv0, options, asked };
    asking.add(collector, &mut hasher, &mut folders)?;
    Ok(finish(hasher, folders))
}

/// The name by which GCC's driver looks for the linker.
fn gcc_linker<'a>(options: &[&'a [u8]]) -> &'a str {
    let chosen = options.iter().rev().find_map(|option| option.strip_prefix(b"-fuse-ld="));
    match chosen {
        Some(b"bfd") => "ld.bfd",
        Some(b"gold") => "ld.gold",
        Some(b"lld") => "ld.lld",
        Some(b"mold") => "ld.mold",
        _ => "ld",
    }
}

fn finish(mut hasher: Hasher, mut folders: Vec<Vec<u8>>) -> Linker {
    folders.extend(USUAL.iter().map(|folder| folder.as_bytes().to_vec()));
    folders.sort();
    folders.dedup();
    for folder in &folders {
        hasher.field("folder", folder);
    }
    Linker { key: hasher.finish_key(), folders }
}

fn unknown(program: &Path) -> Refusal {
    Refusal { reason: Reason::LinkerUnknown, detail: paths::path_text(program) }
}

/// A linker to be asked about itself.
struct Asking<'a> {
    program: &'a Path,
    argv0: &'a [u8],
    options: Vec<&'a [u8]>,
    asked: Asked<'a>,
}

impl Asking<'_> {
    /// Adds what the linker is to `hasher`, and where it looks to `folders`.
    fn add(
        &self,
        collector: &mut Collector<'_>,
        hasher: &mut Hasher,
        folders: &mut Vec<Vec<u8>>,
    ) -> Result<(), Refusal> {
        let Asked { call, clock, .. } = self.asked;
        add_program(collector, hasher, self.program, &call.env, clock).map_err(|refusal| {
            if refusal.reason == Reason::CompilerUnknown { unknown(self.program) } else { refusal }
        })?;
        let version = self.ask(&["--version"])?;
        let help = self.ask(&["--help"])?;
        let lists = memchr::memmem::find(&help, b"--dependency-file").is_some();
        if !is_linker(&version) || !lists {
            return Err(unknown(self.program));
        }
        if version.starts_with(b"GNU ld ") {
            let mut options = self.options.clone();
            options.push(b"--verbose");
            let script = self.ask_with(options)?;
            let root = self.ask(&["--print-sysroot"])?;
            let root = root.trim_ascii_end();
            for folder in script_folders(&script) {
                let folder = match folder.strip_prefix(b"=") {
                    Some(rest) => [root, rest].concat(),
                    None => folder.to_vec(),
                };
                folders.push(folder);
            }
            loader_folders(collector, hasher, Path::new(LOADER_FOLDERS), folders, 0)?;
        }
        Ok(())
    }

    fn ask(&self, args: &[&str]) -> Result<Vec<u8>, Refusal> {
        self.ask_with(args.iter().map(|arg| arg.as_bytes()).collect())
    }

    fn ask_with(&self, args: Vec<&[u8]>) -> Result<Vec<u8>, Refusal> {
        let Asked { call, cwd, clock, .. } = self.asked;
        let answer =
            Probe { program: self.program, argv0: self.argv0, args, env: &call.env, cwd }.ask(clock)?;
        if answer.succeeded { Ok(answer.stdout) } else { Err(unknown(self.program)) }
    }
}

/// The folders of a linker script.
pub(crate) fn script_folders(script: &[u8]) -> impl Iterator<Item = &[u8]> {
    const START: &[u8] = b"SEARCH_DIR(\"";
    memchr::memmem::find_iter(script, START).filter_map(|at| {
        let rest = &script[at + START.len()..];
        Some(&rest[..memchr::memchr(b'"', rest)?])
    })
}

/// The folders in the configuration of the dynamic loader, which GNU ld reads for what libraries need.
fn loader_folders(
    collector: &mut Collector<'_>,
    hasher: &mut Hasher,
    file: &Path,
    folders: &mut Vec<Vec<u8>>,
    depth: usize,
) -> Result<(), Refusal> {
    const DEEPEST: usize = 4;
    let Some(digest) = collector.file_or_absent(file)? else { return Ok(()) };
    hasher.field("loader's folders", &digest.hash);
    let unclear = || Refusal { reason: Reason::LinkerUnknown, detail: paths::path_text(file) };
    let text = std::fs::read(file).map_err(|_| unclear())?;
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
        let Some(pattern) = line.strip_prefix(b"include ").map(<[u8]>::trim_ascii) else {
            if line.starts_with(b"/") {
                folders.push(line.to_vec());
            }
            continue;
        };
        // In practice always "/etc/ld.so.conf.d/*.conf".
        let (folder, name) = paths::split(pattern);
        let suffix = name.strip_prefix(b"*").filter(|rest| !rest.contains(&b'*')).ok_or_else(unclear)?;
        if !folder.starts_with(b"/") || folder.contains(&b'*') || depth >= DEEPEST {
            return Err(unclear());
        }
        let folder = paths::as_path(folder);
        collector.folder(folder);
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| paths::into_bytes(path.clone()).ends_with(suffix))
            .collect();
        files.sort();
        for file in files {
            loader_folders(collector, hasher, &file, folders, depth + 1)?;
        }
    }
    Ok(())
}

/// The words of the last command in a driver's answer to `-###`.
pub(crate) fn command(answer: &[u8]) -> Option<Vec<Vec<u8>>> {
    let line = answer.split(|byte| *byte == b'\n').rfind(|line| line.starts_with(b" "))?;
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quoted = false;
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            b'\\' => word.get_or_insert_default().push(bytes.next()?),
            b' ' if !quoted => words.extend(word.take()),
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    (!quoted && !words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn linkers_are_known_by_their_versions() {
        for line in [
            "GNU ld (GNU Binutils) 2.40\n",
            "GNU gold (GNU Binutils 2.40) 1.16\n",
            "Debian LLD 14.0.6 (compatible)\n",
            "LLD 18\n",
            "mold 1.10.1 (x)\n",
        ] {
            assert!(is_linker(line.as_bytes()), "{line}");
        }
        for line in ["GNU ar (GNU Binutils) 2.40\n", "gcc 12\n", "", "moldy 1\n"] {
            assert!(!is_linker(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn the_last_command_is_taken_apart() {
        let answer = b"Target: x\n /lib/cc1 a.c\n /lib/collect2 -plugin \"-o=a b\" -L/x \\\"y\nCOLLECT_GCC_OPTIONS='-v'\n";
        let expected =
            ["/lib/collect2", "-plugin", "-o=a b", "-L/x", "\"y"].map(|word| word.as_bytes().to_vec());
        assert_eq!(command(answer), Some(expected.to_vec()));
        assert_eq!(command(b"nothing\n"), None);
        assert_eq!(command(b" \"open\n"), None);
    }

    #[test]
    fn a_scripts_folders_are_read() {
        let script = b"SEARCH_DIR(\"=/usr/lib\"); SEARCH_DIR(\"/x\");\nSEARCH_DIR(\"open";
        assert_eq!(script_folders(script).collect::<Vec<_>>(), [&b"=/usr/lib"[..], b"/x"]);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = command(&[b" ".as_slice(), &bytes].concat());
            let _ = script_folders(&[b"SEARCH_DIR(\"".as_slice(), &bytes].concat()).count();
        }
    }
}
