//! The command lines of links: through a compiler's driver, and of linkers themselves.

use larder_service::Reason;

use super::options::{self, Known, Use};
use crate::args::words::{self, What};
use crate::args::{self, Family, Refusal};
use crate::paths;

/// A call that links, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    /// As the caller named it.
    pub(crate) output: Vec<u8>,
    /// The file that is to list what was read, where the caller wants one.
    pub(crate) list: Option<Vec<u8>>,
    /// Objects, archives and libraries, as the caller named them.
    pub(crate) files: Vec<Vec<u8>>,
    /// Scripts and lists that options name, which may also lie in a search folder.
    pub(crate) scripts: Vec<Vec<u8>>,
    /// Libraries that are looked for, as they stand behind `-l`.
    pub(crate) libraries: Vec<Vec<u8>>,
    /// The folders in which they are.
    pub(crate) folders: Vec<Vec<u8>>,
    /// Folders in which libraries are looked for that other libraries need.
    pub(crate) needed_folders: Vec<Vec<u8>>,
    /// Everything on the command line that can reach the output or a stream, in order.
    pub(crate) key_args: Vec<Vec<u8>>,
    /// What is to be repeated when the driver or linker is asked how it links.
    pub(crate) ask: Vec<Vec<u8>>,
}

/// Takes a driver's call apart. Its options are `args`, those of response files in their place.
///
/// # Errors
/// The reason why it cannot be cached; `NotACompile` for what is no link of objects.
pub(crate) fn driver(family: Family, args: &[Vec<u8>]) -> Result<Request, Refusal> {
    // A question, or a call that compiles as well, is none of a link's business, whatever else it says.
    if !args.iter().any(|arg| !arg.starts_with(b"-") && is_linked(arg)) {
        return Err(refused(Reason::NotACompile, b""));
    }
    let mut draft = Draft::default();
    let mut rest = args;
    while let Some(arg) = rest.first() {
        let length = if arg == b"-Xlinker" {
            let value = rest.get(1).ok_or_else(|| refused(Reason::OptionMalformed, arg))?;
            draft.linker(value, true)?;
            draft.leaves_out = false;
            2
        } else if let Some(list) = arg.strip_prefix(b"-Wl,") {
            for part in list.split(|byte| *byte == b',') {
                draft.linker(part, true)?;
            }
            // Something else may stand in the same argument.
            draft.leaves_out = false;
            1
        } else if is_for_the_linker(arg) {
            // Of these options only a whole `-l` keeps its place among the files; others go to the front.
            if draft.open.is_some() && (!arg.starts_with(b"-l") || arg.len() == 2) {
                return Err(refused(Reason::OptionUncacheable, name(arg)));
            }
            draft.linker(arg, false)?;
            // What is left open is this option's own value, as the driver has it.
            if draft.open.is_some() {
                let value = rest.get(1).ok_or_else(|| refused(Reason::OptionMalformed, arg))?;
                draft.linker(value, false)?;
                2
            } else {
                1
            }
        } else {
            draft.of_the_driver(family, rest)?
        };
        draft.key_args.extend(rest[..length].iter().filter(|_| !draft.leaves_out).cloned());
        draft.leaves_out = false;
        rest = &rest[length..];
    }
    draft.finish()
}

/// Takes a linker's own call apart.
///
/// # Errors
/// As [`driver`].
pub(crate) fn linker(args: &[Vec<u8>]) -> Result<Request, Refusal> {
    let mut draft = Draft::default();
    for arg in args {
        draft.linker(arg, false)?;
        if !std::mem::take(&mut draft.leaves_out) {
            draft.key_args.push(arg.clone());
        }
    }
    draft.finish()
}

/// The options that drivers hand to the linker as they are.
fn is_for_the_linker(arg: &[u8]) -> bool {
    matches!(arg, b"-s" | b"-r" | [b'-', b'l' | b'L' | b'u' | b'z' | b'T', ..])
}

#[derive(Default)]
struct Draft {
    output: Option<Vec<u8>>,
    request: Request,
    key_args: Vec<Vec<u8>>,
    /// A linker option whose value stands in the next argument.
    open: Option<(Use, Vec<u8>)>,
    /// The latest argument is no part of the key: it says only where something is written.
    leaves_out: bool,
}

