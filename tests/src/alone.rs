//! Comparison with the tool run alone.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::Sandbox;

/// Every file below a folder: content and mode.
#[derive(Clone, PartialEq, Eq)]
pub struct Tree(BTreeMap<PathBuf, (Vec<u8>, u32)>);

impl Tree {
    /// Reads the files below `folder`.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("readable") {
                let path = entry.expect("readable").path();
                let metadata = path.symlink_metadata().expect("still there");
                if metadata.is_dir() {
                    folders.push(path);
                } else if metadata.is_file() {
                    let content = std::fs::read(&path).expect("readable");
                    files.insert(path, (content, metadata.permissions().mode()));
                }
            }
        }
        Self(files)
    }

    /// Makes the files below `folder` what they were when `self` was read; what is as it was stays untouched.
    fn put_back(&self, folder: &Path) {
        let now = Self::read(folder);
        for path in now.0.keys().filter(|path| !self.0.contains_key(*path)) {
            std::fs::remove_file(path).expect("our own file");
        }
        for (path, before) in self.0.iter().filter(|(path, before)| now.0.get(*path) != Some(before)) {
            std::fs::write(path, &before.0).expect("our own file");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(before.1)).expect("our own file");
        }
    }
}

/// Runs `argv` alone and then through larder, from the same start, and demands that streams, exit code and every file
/// of the work folder are the same. Returns what both printed.
///
/// # Panics
/// When they differ.
pub fn same_as_alone(sandbox: &Sandbox, argv: &[&str]) -> Output {
    let folder = sandbox.work();
    let start = Tree::read(&folder);
    let alone = sandbox.command(argv[0]).args(&argv[1..]).output().expect("the tool starts");
    let tree_alone = Tree::read(&folder);
    start.put_back(&folder);
    let through = sandbox.larder(argv).output().expect("larder starts");
    let tree_through = Tree::read(&folder);

    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let context = format!("{argv:?}\n{}", sandbox.log());
    assert_eq!(text(&through.stderr), text(&alone.stderr), "standard error of {context}");
    assert_eq!(through.stderr, alone.stderr, "bytes of standard error of {context}");
    assert_eq!(text(&through.stdout), text(&alone.stdout), "standard output of {context}");
    assert_eq!(through.status, alone.status, "exit status of {context}");
    let names = |tree: &Tree| tree.0.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&tree_through), names(&tree_alone), "files made by {context}");
    for (path, (content, mode)) in &tree_alone.0 {
        let (through, through_mode) = &tree_through.0[path];
        assert_eq!(through_mode, mode, "mode of {} by {context}", path.display());
        assert!(through == content, "content of {} differs by {context}", path.display());
    }
    through
}
