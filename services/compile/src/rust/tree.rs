//! The root of a project's working tree, where the compiler puts something else in its place wherever it shows a path.
//!
//! The caller maps it (`--remap-path-prefix`), or `LARDER_PORTABLE` asks for it. The root is then out of the key; where
//! an output or a message names it all the same, it is a fact of the manifest's entry.

use crate::call::Call;
use crate::portable::Root;

use super::args::Request;

/// How the option stands in a key, before root and replacement.
const OPTION: &[u8] = b"--remap-path-prefix=";

/// A root that is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) root: Root,
    /// `LARDER_PORTABLE` asks for it: macros, too, are held not to go by where the tree lies.
    pub(crate) asked: bool,
}

impl Tree {
    /// The one of `request`. Clippy looks for its settings in all folders above, which are others for each root.
    pub(crate) fn of(call: &Call, request: &Request, lints: bool) -> Option<Self> {
        if lints {
            return None;
        }
        let mapped: Vec<&[u8]> = request.key_args.iter().filter_map(|arg| mapped(arg)).collect();
        // Of several that match, the compiler takes the last.
        let given = mapped.iter().rev().filter(|from| from.starts_with(b"/"));
        if let Some(root) = given.filter_map(|from| Root::of(from, &call.cwd)).next() {
            return Some(Self { root, asked: false });
        }
        let root = Root::of(&call.portable, &call.cwd)?;
        let apart = mapped.iter().all(|from| !from.starts_with(root.bytes()));
        apart.then_some(Self { root, asked: true })
    }

    /// The option that the compiler is to get beside the caller's.
    pub(crate) fn added(&self) -> Option<Vec<u8>> {
        self.asked.then(|| [OPTION, self.root.bytes(), b"=."].concat())
    }

    /// `arg` as it stands in the key.
    pub(crate) fn argument(&self, arg: &[u8]) -> Vec<u8> {
        match mapped(arg).filter(|from| *from == self.root.bytes()) {
            Some(from) => [OPTION, &self.root.taken_out(from), &arg[OPTION.len() + from.len()..]].concat(),
            None => arg.to_vec(),
        }
    }
}

/// What `arg`, as it stands in the key, maps.
fn mapped(arg: &[u8]) -> Option<&[u8]> {
    let value = arg.strip_prefix(OPTION)?;
    Some(&value[..memchr::memrchr(b'=', value)?])
}

#[cfg(test)]
mod tests {
    use super::super::args;
    use super::*;
    use larder_proto::v1::{EnvVar, Lookup};

    fn tree(cwd: &str, portable: &str, remaps: &[&str]) -> Option<(String, bool)> {
        let call = Call::new(Lookup {
            cwd: cwd.into(),
            tool: b"/bin/rustc".into(),
            tool_name: b"rustc".into(),
            env: vec![EnvVar { name: "LARDER_PORTABLE".into(), value: portable.into() }],
            ..Default::default()
        })
        .unwrap();
        let common = ["--crate-name=a", "--crate-type=lib", "--emit=dep-info,link", "a.rs"];
        let remaps = remaps.iter().map(|remap| format!("--remap-path-prefix={remap}"));
        let args: Vec<Vec<u8>> =
            common.iter().map(|arg| arg.as_bytes().to_vec()).chain(remaps.map(String::into_bytes)).collect();
        let request = args::parse(&args).unwrap();
        assert_eq!(Tree::of(&call, &request, true), None);
        let tree = Tree::of(&call, &request, false)?;
        Some((String::from_utf8(tree.root.bytes().to_vec()).unwrap(), tree.asked))
    }

    #[test]
    fn a_tree_is_what_is_mapped_around_the_working_folder() {
        assert_eq!(tree("/w/a", "", &[]), None);
        assert_eq!(tree("/w/a", "", &["/w/b=."]), None);
        assert_eq!(tree("/w/a", "", &["a=b"]), None);
        assert_eq!(tree("/w/a", "", &["/w/a=."]), Some(("/w/a".into(), false)));
        assert_eq!(tree("/w/a", "", &["/w/a=.", "/w=x"]), Some(("/w".into(), false)));
        assert_eq!(tree("/w/a", "/w", &["/w/a=."]), Some(("/w/a".into(), false)));
        assert_eq!(tree("/w/a", "/w", &[]), Some(("/w".into(), true)));
        assert_eq!(tree("/w/a", "/w", &["/o/registry=r"]), Some(("/w".into(), true)));
        // The compiler would take the one that is added.
        assert_eq!(tree("/w/a", "/w", &["/w/b=x"]), None);
    }

    #[test]
    fn the_option_is_the_same_for_each_root() {
        let of = |root: &str| {
            let call = Call::new(Lookup {
                cwd: root.into(),
                tool: b"/bin/rustc".into(),
                tool_name: b"rustc".into(),
                env: vec![EnvVar { name: "LARDER_PORTABLE".into(), value: root.into() }],
                ..Default::default()
            })
            .unwrap();
            Tree::of(&call, &Request::default(), false).unwrap()
        };
        let (one, other) = (of("/w/a"), of("/v"));
        assert_eq!(one.argument(&one.added().unwrap()), other.argument(&other.added().unwrap()));
        assert_eq!(one.argument(b"--remap-path-prefix=/w/ab=x"), b"--remap-path-prefix=/w/ab=x");
    }
}