impl Draft {
    /// One argument as the linker sees it; `handed_on` by a driver.
    fn linker(&mut self, arg: &[u8], handed_on: bool) -> Result<(), Refusal> {
        // Linkers take it for a response file wherever it stands.
        if arg.starts_with(b"@") {
            return Err(refused(Reason::ResponseFile, arg));
        }
        if let Some((what, option)) = self.open.take() {
            self.value(what, &option, arg, handed_on)?;
            if what == Use::Emulation {
                self.ask(arg, handed_on);
            }
            return Ok(());
        }
        if !arg.starts_with(b"-") {
            return self.file(arg);
        }
        match options::known(arg) {
            None => Err(refused(Reason::OptionUnknown, name(arg))),
            Some(Known::Whole(what, value)) => self.value(what, arg, value, handed_on),
            Some(Known::ValueNext(what)) => {
                self.leaves_out = matches!(what, Use::Output | Use::List);
                self.open = Some((what, arg.to_vec()));
                Ok(())
            }
        }
    }

    fn value(&mut self, what: Use, option: &[u8], value: &[u8], handed_on: bool) -> Result<(), Refusal> {
        let uncacheable = || refused(Reason::OptionUncacheable, name(option));
        let odd =
            value.is_empty() || value.starts_with(b"=") || value.starts_with(b"$SYSROOT") || is_odd(value);
        if odd && !matches!(what, Use::Key | Use::Emulation) {
            return Err(uncacheable());
        }
        let request = &mut self.request;
        match what {
            Use::Key => {}
            Use::Emulation => self.ask(option, handed_on),
            Use::Folder => request.folders.push(value.to_vec()),
            Use::NeededFolders => {
                let folders = value.split(|byte| *byte == b':').map(<[u8]>::to_vec);
                request.needed_folders.extend(folders);
            }
            Use::Library => request.libraries.push(value.to_vec()),
            Use::File => request.scripts.push(value.to_vec()),
            Use::Output | Use::List => {
                let slot = if what == Use::Output { &mut self.output } else { &mut request.list };
                // Behind the driver's back it would be another output than the driver believes.
                if slot.replace(value.to_vec()).is_some() || (what == Use::Output && handed_on) {
                    return Err(uncacheable());
                }
                self.leaves_out = true;
            }
        }
        Ok(())
    }

    /// The linker's own `arg` is to be repeated when the one that was called is asked.
    fn ask(&mut self, arg: &[u8], handed_on: bool) {
        let by_the_driver = handed_on.then(|| b"-Xlinker".to_vec());
        self.request.ask.extend(by_the_driver.into_iter().chain([arg.to_vec()]));
    }

    /// The driver's own option at the start of `rest`; tells how many arguments it takes.
    fn of_the_driver(&mut self, family: Family, rest: &[Vec<u8>]) -> Result<usize, Refusal> {
        let (word, length) = words::next(family, rest)?;
        if self.open.is_some() {
            // Whether this ends up as the open option's value is the driver's affair.
            return Err(word.refused(Reason::OptionUncacheable));
        }
        let (what, value) = match word.what {
            What::File(file) => {
                self.file(file)?;
                return Ok(length);
            }
            What::Option(what, value) => (what, value.unwrap_or_default()),
        };
        use args::table::Use as Driver;
        match what {
            Driver::Refuse(reason) => return Err(word.refused(reason)),
            Driver::Compile(_) => return Err(word.refused(Reason::NotACompile)),
            // What a link would compile, or hands on to those that do.
            Driver::Language => return Err(word.refused(Reason::OptionUncacheable)),
            Driver::ShowsCommandLine if rest[0].starts_with(b"-flto") => {
                return Err(word.refused(Reason::LinkTimeOptimization));
            }
            Driver::Object => {
                if value.is_empty() || is_odd(value) || self.output.replace(value.to_vec()).is_some() {
                    return Err(word.refused(Reason::OptionUncacheable));
                }
                self.leaves_out = true;
            }
            // A preprocessor is not run.
            Driver::Folder
            | Driver::Forced
            | Driver::Depend(_)
            | Driver::DependInto(_)
            | Driver::DependFile
            | Driver::DependShape => {}
            Driver::Key
            | Driver::ShowsCwd
            | Driver::ShowsCommandLine
            | Driver::Probe
            | Driver::Side(_)
            | Driver::SplitDebug => {
                if ![&b"-D"[..], b"-U", b"-Wp,"].iter().any(|prefix| rest[0].starts_with(prefix)) {
                    self.request.ask.extend_from_slice(word.args);
                }
            }
        }
        Ok(length)
    }

