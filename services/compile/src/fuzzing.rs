//! What fuzz targets need to reach and nobody else may.

use std::path::Path;

use larder_proto::v1::Lookup;
use larder_service::Digest;

use crate::archive;
use crate::args::{Family, response};
use crate::call::Call;
use crate::code;
use crate::identity::noted::Noted;
use crate::identity::verbose::Verbose;
use crate::identity::{Role, linker, loader};
use crate::link;
use crate::manifest::{self, codec};
use crate::paths;
use crate::portable::{Root, list};
use crate::rust;

/// `args` with their response files read; `None` when one is refused.
pub fn expand(args: &[Vec<u8>], read: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
    response::expand(args, read).ok()
}

/// A C text without its comments, where there is one reading of it.
#[must_use]
pub fn without_comments(text: &[u8]) -> Option<Vec<u8>> {
    code::without_comments(text)
}

/// Whether `lookup` is taken for a call.
#[must_use]
pub fn is_a_call(lookup: Lookup) -> bool {
    Call::new(lookup).is_ok()
}

/// What becomes of the dependency file `text` of a tree whose root is `/w`, kept for others and written there again.
/// `None` where it is not kept.
#[must_use]
pub fn kept_for_other_trees(family: Family, text: &[u8]) -> Option<Vec<u8>> {
    let root = Root::of(b"/w", Path::new("/w"))?;
    list::put_in(family, &root, &list::taken_out(family, &root, text)?)
}

/// Whether the compiler's answer about what stands behind a crate is understood.
pub fn crates_behind(answer: &[u8]) -> bool {
    rust::lineage::dependencies(answer).is_some()
}

/// Names of the outputs of a call of `rustc`; `None` when it is refused.
#[must_use]
pub fn crate_outputs(args: &[Vec<u8>]) -> Option<Vec<String>> {
    let request = rust::args::parse(args).ok()?;
    let names = rust::outputs::expected(&request).into_iter();
    Some(names.map(|name| name.replace("emit:", "")).collect())
}

/// `text`, as a list of sources and as messages of a call whose outputs go to `/o`, stored and written again. `None` where
/// one of both is not stored.
#[must_use]
pub fn for_this_call(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let args =
        ["--crate-name", "a", "x.rs", "--crate-type", "lib", "--emit=dep-info,metadata", "--out-dir=/o"];
    let request = rust::args::parse(&args.map(|arg| arg.as_bytes().to_vec())).ok()?;
    let (outputs, names) = (rust::outputs::Outputs::of(&request), rust::outputs::expected(&request));
    let list = outputs.put_in_list(&outputs.taken_out_of_list(text, &names)?)?;
    Some((list, outputs.put_in_notes(&outputs.taken_out_of_notes(text, &names)?)?))
}

/// A manifest.
#[derive(Debug, PartialEq, Eq)]
pub struct Manifest(manifest::Manifest);

impl Manifest {
    /// The stored form's first byte.
    pub const VERSION: u8 = codec::VERSION;

    /// Reads the stored form.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::decode(bytes).ok().map(Self)
    }

    /// Writes the stored form.
    #[must_use]
    pub fn encode(&self) -> Option<Vec<u8>> {
        codec::encode(&self.0)
    }

    /// It has no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// How many absent files it speaks of.
    #[must_use]
    pub fn absent(&self) -> usize {
        let mut count = 0;
        for entry in &self.0.entries {
            entry.absent.each(|_, _| count += 1);
        }
        count
    }
}

/// A link, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in the crate itself")]
pub struct Link {
    pub output: Vec<u8>,
    pub list: Option<Vec<u8>>,
    pub files: Vec<Vec<u8>>,
    pub scripts: Vec<Vec<u8>>,
    pub libraries: Vec<Vec<u8>>,
    pub folders: Vec<Vec<u8>>,
    pub needed_folders: Vec<Vec<u8>>,
    pub key_args: Vec<Vec<u8>>,
    pub ask: Vec<Vec<u8>>,
}

