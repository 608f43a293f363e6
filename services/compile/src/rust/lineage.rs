//! What crates need in their turn: the names of all crates that stand behind one that is named to the compiler.
//!
//! Calls that were seen tell it of what they make; the compiler is asked about everything else.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_fingerprint::Fingerprints;
use larder_service::{Clock, Digest, Reason};

use super::args::{FolderKind, Request};
use crate::args::Refusal;
use crate::call::Call;
use crate::files;
use crate::identity::{Probe, Rustc};
use crate::inputs::about;
use crate::paths;

/// Most crates remembered; beyond it all are forgotten.
const MAX_CRATES: usize = 50_000;

/// Most crates behind one.
const MAX_BEHIND: usize = 10_000;

/// Stems of files, `serde-1a2b` of `libserde-1a2b.rlib`: the names by which crates refer to each other.
pub(crate) type Stems = Arc<BTreeSet<String>>;

/// The memory of what stands behind crates.
#[derive(Default)]
pub(crate) struct Lineage {
    /// By the path of a library without its suffix, as a call that makes it said.
    told: Mutex<HashMap<PathBuf, Told>>,
    /// By content, as the compiler said.
    asked: Mutex<HashMap<Digest, Stems>>,
}

struct Told {
    behind: Stems,
    /// Contents of the library's files, by suffix, when they were first seen: another one is another crate.
    seen: HashMap<Vec<u8>, Digest>,
}

/// All crates that go into a compile.
#[derive(Debug, Default)]
pub(crate) struct Crates {
    /// Names of those that the call names, without the options before them.
    pub(crate) named: HashSet<Vec<u8>>,
    /// Those behind them, each by its stem, with the file by which it counts.
    pub(crate) behind: Vec<(String, Digest)>,
    /// Where all of their files lie.
    pub(crate) files: Vec<PathBuf>,
    /// Stems of all of them.
    pub(crate) stems: BTreeSet<String>,
    /// A procedural macro, or a library that the compiler loads for another reason, is among them.
    pub(crate) runs_code: bool,
}

/// What looks crates up.
pub(crate) struct Looking<'a> {
    pub(crate) fingerprints: &'a Fingerprints,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) call: &'a Call,
    pub(crate) rustc: &'a Rustc,
    pub(crate) request: &'a Request,
}

impl Lineage {
    /// All crates that go into the compile that `looking` is about. May run the compiler: for threads that may block.
    pub(crate) fn crates(&self, looking: &Looking<'_>) -> Result<Crates, Refusal> {
        let mut crates = Crates::default();
        let mut named = BTreeSet::new();
        let cwd = &looking.call.cwd;
        for one in &looking.request.externs {
            let Some(spelled) = &one.path else { continue };
            let path = paths::resolve(cwd, spelled);
            let digest = files::fingerprint(looking.fingerprints, &path)?.digest;
            let (stem, suffix) = split(&path).ok_or_else(|| about(Reason::ExternUnknown, spelled))?;
            crates.runs_code |= suffix == b"so";
            let behind = self.behind(looking, &path, suffix, digest)?;
            named.insert(stem.clone());
            crates.stems.insert(stem);
            crates.stems.extend(behind.iter().cloned());
            crates.files.push(path);
            crates.named.extend(one.name.rsplit(|byte| *byte == b':').next().map(<[u8]>::to_vec));
        }
        for stem in crates.stems.difference(&named) {
            let found = file(looking.fingerprints, cwd, looking.request, stem)?;
            let Some(path) = found else {
                // It comes with the compiler, whose identity holds it.
                if looking.rustc.libraries.contains(stem) {
                    continue;
                }
                return Err(about(Reason::ExternUnknown, stem.as_bytes()));
            };
            crates.runs_code |= path.extension().is_some_and(|suffix| suffix == "so");
            let digest = files::fingerprint(looking.fingerprints, &path)?.digest;
            crates.behind.push((stem.clone(), digest));
            crates.files.push(path);
        }
        Ok(crates)
    }

    /// Remembers what stands behind the library that a call makes in `folder` under the name `stem`.
    pub(crate) fn tell(&self, folder: &Path, stem: &str, is_macro: bool, crates: &Crates) {
        let mut told = lock(&self.told);
        if told.len() >= MAX_CRATES {
            told.clear();
        }
        // What a macro needs is linked into it.
        let behind = if is_macro { Stems::default() } else { Arc::new(crates.stems.clone()) };
        told.insert(folder.join(format!("lib{stem}")), Told { behind, seen: HashMap::new() });
    }