    fn file(&mut self, file: &[u8]) -> Result<(), Refusal> {
        if !is_linked(file) {
            return Err(refused(Reason::NotACompile, file));
        }
        if is_odd(file) {
            return Err(refused(Reason::OptionUncacheable, file));
        }
        self.request.files.push(file.to_vec());
        Ok(())
    }

    fn finish(self) -> Result<Request, Refusal> {
        if let Some((_, option)) = self.open {
            return Err(refused(Reason::OptionMalformed, &option));
        }
        if self.request.files.is_empty() {
            return Err(refused(Reason::NotACompile, b""));
        }
        let output = self.output.unwrap_or_else(|| b"a.out".to_vec());
        if output == b"-" || self.request.list.as_ref().is_some_and(|list| *list == output || list == b"-") {
            return Err(refused(Reason::OutputToStdout, &output));
        }
        Ok(Request { output, key_args: self.key_args, ..self.request })
    }
}

/// Whether `file` is by its name something that is linked as it is, to all drivers.
fn is_linked(file: &[u8]) -> bool {
    let (_, name) = paths::split(file);
    let mut parts = name.split(|byte| *byte == b'.').skip(1).peekable();
    let mut suffix = None;
    while let Some(part) = parts.next() {
        // A library's version stands behind its suffix.
        let versioned = part == b"so"
            && parts.clone().all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
        if versioned || parts.peek().is_none() {
            suffix = Some(part);
            break;
        }
    }
    matches!(suffix, Some(b"o" | b"a" | b"so" | b"lo" | b"os" | b"obj"))
}

/// What linkers do not write into their lists in a way that can be told apart.
fn is_odd(name: &[u8]) -> bool {
    name.iter().any(|byte| byte.is_ascii_control() || b" \\#%*?[\"'".contains(byte))
}

fn name(option: &[u8]) -> &[u8] {
    let end = option.iter().position(|byte| *byte == b'=').unwrap_or(option.len());
    &option[..end.min(64)]
}

