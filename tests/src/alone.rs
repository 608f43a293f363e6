//! Comparison with the tool run alone.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::Sandbox;

/// What lies at one path.
#[derive(Clone, PartialEq, Eq)]
enum Entry {
    File {
        content: Vec<u8>,
        mode: u32,
        /// The first name of the same file, where it has several.
        twin: Option<PathBuf>,
    },
    Link(PathBuf),
    Folder,
}

/// Everything below a folder: files with content and mode, links, folders.
#[derive(Clone, PartialEq, Eq)]
pub struct Tree(BTreeMap<PathBuf, Entry>);

impl Tree {
    /// Reads what lies below `folder`.
    ///
    /// # Panics
    /// When something cannot be read.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let mut tree = BTreeMap::new();
        let mut inodes = HashMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder).expect("readable");
            let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
            paths.sort();
            for path in paths {
                let metadata = path.symlink_metadata().expect("still there");
                let entry = if metadata.is_dir() {
                    folders.push(path.clone());
                    Entry::Folder
                } else if metadata.is_symlink() {
                    Entry::Link(path.read_link().expect("still there"))
                } else if metadata.is_file() {
                    let content = std::fs::read(&path).expect("readable");
                    let first = inodes.entry(metadata.ino()).or_insert_with(|| path.clone());
                    let twin = (*first != path).then(|| first.clone());
                    Entry::File { content, mode: metadata.permissions().mode(), twin }
                } else {
                    continue;
                };
                tree.insert(path, entry);
            }
        }
        Self(tree)
    }

    /// Makes what lies below `folder` what it was when `self` was read; what is as it was stays untouched.
    fn put_back(&self, folder: &Path) {
        let now = Self::read(folder);
        // What lies in a folder goes before the folder.
        for (path, entry) in now.0.iter().rev().filter(|(path, entry)| self.0.get(*path) != Some(*entry)) {
            match entry {
                Entry::Folder => std::fs::remove_dir(path),
                // One that only has another content is written anew, for it may have other names.
                Entry::File { twin: None, .. }
                    if matches!(self.0.get(path), Some(Entry::File { twin: None, .. })) =>
                {
                    Ok(())
                }
                _ => std::fs::remove_file(path),
            }
            .expect("our own");
        }
        for (path, before) in self.0.iter().filter(|(path, before)| now.0.get(*path) != Some(before)) {
            match before {
                Entry::Folder => std::fs::create_dir(path),
                Entry::Link(target) => std::os::unix::fs::symlink(target, path),
                Entry::File { twin: Some(twin), .. } => std::fs::hard_link(twin, path),
                Entry::File { content, mode, twin: None } => std::fs::write(path, content)
                    .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(*mode))),
            }
            .expect("our own");
        }
    }
}

/// Runs `argv` alone and then through larder, from the same start, and demands that streams, exit code and every file
/// of the work folder are the same. Returns what both printed.
///
/// # Panics
/// When they differ.
pub fn same_as_alone(sandbox: &Sandbox, argv: &[&str]) -> Output {
    same_as_alone_as(sandbox, argv, |command| command)
}

/// The same with both commands in another `shape`: with other variables, in another folder, under a shell.
///
/// # Panics
/// When they differ.
pub fn same_as_alone_as(sandbox: &Sandbox, argv: &[&str], shape: impl Fn(Command) -> Command) -> Output {
    let folder = sandbox.work();
    let start = Tree::read(&folder);
    let mut alone = sandbox.command(argv[0]);
    alone.args(&argv[1..]);
    let alone = shape(alone).output().expect("the tool starts");
    let tree_alone = Tree::read(&folder);
    start.put_back(&folder);
    let through = shape(sandbox.larder(argv)).output().expect("larder starts");
    let tree_through = Tree::read(&folder);

    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let context = format!("{argv:?}\n{}", sandbox.log());
    assert_eq!(text(&through.stderr), text(&alone.stderr), "standard error of {context}");
    assert_eq!(through.stderr, alone.stderr, "bytes of standard error of {context}");
    assert_eq!(text(&through.stdout), text(&alone.stdout), "standard output of {context}");
    assert_eq!(through.status, alone.status, "exit status of {context}");
    let names = |tree: &Tree| tree.0.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&tree_through), names(&tree_alone), "files made by {context}");
    for (path, alone) in &tree_alone.0 {
        let through = &tree_through.0[path];
        if let (Entry::File { mode: through, .. }, Entry::File { mode: alone, .. }) = (through, alone) {
            assert_eq!(through, alone, "mode of {} by {context}", path.display());
        }
        assert!(through == alone, "{} differs by {context}", path.display());
    }
    through
}

/// `command` run by a shell that does `before` it, such as setting an umask or a redirection.
#[must_use]
pub fn in_shell(before: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", &format!("{before}\nexec \"$@\""), "sh"])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}