    /// The stems behind the library at `path` that holds `digest`.
    fn behind(
        &self,
        looking: &Looking<'_>,
        path: &Path,
        suffix: &[u8],
        digest: Digest,
    ) -> Result<Stems, Refusal> {
        if let Some(told) = lock(&self.told).get_mut(&path.with_extension(""))
            && *told.seen.entry(suffix.to_vec()).or_insert(digest) == digest
        {
            return Ok(Arc::clone(&told.behind));
        }
        if let Some(known) = lock(&self.asked).get(&digest) {
            return Ok(Arc::clone(known));
        }
        let behind = Arc::new(ask(looking, path)?);
        let mut asked = lock(&self.asked);
        if asked.len() >= MAX_CRATES {
            asked.clear();
        }
        asked.insert(digest, Arc::clone(&behind));
        Ok(behind)
    }
}

/// The stem and the suffix of a library's file.
fn split(path: &Path) -> Option<(String, &[u8])> {
    use std::os::unix::ffi::OsStrExt as _;
    let name = path.file_name()?.as_bytes();
    let at = name.iter().rposition(|byte| *byte == b'.')?;
    let stem = str::from_utf8(&name[..at]).ok()?.strip_prefix("lib")?;
    Some((stem.to_owned(), &name[at + 1..]))
}

/// The file by which the crate `stem` counts: with its code where that goes into the result, else what it declares.
pub(crate) fn file(
    fingerprints: &Fingerprints,
    cwd: &Path,
    request: &Request,
    stem: &str,
) -> Result<Option<PathBuf>, Refusal> {
    let suffixes = if request.takes_code() { ["rlib", "so", "rmeta"] } else { ["rmeta", "so", "rlib"] };
    let folders = request.folders.iter().filter(|(kind, _)| *kind != FolderKind::Native);
    for (_, folder) in folders {
        let folder = paths::resolve(cwd, folder);
        for suffix in suffixes {
            let path = folder.join(format!("lib{stem}.{suffix}"));
            if let files::Node::File(_) = files::node(fingerprints, &path)? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Asks the compiler what stands behind the library at `path`.
fn ask(looking: &Looking<'_>, path: &Path) -> Result<BTreeSet<String>, Refusal> {
    let unknown = || about(Reason::ExternUnknown, &paths::into_bytes(path.to_owned()));
    let env = looking.call.env.clone().with("RUSTC_BOOTSTRAP", b"1");
    let spelled = paths::into_bytes(path.to_owned());
    let args = vec![&b"-Z"[..], b"ls=root", &spelled];
    let argv0 = paths::into_bytes(looking.rustc.program.clone());
    let answer =
        Probe { program: &looking.rustc.program, argv0: &argv0, args, env: &env, cwd: &looking.call.cwd }
            .ask(looking.clock)?;
    if !answer.succeeded {
        return Err(unknown());
    }
    dependencies(&answer.stdout).ok_or_else(unknown)
}

/// The stems in the compiler's answer to `-Z ls=root`: below `=External Dependencies=` one line each,
/// `NUMBER NAME-HASH hash …`. `None` when it is no such answer.
pub(crate) fn dependencies(answer: &[u8]) -> Option<BTreeSet<String>> {
    let text = str::from_utf8(answer).ok()?;
    let mut lines = text.lines().skip_while(|line| *line != "=External Dependencies=");
    lines.next()?;
    let mut found = BTreeSet::new();
    for line in lines.take_while(|line| !line.is_empty() && !line.starts_with('=')) {
        let mut words = line.split(' ');
        words.next()?.parse::<u32>().ok()?;
        let stem = words.next()?;
        if words.next()? != "hash" || stem.contains('/') {
            return None;
        }
        found.insert(stem.to_owned());
        if found.len() > MAX_BEHIND {
            return None;
        }
    }
    Some(found)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whatever a panic elsewhere leaves behind is still true, or forgotten.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_compilers_answer_is_read() {
        let answer = b"Crate info:\nname a-1\n=External Dependencies=\n1 std-d1 hash 34 host_hash None kind Unconditional public\n2 pm-2 hash 35 host_hash None kind MacrosOnly public\n\n";
        let stems: Vec<String> = dependencies(answer).unwrap().into_iter().collect();
        assert_eq!(stems, ["pm-2", "std-d1"]);
        assert_eq!(dependencies(b"error\n"), None);
        assert_eq!(dependencies(b"=External Dependencies=\nodd\n"), None);
    }

    #[test]
    fn a_librarys_name_is_taken_apart() {
        assert_eq!(split(Path::new("/t/liba-1.b.rmeta")), Some(("a-1.b".to_owned(), &b"rmeta"[..])));
        assert_eq!(split(Path::new("/t/a.rlib")), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = dependencies(&[b"=External Dependencies=\n", bytes.as_slice()].concat());
        }
    }
}
