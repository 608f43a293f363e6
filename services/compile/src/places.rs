//! Where the tool could have looked for a file in vain, and what it could have noticed there.
//!
//! Every name that is asked for is held against every folder that may be searched, whatever the order of the search:
//! so a mistake about the order cannot make a wrong hit, only a needless miss.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use larder_fingerprint::Fingerprints;
use larder_service::Reason;

use crate::absence::Absence;
use crate::args::Refusal;
use crate::files::{self, Node};
use crate::inputs::about;
use crate::manifest::{Absences, Group, Names, Present};
use crate::once::Once;
use crate::paths;

/// Most pairs of folder and name.
const MAX_PLACES: usize = 100_000;

/// Longest name that can be one.
const MAX_NAME: usize = 4096;

/// What the search depends on.
pub(crate) struct Places<'a> {
    pub(crate) cwd: &'a Path,
    pub(crate) fingerprints: &'a Fingerprints,
    pub(crate) absence: &'a Absence,
    /// All folders that may be searched, each once.
    pub(crate) folders: &'a [&'a [u8]],
    /// The files that were read.
    pub(crate) inputs: HashSet<&'a Path>,
    /// Those of them that are to be read once.
    pub(crate) once: Once<'a>,
    /// Folders that change because the tool writes into them.
    pub(crate) output_folders: &'a [PathBuf],
    /// Clock of files just before the tool was started.
    pub(crate) started: u64,
}

/// A name in its folder part and the rest.
type Split = (Vec<u8>, Vec<u8>);

/// Names, each with whether its mere existence is tested for. Sorted by folder part, then name.
type Wanted = BTreeMap<Split, bool>;

/// Names that are looked for.
#[derive(Default)]
pub(crate) struct Asked {
    /// Looked for in every search folder.
    shared: Wanted,
    /// Looked for in one folder only.
    local: BTreeMap<Vec<u8>, Wanted>,
}

impl Places<'_> {
    /// What was found, and what was absent, of what is `asked` for.
    pub(crate) fn look(&self, mut asked: Asked) -> Result<(Found, Absences), Refusal> {
        let folders = self.folders;
        // In a search folder the shared names are looked for anyhow.
        for folder in folders {
            if let Some(local) = asked.local.get_mut(*folder) {
                local.retain(|name, tested| asked.shared.get(name).is_none_or(|known| *tested && !known));
            }
        }
        let local: usize = asked.local.values().map(Wanted::len).sum();
        if folders.len().saturating_mul(asked.shared.len()).saturating_add(local) > MAX_PLACES {
            return Err(about(Reason::IncludeComputed, b"too many names in too many folders"));
        }
        let mut look = Look { places: self, found: Found::default() };
        let mut absent = Absences::default();
        let mut indices: HashMap<(Vec<u8>, Vec<u8>), u32> = HashMap::new();
        let mut index = |absent: &mut Absences, name: &(Vec<u8>, Vec<u8>)| {
            *indices.entry(name.clone()).or_insert_with(|| {
                absent.names.push(paths::join(&name.0, &name.1));
                absent.names.len() as u32 - 1
            })
        };
        for name in asked.shared.keys() {
            index(&mut absent, name);
        }
        absent.shared = absent.names.len();
        for folder in folders.iter().copied() {
            if !matches!(self.node(folder)?, Node::Folder(_) | Node::Absent) {
                return Err(about(Reason::InputNotAFile, folder));
            }
            let existing = look.existing(folder, &asked.shared)?;
            let names = Names::AllBut(existing.iter().map(|name| index(&mut absent, name)).collect());
            absent.groups.push(Group { folder: folder.to_vec(), names });
        }
        for (folder, mut wanted) in asked.local {
            for name in look.existing(&folder, &wanted)? {
                wanted.remove(&name);
            }
            let mut names: Vec<u32> = wanted.keys().map(|name| index(&mut absent, name)).collect();
            names.sort_unstable();
            if !names.is_empty() {
                absent.groups.push(Group { folder, names: Names::Only(names) });
            }
        }
        Ok((look.found, absent))
    }

    fn node(&self, spelled: &[u8]) -> Result<Node, Refusal> {
        files::node(self.fingerprints, &paths::resolve(self.cwd, spelled))
    }
}

impl Asked {
    /// The names that are looked for in all search folders.
    pub(crate) fn shared(&self) -> impl Iterator<Item = Vec<u8>> {
        self.shared.keys().map(|(folder, name)| paths::join(folder, name))
    }

    /// Adds a name that is looked for in all search folders and, where it is given, first in `own`.
    pub(crate) fn add(&mut self, own: Option<&[u8]>, name: &[u8], tested: bool) {
        if name.starts_with(b"/") {
            let (folder, name) = paths::split(name);
            return self.add_local(folder, name, tested);
        }
        let Some(key) = key(name) else { return };
        *self.shared.entry(key).or_default() |= tested;
        if let Some(own) = own {
            self.add_local(own, name, tested);
        }
    }