fn refused(reason: Reason, detail: &[u8]) -> Refusal {
    Refusal { reason, detail: paths::text(detail) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
    }

    fn of(line: &str) -> Result<Request, Reason> {
        driver(Family::Gcc, &words(line)).map_err(|refusal| refusal.reason)
    }

    fn list(names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_usual_link_is_taken_apart() {
        let line = "-O2 -g -rdynamic a.o d/b.o libz.a -o app -Ld -L e -lm -l :x.so.1 -Wl,-rpath,/r:$ORIGIN -Wl,--version-script=v -pthread -Iinc";
        let request = of(line).unwrap();
        assert_eq!(request.output, b"app");
        assert_eq!(request.files, list(&["a.o", "d/b.o", "libz.a"]));
        assert_eq!(request.folders, list(&["d", "e"]));
        assert_eq!(request.libraries, list(&["m", ":x.so.1"]));
        assert_eq!(request.needed_folders, list(&["/r", "$ORIGIN"]));
        assert_eq!(request.scripts, list(&["v"]));
        assert_eq!(request.ask, list(&["-O2", "-g", "-rdynamic", "-pthread"]));
        assert_eq!(request.key_args, words(&line.replace("-o app ", "")));
    }

    #[test]
    fn an_option_and_its_value_may_stand_in_two_arguments_for_the_linker() {
        for line in ["a.o -Wl,-rpath -Wl,/r", "a.o -Xlinker -rpath -Xlinker /r", "a.o -Wl,-rpath,/r"] {
            assert_eq!(of(line).unwrap().needed_folders, list(&["/r"]), "{line}");
        }
        assert_eq!(of("a.o -Wl,-rpath"), Err(Reason::OptionMalformed));
        assert_eq!(of("a.o -Wl,-rpath -lm").unwrap().needed_folders, list(&["-lm"]), "as the linker sees it");
        assert_eq!(of("a.o -Wl,-rpath b.o"), Err(Reason::OptionUncacheable));
        let listed = of("a.o -Wl,--gc-sections,--dependency-file=x.d").unwrap();
        assert_eq!(listed.list, Some(b"x.d".to_vec()));
        assert_eq!(listed.key_args.len(), 2);
    }

    #[test]
    fn a_linkers_own_line_is_taken_apart() {
        let request =
            linker(&words("-m elf_i386 -shared -soname x.so -o libx.so a.o -( b.a -) --dependency-file=x.d"))
                .unwrap();
        assert_eq!(request.output, b"libx.so");
        assert_eq!(request.list, Some(b"x.d".to_vec()));
        assert_eq!(request.ask, list(&["-m", "elf_i386"]));
        assert_eq!(request.key_args, words("-m elf_i386 -shared -soname x.so a.o -( b.a -)"));
    }

    #[test]
    fn a_value_that_the_linker_would_read_from_a_file_is_refused() {
        for line in ["a.o -Wl,-soname,@x", "a.o -Xlinker -T -Xlinker @x", "a.o -z @x", "a.o -Wl,-z -Wl,@x"] {
            assert_eq!(of(line), Err(Reason::ResponseFile), "{line}");
        }
        assert_eq!(linker(&words("-soname @x a.o")).unwrap_err().reason, Reason::ResponseFile);
        assert!(of("a.o -Wl,-soname=@x").is_ok());
    }

    #[test]
    fn an_open_option_takes_only_what_the_driver_leaves_behind_it() {
        for line in ["a.o -Wl,-rpath -L b.o", "a.o -Wl,-rpath -Lx", "a.o -Wl,-e -z now", "a.o -Wl,-e -l m"] {
            assert_eq!(of(line), Err(Reason::OptionUncacheable), "{line}");
        }
    }

    #[test]
    fn what_decides_where_the_linker_looks_is_handed_on_when_the_driver_is_asked() {
        let asked = list(&["-Xlinker", "-m", "-Xlinker", "elf_i386"]);
        assert_eq!(of("a.o -Wl,-m,elf_i386").unwrap().ask, asked);
        assert_eq!(
            of("a.o -Wl,-melf_i386 -Wl,-nostdlib").unwrap().ask,
            list(&["-Xlinker", "-melf_i386", "-Xlinker", "-nostdlib"])
        );
        assert_eq!(linker(&words("-m m a.o")).unwrap().ask, list(&["-m", "m"]));
    }

    #[test]
    fn versions_of_libraries_are_libraries_and_sources_are_not() {
        for file in ["a.o", "x/liba.a", "liba.so", "liba.so.1.2", "a.b.o", "a.pic.o"] {
            assert!(is_linked(file.as_bytes()), "{file}");
        }
        for file in ["a.c", "a", "a.so.c", "a.so.x", "a.o.c", "x.lds", "a.", ".o.c", "so"] {
            assert!(!is_linked(file.as_bytes()), "{file}");
        }
    }

    #[test]
    fn what_is_no_link_of_objects_is_refused() {
        for line in ["", "-v", "--version", "a.c -o app", "a.o b.c", "-c a.c", "-E a.c", "-lm"] {
            assert_eq!(of(line), Err(Reason::NotACompile), "{line}");
        }
        for line in [
            "a.o -x c b.o",
            "a.o -Wl,-o,x",
            "a.o -o",
            "a.o -o x -o y",
            "a.o -L=/x",
            "a.o -fplugin=x",
            "a.o -l*",
        ] {
            assert!(matches!(of(line), Err(Reason::OptionUncacheable | Reason::OptionMalformed)), "{line}");
        }
        assert_eq!(of("a.o -flto"), Err(Reason::LinkTimeOptimization));
        assert_eq!(of("a.o -Wl,-Map=x"), Err(Reason::OptionUnknown));
        assert_eq!(of("a.o -Wl,@x"), Err(Reason::ResponseFile));
    }

    proptest! {
        #[test]
        fn any_command_line_is_taken_apart_or_refused(
            args in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..8),
                    "-(Wl,|Xlinker|l|L|o|T|rpath|z)?[-=,a-z.]{0,6}".prop_map(String::into_bytes),
                    "[ab]\\.(o|a|c|so)".prop_map(String::into_bytes),
                ],
                0..7,
            ),
        ) {
            for request in [driver(Family::Gcc, &args), driver(Family::Clang, &args), linker(&args)].into_iter().flatten() {
                prop_assert!(!request.output.is_empty());
                prop_assert!(!request.files.is_empty());
                prop_assert!(request.key_args.iter().all(|arg| args.contains(arg)));
            }
        }
    }
}
