//! Where the tool could have looked for a header in vain, and what it could have noticed there.
//!
//! Every name that any input asks for is held against every folder that may be searched, whatever the order of the
//! search: so a mistake about the order cannot make a wrong hit, only a needless miss.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use larder_fingerprint::Fingerprints;
use larder_service::Reason;

use crate::absence::Absence;
use crate::args::{Family, Refusal, Search};
use crate::files::{self, Node};
use crate::inputs::{ReadFile, about, without_dot};
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
    pub(crate) family: Family,
    pub(crate) search: &'a Search,
    /// The tool says which of the folders to search is not there.
    pub(crate) tells_of_folders: bool,
    /// The tool's own folders.
    pub(crate) tool_folders: &'a [Vec<u8>],
    /// Folders that change because the tool writes into them.
    pub(crate) output_folders: &'a [PathBuf],
    /// Clock of files just before the tool was started.
    pub(crate) started: u64,
}

/// A name in its folder part and the rest.
type Split = (Vec<u8>, Vec<u8>);

/// Names, each with whether its mere existence is tested for. Sorted by folder part, then name.
type Wanted = BTreeMap<Split, bool>;

#[derive(Default)]
struct Asked {
    /// Looked for in every search folder.
    shared: Wanted,
    /// Looked for in one folder only.
    local: BTreeMap<Vec<u8>, Wanted>,
}

impl Places<'_> {
    /// What was present and tested, and what was absent, for the inputs `files`, the source first.
    pub(crate) fn look(&self, files: &[ReadFile]) -> Result<(Vec<Present>, Absences), Refusal> {
        let mut folders: Vec<&[u8]> = Vec::new();
        let mut known = HashSet::new();
        for folder in self.search.folders.iter().chain(self.tool_folders) {
            if known.insert(folder) {
                folders.push(folder);
            }
        }
        let mut asked = self.asked(files, &folders)?;
        // In a search folder the shared names are looked for anyhow.
        for folder in &folders {
            if let Some(local) = asked.local.get_mut(*folder) {
                local.retain(|name, tested| asked.shared.get(name).is_none_or(|known| *tested && !known));
            }
        }
        let local: usize = asked.local.values().map(Wanted::len).sum();
        if folders.len().saturating_mul(asked.shared.len()).saturating_add(local) > MAX_PLACES {
            return Err(about(Reason::IncludeComputed, b"too many names in too many folders"));
        }
        let inputs = files.iter().map(|file| file.path.as_path()).collect();
        let once = Once::of(files, self.fingerprints)?;
        if let Some(twin) = once.twin() {
            return Err(about(Reason::IncludedOnce, &twin.input.path));
        }
        let mut look = Look { places: self, inputs, once, present: Vec::new() };
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
        for folder in folders {
            if !matches!(self.node(folder)?, Node::Folder(_) | Node::Absent) {
                return Err(about(Reason::IncludeComputed, folder));
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
        Ok((look.present, absent))
    }

    fn asked(&self, files: &[ReadFile], folders: &[&[u8]]) -> Result<Asked, Refusal> {
        let mut asked = Asked::default();
        let precompiled: &[&str] = match self.family {
            Family::Gcc => &[".gch"],
            Family::Clang => &[".gch", ".pch"],
        };
        for (place, file) in files.iter().enumerate() {
            let own = paths::split(&file.input.path).0;
            let lists = [
                (&file.asks.quoted, true, false),
                (&file.asks.bracketed, false, false),
                (&file.asks.tested_quoted, true, true),
                (&file.asks.tested_bracketed, false, true),
            ];
            for (names, quoted, tested) in lists {
                for name in names {
                    asked.add(quoted.then_some(own), name, tested);
                    if place == 0 && !tested {
                        // The first header may be taken precompiled from wherever its name leads.
                        for suffix in precompiled {
                            asked.add(quoted.then_some(own), &[name, suffix.as_bytes()].concat(), false);
                        }
                    }
                }
            }
            if place > 0 {
                for suffix in precompiled {
                    let (folder, name) = paths::split(&file.input.path);
                    asked.add_local(folder, &[name, suffix.as_bytes()].concat(), false);
                }
            }
        }
        for name in &self.search.forced {
            asked.add(Some(b""), name, false);
            for suffix in precompiled {
                asked.add(Some(b""), &[name, suffix.as_bytes()].concat(), false);
            }
        }
        for folder in self.search.folders.iter().filter(|_| self.tells_of_folders) {
            let slashes = folder.iter().rev().take_while(|byte| **byte == b'/').count();
            let (above, name) = paths::split(&folder[..folder.len() - slashes]);
            if !matches!(name, b"." | b"..") {
                asked.add_local(above, name, true);
            }
        }
        if files.iter().any(|file| file.asks.computed_include) {
            computed(&mut asked, files, folders)?;
        }
        Ok(asked)
    }

    fn node(&self, spelled: &[u8]) -> Result<Node, Refusal> {
        files::node(self.fingerprints, &paths::resolve(self.cwd, spelled))
    }
}

/// Adds the names under which computed includes can have found what was read.
///
/// A header is listed as the folder it was found in and the name it was asked for by; without the folder the name is
/// left. A header that no text names and no folder explains was found in a way that is not understood.
fn computed(asked: &mut Asked, files: &[ReadFile], folders: &[&[u8]]) -> Result<(), Refusal> {
    let literal: Vec<Vec<u8>> = asked.shared.keys().map(|(folder, name)| paths::join(folder, name)).collect();
    let askers: HashSet<&[u8]> = files
        .iter()
        .filter(|file| file.asks.computed_include)
        .map(|file| paths::split(&file.input.path).0)
        .collect();
    for file in &files[1..] {
        let path = file.input.path.as_slice();
        let ends_with = |name: &[u8]| {
            path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with(b"/"))
        };
        let mut explained = literal.iter().any(|name| ends_with(name));
        for folder in folders.iter().chain(&askers) {
            if let Some(name) = inside(folder, path) {
                explained = true;
                asked.add(None, name, false);
                for asker in &askers {
                    asked.add(Some(asker), name, false);
                }
            }
        }
        if !explained {
            return Err(about(Reason::IncludeComputed, path));
        }
    }
    Ok(())
}