    /// Adds a name that is looked for in `folder`.
    pub(crate) fn add_local(&mut self, folder: &[u8], name: &[u8], tested: bool) {
        let Some(key) = key(name) else { return };
        *self.local.entry(folder.to_vec()).or_default().entry(key).or_default() |= tested;
    }
}

/// `None` for what cannot be a file's name.
fn key(name: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (folder, last) = paths::split(name);
    let possible = !last.is_empty() && name.len() <= MAX_NAME && !name.contains(&0);
    possible.then(|| (folder.to_vec(), last.to_vec()))
}

/// What existed of what was asked for.
#[derive(Default)]
pub(crate) struct Found {
    /// What mattered though it was not read.
    pub(crate) present: Vec<Present>,
    /// Other names, leading from the working folder, of files that were read by their real paths.
    pub(crate) other_names: Vec<(Vec<u8>, PathBuf)>,
}

struct Look<'a> {
    places: &'a Places<'a>,
    found: Found,
}

impl Look<'_> {
    /// Those of `wanted` that exist in `folder`, in order; what mattered of them is noted.
    fn existing(&mut self, folder: &[u8], wanted: &Wanted) -> Result<Vec<Split>, Refusal> {
        let mut found = Vec::new();
        let wanted: Vec<_> = wanted.iter().collect();
        for inner in wanted.chunk_by(|a, b| a.0.0 == b.0.0) {
            let spelled = paths::join(folder, &inner[0].0.0);
            let path = paths::resolve(self.places.cwd, &spelled);
            let names: Vec<&[u8]> = inner.iter().map(|(name, _)| name.1.as_slice()).collect();
            let existing = self.places.absence.existing(self.places.fingerprints, &path, &names)?;
            let folder = Times::of(self.places, &path)?;
            let all_found =
                |(place, (_, tested)): (usize, &(_, &bool))| !**tested || existing.contains(&place);
            if folder.shaken && !inner.iter().enumerate().all(all_found) {
                // A tested file could have been there and be gone.
                return Err(about(Reason::InputsChangedMeanwhile, &spelled));
            }
            if folder.replaced && !existing.is_empty() {
                return Err(about(Reason::InputsChangedMeanwhile, &spelled));
            }
            for place in existing {
                let (name, tested) = inner[place];
                self.note(&paths::join(&spelled, &name.1), *tested)?;
                found.push(name.clone());
            }
        }
        Ok(found)
    }

    /// The input that `spelled`, which leads to `path`, is another name of.
    fn other_name(&self, spelled: &[u8], path: &Path) -> Option<PathBuf> {
        let real = if spelled.starts_with(b"/") { None } else { path.canonicalize().ok() };
        real.filter(|real| self.places.inputs.contains(real.as_path()))
    }

    /// Judges something that exists where a file was, or could be, looked for.
    fn note(&mut self, spelled: &[u8], tested: bool) -> Result<(), Refusal> {
        if spelled.ends_with(b".gch") || spelled.ends_with(b".pch") {
            return Err(about(Reason::PrecompiledHeader, spelled));
        }
        let path = paths::resolve(self.places.cwd, spelled);
        if self.places.inputs.contains(path.as_path()) {
            return Ok(());
        }
        match files::node(self.places.fingerprints, &path)? {
            Node::File(stamp) if files::young(&stamp, self.places.started) => {
                Err(about(Reason::InputsChangedMeanwhile, spelled))
            }
            Node::File(stamp) if self.places.once.may_be(self.places.fingerprints, &path, &stamp)? => {
                Err(about(Reason::IncludedOnce, spelled))
            }
            Node::File(_) if let Some(real) = self.other_name(spelled, &path) => {
                self.found.other_names.push((spelled.to_vec(), real));
                Ok(())
            }
            Node::File(_) if !tested => Ok(()),
            Node::File(_) => {
                self.found.present.push(Present { path: spelled.to_vec(), folder: false });
                Ok(())
            }
            // The search passes a folder by, and would not pass by a file of that name.
            Node::Folder(_) => {
                self.found.present.push(Present { path: spelled.to_vec(), folder: true });
                Ok(())
            }
            // A link that leads nowhere now may lead to a header later.
            Node::Absent => Err(about(Reason::InputUnreadable, spelled)),
            Node::Other => Err(about(Reason::InputNotAFile, spelled)),
        }
    }
}

/// What a folder's times say about the time since the tool was started.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// Something else than the tool may have changed what it lists.
    shaken: bool,
    /// It was moved to its place: a change of what it lists would have set both its times.
    replaced: bool,
}

impl Times {
    fn of(places: &Places<'_>, folder: &Path) -> Result<Self, Refusal> {
        let Node::Folder(stamp) = files::node(places.fingerprints, folder)? else {
            return Ok(Self::default());
        };
        let young = files::young(&stamp, places.started);
        let replaced = young && stamp.ctime_ns != stamp.mtime_ns;
        let ours = places.output_folders.iter().any(|known| known == folder);
        Ok(Self { shaken: young && !ours, replaced })
    }
}
