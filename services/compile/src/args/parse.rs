//! What a call compiles, into what, and what decides the result.

use larder_service::Reason;

use super::table::Use;
use super::words::{What, Word, words};
use super::{Depfile, Dialect, Family, Invocation, Language, Refusal, Search, Side};
use crate::paths;

/// Takes a call apart. `args` are without `argv[0]`.
///
/// # Errors
/// The reason why the call cannot be cached.
pub fn parse(dialect: impl Into<Dialect>, args: &[Vec<u8>]) -> Result<Invocation, Refusal> {
    let dialect = dialect.into();
    // A question, a link or a preprocessor run is none of the cache's business, whatever else it says; only a response
    // file can hold what makes it a compile.
    if !args.iter().any(|arg| arg == b"-c" || arg == b"-S" || arg.starts_with(b"@")) {
        return Err(Refusal { reason: Reason::NotACompile, detail: String::new() });
    }
    let mut draft = Draft::default();
    for word in words(dialect.family, args)? {
        draft.take(&word)?;
    }
    draft.finish(dialect)
}

#[derive(Default)]
struct Draft {
    /// The value of the `-x` that holds from here on.
    language: Option<Language>,
    sources: Vec<(Vec<u8>, Option<Language>)>,
    object: Option<Vec<u8>>,
    /// The suffix of what is compiled to.
    compile: Option<&'static str>,
    side: Vec<&'static str>,
    /// A dependency file is asked for; with the headers of system folders.
    depend: Option<bool>,
    depfile: Option<Vec<u8>>,
    /// An option that makes sense only with a dependency file.
    shaped: Option<Refusal>,
    key_args: Vec<Vec<u8>>,
    shows_cwd: bool,
    /// A folder of system headers is spelled by way of the working folder's own.
    climbs: bool,
    shows_command_line: bool,
    search: Search,
}

impl Draft {
    fn take(&mut self, word: &Word<'_>) -> Result<(), Refusal> {
        let (what, value) = match word.what {
            What::File(file) => {
                if is_listed_otherwise(file) {
                    return Err(word.refused(Reason::OptionUncacheable));
                }
                self.sources.push((file.to_vec(), self.language));
                return Ok(());
            }
            What::Option(what, value) => (what, value.unwrap_or_default()),
        };
        let malformed = || word.refused(Reason::OptionMalformed);
        let twice = || word.refused(Reason::OptionUncacheable);
        match what {
            Use::Refuse(reason) => return Err(word.refused(reason)),
            Use::Compile(suffix) => {
                // Which of the two holds differs between drivers.
                if self.compile.replace(suffix).is_some_and(|before| before != suffix) {
                    return Err(word.refused(Reason::OptionUncacheable));
                }
            }
            Use::Side(suffix) => self.add_side(suffix),
            Use::SplitDebug => {
                self.shows_cwd = true;
                self.search.probe_args.extend_from_slice(word.args);
                self.add_side("dwo");
            }
            Use::Object => {
                if value == b"-" {
                    return Err(word.refused(Reason::OutputToStdout));
                }
                put_once(&mut self.object, value).ok_or_else(malformed)?;
                return Ok(());
            }
            Use::Language => {
                self.language = match value {
                    b"c" => Some(Language::C),
                    b"c++" => Some(Language::Cxx),
                    b"assembler" => Some(Language::Assembler),
                    b"assembler-with-cpp" => Some(Language::AssemblerWithCpp),
                    b"none" => None,
                    _ => return Err(word.refused(Reason::SourceKindUnknown)),
                };
            }
            Use::Depend(system) => {
                if self.depend.replace(system).is_some() {
                    return Err(twice());
                }
                return Ok(());
            }
            Use::DependInto(system) => {
                if self.depend.replace(system).is_some() || value.contains(&b',') {
                    return Err(twice());
                }
                put_once(&mut self.depfile, value).ok_or_else(malformed)?;
                // Its effect on the target's name differs from `-MD`'s, so it is key material as well.
                self.key_args.push(b"-Wp,-MD".to_vec());
                return Ok(());
            }
            Use::DependFile => {
                if value == b"-" {
                    return Err(word.refused(Reason::OutputToStdout));
                }
                put_once(&mut self.depfile, value).ok_or_else(malformed)?;
                self.shaped = Some(word.refused(Reason::OptionUncacheable));
                return Ok(());
            }
            Use::DependShape => self.shaped = Some(word.refused(Reason::OptionUncacheable)),
            Use::Folder => {
                // `=dir` and `$SYSROOT/dir` stand for other folders.
                let elsewhere = value.starts_with(b"=") || value.starts_with(b"$SYSROOT");
                if value.is_empty() || elsewhere || is_listed_otherwise(value) {
                    return Err(twice());
                }
                let system = word.args[0].starts_with(b"-isystem") || word.args[0].starts_with(b"-idirafter");
                self.climbs |= system && paths::climbs(value);
                self.search.folders.push(value.to_vec());
            }
            Use::Forced => {
                if value.is_empty() || is_listed_otherwise(value) {
                    return Err(twice());
                }
                self.search.forced.push(value.to_vec());
            }
            Use::Probe => self.search.probe_args.extend_from_slice(word.args),
            Use::ShowsCwd => self.shows_cwd = true,
            Use::ShowsCommandLine => {
                self.shows_cwd = true;
                self.shows_command_line = true;
            }
            Use::Key => {}
        }
        self.key_args.extend_from_slice(word.args);
        Ok(())
    }

