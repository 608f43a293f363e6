//! Compiles whose results several working trees of one project share: `LARDER_PORTABLE` asks for them.
//!
//! The tool gets a prefix map that puts `.` in the place of the tree's root, and the root is left out of the key
//! wherever it only leads to files. Where it stands anywhere else, the result is kept for this tree alone: nothing can
//! be said about what another root would make of it.

pub(crate) mod list;
mod root;
mod traces;

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use crate::args::table::Use;
use crate::args::words::{self, What};
use crate::args::{Family, Invocation, Language};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::paths;

pub(crate) use root::Root;

/// What a prefix map does not reach, or does in another way for each root.
const FOR_ONE_TREE: &[&str] = &["prefix-map", "unique-internal-linkage-names"];

/// How a portable call is treated.
#[derive(Clone, Debug)]
pub(crate) struct Portable {
    pub(crate) root: Root,
    /// Other trees may have the result.
    pub(crate) shared: bool,
}

impl Portable {
    /// `None` where the call is to be treated as any other.
    pub(crate) fn of(
        call: &Call,
        family: Family,
        arguments: &Arguments,
        invocation: &Invocation,
        searched: &[Vec<u8>],
    ) -> Option<Self> {
        let root = Root::of(&call.portable, &call.cwd)?;
        let compiled = matches!(invocation.language, Language::C | Language::Cxx);
        let into_assembly = arguments.all.iter().any(|arg| arg == b"-S");
        if !compiled || into_assembly || invocation.shows_command_line {
            return None;
        }
        if invocation.shows_cwd && is_other_name_of_the_folder(call) {
            return None;
        }
        let mut portable = Self { root, shared: true };
        portable.shared = portable.may_share(call, family, invocation, searched);
        Some(portable)
    }

    /// The root, where what is stored must not depend on it.
    pub(crate) fn shared_root(&self) -> Option<&Root> {
        self.shared.then_some(&self.root)
    }

    /// `spelled` as it stands in the key.
    pub(crate) fn path(&self, spelled: &[u8]) -> Vec<u8> {
        if self.shared { self.root.taken_out(spelled) } else { spelled.to_vec() }
    }

    /// The options as they stand in the key.
    pub(crate) fn options(&self, family: Family, options: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut taken_out = Vec::with_capacity(options.len());
        let mut rest = options;
        while let (Some(first), true) = (rest.first(), self.shared) {
            let Ok((word, length)) = words::next(family, rest) else {
                taken_out.push(first.clone());
                rest = &rest[1..];
                continue;
            };
            let mut args = word.args.to_vec();
            if let (What::Option(Use::Folder | Use::Forced | Use::DependShape, Some(value)), Some(last)) =
                (word.what, args.last_mut())
            {
                let name = last.len() - value.len();
                *last = [&last[..name], &self.root.taken_out(value)].concat();
            }
            taken_out.append(&mut args);
            rest = &rest[length..];
        }
        taken_out.extend_from_slice(rest);
        taken_out
    }

    fn may_share(&self, call: &Call, family: Family, invocation: &Invocation, searched: &[Vec<u8>]) -> bool {
        let options = self.options(family, &invocation.key_args);
        let for_one_tree = |option: &Vec<u8>| {
            let has = |word: &&str| memchr::memmem::find(option, word.as_bytes()).is_some();
            // What is compressed cannot be searched for the root.
            option.starts_with(b"-gz") || FOR_ONE_TREE.iter().any(has)
        };
        let list = invocation.depfile.iter().map(|depfile| &depfile.path);
        let spelled = [&invocation.source, &invocation.object].into_iter().chain(list);
        let pwd = call.env.get("PWD").unwrap_or_default();
        let named = |text: &[u8]| self.root.is_named_in(text);
        let by_a_variable = call.env.in_key().any(|(name, value)| named(name) || named(value));
        !options.iter().any(|option| for_one_tree(option) || named(option))
            && !spelled.map(Vec::as_slice).chain([pwd]).any(|path| named(&self.path(path)))
            && !by_a_variable
            && !named(call.tool.as_os_str().as_bytes())
            && !searched.iter().any(|folder| named(folder))
            && invocation.side.is_empty()
            && !(family == Family::Gcc && may_be_shortened(family, &invocation.key_args, searched))
    }
}

/// `PWD` leads to the working folder by another way, which compilers prefer.
fn is_other_name_of_the_folder(call: &Call) -> bool {
    let pwd = paths::as_path(call.env.get("PWD").unwrap_or_default());
    let node = |path: &std::path::Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    // As bytes: to a path, a slash more or less is nothing.
    pwd.is_absolute() && pwd.as_os_str() != call.cwd.as_os_str() && node(pwd) == node(&call.cwd)
}

/// GCC spells the header of a system folder by its real path where that is shorter, which depends on the root.
fn may_be_shortened(family: Family, options: &[Vec<u8>], searched: &[Vec<u8>]) -> bool {
    let mut rest = options;
    while !rest.is_empty() {
        let Ok((word, length)) = words::next(family, rest) else { return true };
        if let What::Option(Use::Folder, Some(folder)) = word.what
            && paths::climbs(folder)
            && (word.args[0].starts_with(b"-isystem") || word.args[0].starts_with(b"-idirafter"))
        {
            return true;
        }
        rest = &rest[length..];
    }
    searched.iter().any(|folder| paths::climbs(folder))
}