/// Takes a link apart, through the driver of a family or by a linker itself; `None` when it is refused.
#[must_use]
pub fn link(driver: Option<Family>, args: &[Vec<u8>]) -> Option<Link> {
    let link::Request { output, list, files, scripts, libraries, folders, needed_folders, key_args, ask } =
        match driver {
            Some(family) => link::driver(family, args),
            None => link::linker(args),
        }
        .ok()?;
    Some(Link { output, list, files, scripts, libraries, folders, needed_folders, key_args, ask })
}

/// What a file of a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in the crate itself")]
pub struct Study {
    pub unfinished: bool,
    pub thin: bool,
    pub endless: bool,
    pub needs: Vec<Vec<u8>>,
    pub folders: Vec<Vec<u8>>,
}

/// Studies a file of a link.
#[must_use]
pub fn study(bytes: &[u8]) -> Study {
    let link::Study { unfinished, thin, endless, needs, folders } = link::study(bytes);
    Study { unfinished, thin, endless, needs, folders }
}

/// What the loader sees in a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in the crate itself")]
pub struct Program {
    pub loader: Option<Vec<u8>>,
    pub folders: Vec<Vec<u8>>,
}

/// Reads a program; `None` when it is none.
#[must_use]
pub fn program(bytes: &[u8]) -> Option<Program> {
    let loader::Program { loader, runpath } = loader::parse(bytes)?;
    Some(Program { loader: loader.map(paths::into_bytes), folders: runpath })
}

/// Names and paths in a loader's answer.
#[must_use]
pub fn libraries(answer: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    loader::libraries(answer)
}

/// The linker's command in a driver's answer.
#[must_use]
pub fn linker_command(answer: &[u8]) -> Option<Vec<Vec<u8>>> {
    linker::command(answer)
}

/// The folders of a linker script.
#[must_use]
pub fn script_folders(script: &[u8]) -> Vec<&[u8]> {
    linker::script_folders(script).collect()
}

/// The folders in what a driver says of itself, and whether these are all.
#[must_use]
pub fn searched(said: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let verbose = Verbose::read(said);
    (verbose.folders, verbose.complete)
}

/// What an archive holds: each member's name and its content's hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive(archive::Contents);

impl Archive {
    /// Reads an archive; `None` when it is no ordinary one.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        archive::contents::of(bytes).map(Self)
    }

    /// Name and content's hash of each member.
    #[must_use]
    pub fn members(&self) -> &[(Vec<u8>, [u8; 32])] {
        self.0.members()
    }

    /// What it is to hold after `call`, whose member files hold their own names.
    #[must_use]
    pub fn after(&self, call: &Filing) -> Self {
        let files: Vec<_> = call.0.members.iter().map(|name| Digest::of(name)).collect();
        Self(self.0.clone().after(&call.0, &files))
    }
}

/// An archiver's call, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing(archive::Request);

impl Filing {
    /// Takes the arguments of `ar`, or of `ranlib`, apart; `None` when they are refused.
    #[must_use]
    pub fn of(ranlib: bool, deterministic: bool, args: &[Vec<u8>]) -> Option<Self> {
        let role = if ranlib { Role::Index } else { Role::Archive };
        archive::parse(role, deterministic, args).ok().map(Self)
    }

    /// The archive.
    #[must_use]
    pub fn archive(&self) -> &[u8] {
        &self.0.archive
    }

    /// The member files.
    #[must_use]
    pub fn members(&self) -> &[Vec<u8>] {
        &self.0.members
    }

    /// Operation and modifiers.
    #[must_use]
    pub fn letters(&self) -> &[u8] {
        &self.0.letters
    }

    /// Members take the place of others.
    #[must_use]
    pub fn replaces(&self) -> bool {
        self.0.replaces
    }
}

/// Panics where what is read of `bytes` as a note about tools is not what is written of it again.
pub fn check_tools(bytes: &[u8]) {
    if let Ok(noted) = Noted::decode(bytes) {
        assert_eq!(
            Noted::decode(&noted.clone().encode()).as_ref(),
            Ok(&noted),
            "what was read can be written"
        );
        noted.check_answers();
    }
}