    fn add_side(&mut self, suffix: &'static str) {
        if !self.side.contains(&suffix) {
            self.side.push(suffix);
        }
    }

    fn finish(self, dialect: Dialect) -> Result<Invocation, Refusal> {
        let refused = |reason, detail: &[u8]| {
            Err(Refusal { reason, detail: String::from_utf8_lossy(detail).into_owned() })
        };
        let Some(suffix) = self.compile else { return refused(Reason::NotACompile, b"") };
        let (source, language) = match self.sources.as_slice() {
            [] => return refused(Reason::NotACompile, b""),
            [(source, language)] => (source, *language),
            [_, (second, _), ..] => return refused(Reason::SeveralSources, second),
        };
        let Some(language) = language.or_else(|| by_suffix(source, dialect)) else {
            return refused(Reason::SourceKindUnknown, source);
        };
        if suffix == "s" && !language.is_compiled() {
            // Preprocessed text, on standard output.
            return refused(Reason::OutputToStdout, b"-S");
        }
        let Some(object) = self.object.or_else(|| derived_object(source, suffix)) else {
            return refused(Reason::SourceKindUnknown, source);
        };
        if object == *source {
            return refused(Reason::OptionUncacheable, b"-o");
        }
        let depfile = match (self.depend, self.shaped) {
            (None, Some(refusal)) => return Err(refusal),
            (None, None) => None,
            // Nothing is listed where nothing is preprocessed; Clang says so, in words that quote the options.
            (Some(_), _) if !language.is_preprocessed() && dialect.family == Family::Gcc => None,
            (Some(_), _) if !language.is_preprocessed() => return refused(Reason::OptionUncacheable, b"-MD"),
            (Some(system_headers), _) => {
                let Some(path) = self.depfile.or_else(|| beside(&object, "d")) else {
                    return refused(Reason::OptionUncacheable, b"-MD");
                };
                Some(Depfile { path, system_headers })
            }
        };
        if depfile.as_ref().is_some_and(|depfile| depfile.path == object || depfile.path == *source) {
            return refused(Reason::OptionUncacheable, b"-MF");
        }
        let mut side = Vec::with_capacity(self.side.len());
        for suffix in self.side {
            let free = |path: &Vec<u8>| {
                let is_depfile = depfile.as_ref().is_some_and(|depfile| depfile.path == *path);
                *path != object && path != source && !is_depfile
            };
            let Some(path) = beside(&object, suffix).filter(free) else {
                return refused(Reason::OptionUncacheable, b"-o");
            };
            // GCC's driver has another program make the split debug information.
            let in_place = suffix != "dwo" || dialect.family == Family::Clang;
            side.push(Side { suffix, path, in_place });
        }
        Ok(Invocation {
            language,
            source: source.clone(),
            object,
            // GCC's compiler proper writes its assembly itself; assemblers and Clang make new files.
            object_in_place: suffix == "s" && dialect.family == Family::Gcc,
            depfile,
            side,
            key_args: self.key_args,
            // GCC spells a system header by its real path where that is shorter. Assembly that numbers its lines shows
            // the folder, and few look into it before they assemble it elsewhere.
            shows_cwd: self.shows_cwd
                || self.climbs && dialect.family == Family::Gcc
                || !language.is_compiled(),
            shows_command_line: self.shows_command_line,
            search: self.search,
        })
    }
}

/// `None` when the value is empty, or there was one before: which of two holds differs between drivers.
fn put_once(slot: &mut Option<Vec<u8>>, value: &[u8]) -> Option<()> {
    (!value.is_empty() && slot.is_none()).then(|| *slot = Some(value.to_vec()))
}

/// Whether a dependency list may name a file below `path` as something else: Clang writes a slash for a backslash, and
/// nobody quotes a line feed.
fn is_listed_otherwise(path: &[u8]) -> bool {
    path.iter().any(|byte| matches!(byte, b'\\' | b'\n'))
}

/// The language that both families' drivers take a source for by its name.
fn by_suffix(source: &[u8], dialect: Dialect) -> Option<Language> {
    let (stem, suffix) = split_suffix(base_name(source))?;
    match suffix {
        _ if stem.is_empty() => None,
        b"c" if dialect.cxx => Some(Language::Cxx),
        b"c" => Some(Language::C),
        b"C" | b"cc" | b"cp" | b"cxx" | b"cpp" | b"CPP" | b"c++" => Some(Language::Cxx),
        b"s" => Some(Language::Assembler),
        b"S" => Some(Language::AssemblerWithCpp),
        _ => None,
    }
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

fn split_suffix(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    Some((&name[..dot], &name[dot + 1..]))
}

/// `dir/x.c` gives `x.o` in the working folder. `None` where the drivers need not agree.
fn derived_object(source: &[u8], suffix: &str) -> Option<Vec<u8>> {
    let name = base_name(source);
    let stem = split_suffix(name).map_or(name, |(stem, _)| stem);
    (!stem.is_empty()).then(|| [stem, b".", suffix.as_bytes()].concat())
}

/// `dir/x.y.o` gives `dir/x.y.d`. `None` where the drivers need not agree.
fn beside(object: &[u8], suffix: &str) -> Option<Vec<u8>> {
    let name = base_name(object);
    let folder = &object[..object.len() - name.len()];
    let stem = split_suffix(name).map_or(name, |(stem, _)| stem);
    (!stem.is_empty()).then(|| [folder, stem, b".", suffix.as_bytes()].concat())
}
