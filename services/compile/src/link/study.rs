//! What the files of a link make the linker look for, and what in them larder cannot follow.

use memchr::memmem;
use object::Endianness;
use object::read::elf::FileHeader;

/// Most names taken from one file.
const MAX_NAMES: usize = 4096;

/// What one file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Study {
    /// It holds what a compiler is to finish: code for link-time optimisation.
    pub(crate) unfinished: bool,
    /// It is an archive whose members lie elsewhere.
    pub(crate) thin: bool,
    /// It names more than is followed.
    pub(crate) endless: bool,
    /// Libraries that it needs, which the linker looks for.
    pub(crate) needs: Vec<Vec<u8>>,
    /// Folders in which it has them looked for, `$ORIGIN` still in them; an empty one is the linker's own.
    pub(crate) folders: Vec<Vec<u8>>,
}

/// Studies a file of a link: object, archive, shared library or script.
pub(crate) fn study(bytes: &[u8]) -> Study {
    let binary = bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"!<arch>\n");
    // Bitcode, by itself or as a member, and the sections in which GCC keeps its own.
    let unfinished = bytes.starts_with(b"BC\xc0\xde")
        || bytes.starts_with(b"\xde\xc0\x17\x0b")
        || (binary
            && (memmem::find(bytes, b".gnu.lto_").is_some()
                || memmem::find(bytes, b".llvm.lto").is_some()
                || memmem::find(bytes, b"BC\xc0\xde").is_some()));
    let mut study = Study { unfinished, thin: bytes.starts_with(b"!<thin>\n"), ..Study::default() };
    match bytes.get(4) {
        Some(1) if binary => add_needs::<object::elf::FileHeader32<Endianness>>(bytes, &mut study),
        Some(2) if binary => add_needs::<object::elf::FileHeader64<Endianness>>(bytes, &mut study),
        _ => None,
    };
    study
}

/// `None` for what is no shared library, or none that can be read: a linker would refuse it.
fn add_needs<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8], study: &mut Study) -> Option<()> {
    let header = Elf::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, bytes).ok()?;
    let table = sections.dynamic_table(endian, bytes).ok()?;
    for entry in &table {
        let names = study.needs.len() + study.folders.len();
        match entry.tag {
            object::elf::DT_NEEDED => study.needs.push(table.string(entry).ok()?.to_vec()),
            object::elf::DT_RUNPATH | object::elf::DT_RPATH => {
                let folders = table.string(entry).ok()?.split(|byte| *byte == b':');
                study.folders.extend(folders.take(MAX_NAMES).map(<[u8]>::to_vec));
            }
            _ => continue,
        }
        if names >= MAX_NAMES || study.folders.len() >= MAX_NAMES {
            study.endless = true;
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_program_says_what_it_needs() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let study = study(&own);
        assert!(study.needs.iter().any(|name| name.starts_with(b"libc.so")));
        assert!(!study.thin);
    }

    #[test]
    fn a_librarys_needs_are_whole_names_and_its_folders_are_all_that_its_list_has() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.c"), "").unwrap();
        let make = |args: &[&str]| {
            let mut gcc = std::process::Command::new("gcc");
            gcc.args(["-shared", "-nostdlib", "x.c"]).args(args).current_dir(folder.path());
            assert!(gcc.status().unwrap().success(), "{args:?}");
        };
        make(&["-Wl,-soname,a:b", "-o", "first.so"]);
        make(&["-Wl,--no-as-needed", "first.so", "-Wl,-rpath,:/x::$ORIGIN", "-o", "second.so"]);
        let study = study(&std::fs::read(folder.path().join("second.so")).unwrap());
        assert_eq!(study.needs, [b"a:b"]);
        assert_eq!(study.folders, [&b""[..], b"/x", b"", b"$ORIGIN"]);
        let long = format!("-Wl,-rpath,{}", ":/x".repeat(MAX_NAMES));
        make(&[&long, "-o", "third.so"]);
        assert!(super::study(&std::fs::read(folder.path().join("third.so")).unwrap()).endless);
    }

    #[test]
    fn what_is_to_be_finished_is_seen_wherever_it_stands() {
        assert!(study(b"BC\xc0\xdexyz").unfinished);
        assert!(study(b"\x7fELF\x02\x01\x01....gnu.lto_.opts").unfinished);
        assert!(study(b"!<arch>\nx.o/   BC\xc0\xde").unfinished);
        assert!(!study(b"!<arch>\nx.o/   ").unfinished);
        assert!(!study(b"GROUP ( libc.so.6 ) .gnu.lto_").unfinished, "a script that speaks of it");
        assert!(study(b"!<thin>\n").thin);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300), class in 1u8..3) {
            study(&bytes);
            study(&[&[0x7f, b'E', b'L', b'F', class, 1, 1], bytes.as_slice()].concat());
        }
    }
}