/// `path` without the folder it begins with.
fn inside<'p>(folder: &[u8], path: &'p [u8]) -> Option<&'p [u8]> {
    if matches!(folder, b"" | b"." | b"./") {
        return (!path.starts_with(b"/")).then(|| without_dot(path));
    }
    let rest = path.strip_prefix(folder).or_else(|| path.strip_prefix(without_dot(folder)))?;
    let name = if folder.ends_with(b"/") { Some(rest) } else { rest.strip_prefix(b"/") }?;
    (!name.is_empty()).then_some(name)
}

impl Asked {
    /// Adds a name that is looked for in all search folders and, when quoted, first in `own`.
    fn add(&mut self, own: Option<&[u8]>, name: &[u8], tested: bool) {
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

    fn add_local(&mut self, folder: &[u8], name: &[u8], tested: bool) {
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

struct Look<'a> {
    places: &'a Places<'a>,
    inputs: HashSet<&'a Path>,
    once: Once<'a>,
    present: Vec<Present>,
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

    /// Judges something that exists where a header was, or could be, looked for.
    fn note(&mut self, spelled: &[u8], tested: bool) -> Result<(), Refusal> {
        if spelled.ends_with(b".gch") || spelled.ends_with(b".pch") {
            return Err(about(Reason::PrecompiledHeader, spelled));
        }
        let path = paths::resolve(self.places.cwd, spelled);
        if self.inputs.contains(path.as_path()) {
            return Ok(());
        }
        match files::node(self.places.fingerprints, &path)? {
            Node::File(stamp) if files::young(&stamp, self.places.started) => {
                Err(about(Reason::InputsChangedMeanwhile, spelled))
            }
            Node::File(stamp) if self.once.may_be(self.places.fingerprints, &path, &stamp)? => {
                Err(about(Reason::IncludedOnce, spelled))
            }
            Node::File(_) if !tested => Ok(()),
            Node::File(_) => {
                self.present.push(Present { path: spelled.to_vec(), folder: false });
                Ok(())
            }
            // The search passes a folder by, and would not pass by a file of that name.
            Node::Folder(_) => {
                self.present.push(Present { path: spelled.to_vec(), folder: true });
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
