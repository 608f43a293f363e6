//! Whether what is stored shows where or how it was made.

use std::path::Path;

use memchr::memmem;

use super::{Crate, facts, outputs, surroundings};
use crate::paths;

/// Largest output that is searched, bytes; of a larger one it is taken that it shows everything.
const MAX_SEARCHED: u64 = 512 << 20;

/// What could be shown, as the facts that then hold the result to it.
pub(super) struct Shows(Vec<Sign>);

/// By what it would be seen, and whether it has been.
struct Sign {
    fact: Vec<u8>,
    names: Vec<Vec<u8>>,
    found: bool,
}

impl Shows {
    /// What the results of `work` could show; macros could make it show more.
    pub(super) fn new(work: &Crate, runs_code: bool) -> Self {
        let folder = &work.request.out_dir;
        // As it would begin the name of a piece of debug information; anything shorter can stand anywhere by chance.
        let stem = [outputs::stem(&work.request).as_bytes(), b"."].concat();
        let mut out_dir =
            vec![paths::join(folder, &stem), paths::join(folder, &[b"lib", stem.as_slice()].concat())];
        if folder.starts_with(b"/") {
            out_dir.push(folder.clone());
        }
        let others = work.request.folders.iter().map(|(_, folder)| folder.clone());
        let folders = others.filter(|other| other.starts_with(b"/") && other != folder).collect();
        let sign = |fact: &[u8], names| Sign { fact: fact.to_vec(), names, found: false };
        let mut signs = vec![sign(facts::OUT_DIR, out_dir), sign(facts::FOLDERS, folders)];
        if let Some(tree) = &work.tree {
            signs.push(sign(facts::ROOT, vec![tree.root.bytes().to_vec()]));
        }
        if runs_code {
            let moved = surroundings::moved(&work.call);
            signs.extend(moved.map(|(name, value)| sign(name, vec![value.to_vec()])));
        }
        Self(signs)
    }

    pub(super) fn look(&mut self, bytes: &[u8]) {
        for sign in self.0.iter_mut().filter(|sign| !sign.found) {
            sign.found = sign.names.iter().any(|name| memmem::find(bytes, name).is_some());
        }
    }

    pub(super) fn look_at(&mut self, path: &Path) {
        let small = path.metadata().is_ok_and(|meta| meta.len() <= MAX_SEARCHED);
        match small.then(|| std::fs::read(path)) {
            Some(Ok(bytes)) => self.look(&bytes),
            _ => self.0.iter_mut().for_each(|sign| sign.found = true),
        }
    }

    /// Names of the facts that count.
    pub(super) fn found(self) -> impl Iterator<Item = Vec<u8>> {
        self.0.into_iter().filter(|sign| sign.found).map(|sign| sign.fact)
    }
}
