//! Who may not: other users of the machine, and callers that see other files than the daemon.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use larder_tests::{Sandbox, program, same_as_alone};

const NOBODY: u32 = 65534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Everything below `folder`.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            all.extend(below(&path));
        }
        all.push(path);
    }
    all
}

#[test]
fn nothing_that_larder_makes_is_open_to_others() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "char x[100000] = { 1 };\n");
    let compile = |sandbox: &Sandbox| {
        let mut command = sandbox.larder(["gcc", "-c", "x.c"]);
        // The caller's umask is for its outputs, and opens none of larder's folders.
        let output = larder_tests::in_shell("umask 0", &{
            command.env("LC_ALL", "C");
            command
        })
        .output();
        assert!(output.expect("a shell starts").status.success());
    };
    compile(&sandbox);
    compile(&sandbox);
    let private = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.mode() & 0o077 == 0);
    for name in ["c/larder", "s/larder", "r/larder", "r/running-process", "g/running-process/services"] {
        let folder = sandbox.root().join(name);
        assert!(folder.is_dir(), "{name}");
        for path in below(&folder) {
            // A folder that nobody else can enter keeps all that is in it.
            let kept = path.ancestors().take_while(|part| part.starts_with(&folder)).any(private);
            assert!(kept, "{} can be reached", path.display());
        }
    }
}

/// A user with no folder of its own: larder's lie in the shared one.
struct Shared {
    uid: u32,
    programs: tempfile::TempDir,
    work: tempfile::TempDir,
}

impl Shared {
    fn new() -> Self {
        let folder = || tempfile::Builder::new().prefix("ld.").tempdir_in("/tmp").expect("a folder");
        let (programs, work) = (folder(), folder());
        std::fs::set_permissions(programs.path(), std::fs::Permissions::from_mode(0o755)).expect("ours");
        for name in ["larder", "larderd", "larder-broker"] {
            std::fs::copy(program(name), programs.path().join(name)).expect("a copy");
        }
        // Nobody has such a number, and no two tests the same.
        let uid = 1_900_000_000 + std::process::id();
        chown(work.path(), Some(uid), Some(uid)).expect("root may");
        std::fs::write(work.path().join("x.c"), "int x;\n").expect("ours");
        Self { uid, programs, work }
    }

    fn folders(&self) -> [PathBuf; 2] {
        [format!("/tmp/larder-{}", self.uid).into(), format!("/tmp/running-process-{}", self.uid).into()]
    }

    fn compile(&self) -> Output {
        let mut command = Command::new(self.programs.path().join("larder"));
        let home = self.work.path();
        command.args(["gcc", "-c", "x.c"]).current_dir(home).env("HOME", home).uid(self.uid).gid(self.uid);
        for name in
            ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"]
        {
            command.env_remove(name);
        }
        command.output().expect("larder starts")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let own = entry.metadata().is_ok_and(|metadata| metadata.uid() == self.uid);
            if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).filter(|_| own) {
                larder_tests::signal(pid, rustix::process::Signal::KILL);
            }
        }
        for folder in self.folders() {
            let _ = std::fs::remove_file(&folder).or_else(|_| std::fs::remove_dir_all(&folder));
        }
    }
}

#[test]
fn folders_that_another_user_has_planted_are_not_used() {
    if !is_root() {
        return;
    }
    let shared = Shared::new();
    let trap = tempfile::Builder::new().prefix("ld.").tempdir_in("/tmp").expect("a folder");
    std::fs::set_permissions(trap.path(), std::fs::Permissions::from_mode(0o777)).expect("ours");
    for folder in shared.folders() {
        for plant in ["a folder", "a link"] {
            if plant == "a link" {
                symlink(trap.path(), &folder).expect("root may");
                rustix::fs::chownat(
                    rustix::fs::CWD,
                    &folder,
                    Some(rustix::fs::Uid::from_raw(NOBODY)),
                    None,
                    rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
                )
                .expect("root may");
            } else {
                std::fs::DirBuilder::new().mode(0o777).create(&folder).expect("root may");
                std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).expect("ours");
                chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root may");
            }
            for _ in 0..2 {
                let output = shared.compile();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && said.lines().count() <= 1, "{plant}: {said}");
            }
            let planted = if plant == "a link" { trap.path() } else { &folder };
            assert_eq!(below(planted), Vec::<PathBuf>::new(), "{plant} at {}", folder.display());
            let removed = std::fs::remove_file(&folder).or_else(|_| std::fs::remove_dir_all(&folder));
            removed.expect("just made");
        }
    }
}

#[test]
fn a_projects_file_of_another_user_or_behind_his_folder_is_not_looked_at() {
    if !is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write_settled("project/sub/x.c", "int x;\n");
    sandbox.write_settled("project/.larder.toml", "disabled = true\n");
    let (folder, file) = (sandbox.work().join("project"), sandbox.work().join("project/.larder.toml"));
    let is_disabled = || {
        let mut get = sandbox.larder(["config", "get", "disabled"]);
        get.current_dir(folder.join("sub")).output().expect("larder starts").stdout == b"true\n"
    };
    assert!(is_disabled());
    for planted in [&file, &folder, &folder.join("sub")] {
        chown(planted, Some(NOBODY), None).expect("root may");
        assert!(!is_disabled(), "{}", planted.display());
        chown(planted, Some(0), None).expect("root may");
    }
    assert!(is_disabled());
}

#[test]
fn a_link_in_place_of_the_cache_or_of_a_file_in_it_leads_nowhere_else() {
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "char x[100000] = { 1 };\n");
    let victim = sandbox.root().join("victim");
    std::fs::write(&victim, "untouched").expect("ours");
    std::fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(sandbox.store().join("index"))
        .expect("ours");
    for name in ["index/lock", "index/opening", "index/larder.redb"] {
        symlink(&victim, sandbox.store().join(name)).expect("ours");
    }
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    assert_eq!(std::fs::read_to_string(&victim).expect("still there"), "untouched");
}

#[test]
fn a_blob_that_is_a_link_is_never_followed() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "char x[100000] = { 1 };\n");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    let secret = sandbox.root().join("secret");
    for blob in below(&sandbox.store().join("blobs")).into_iter().filter(|path| path.is_file()) {
        let size = usize::try_from(blob.metadata().expect("there").len()).expect("small");
        std::fs::write(&secret, vec![b's'; size]).expect("ours");
        std::fs::remove_file(&blob).expect("ours");
        symlink(&secret, &blob).expect("ours");
    }
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    assert_eq!(sandbox.last_reason(), "result_gone");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    assert_eq!(sandbox.last_reason(), "direct_hit");
}

#[test]
fn a_caller_in_another_namespace_or_root_compiles_by_itself() {
    if !is_root() {
        return;
    }
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    let larder = program("larder");
    let larder = larder.to_str().expect("plain");
    let root = sandbox.root().join("root");
    std::fs::create_dir(&root).expect("ours");
    let inside = format!(
        "mount --rbind / {root} && mount -t tmpfs tmpfs {root}/mnt && exec chroot {root} sh -c 'cd {work} && exec {larder} gcc -c x.c'",
        root = root.display(),
        work = sandbox.work().display()
    );
    let namespaces: [&[&str]; 3] = [
        &["-m", larder, "gcc", "-c", "x.c"],
        &["-p", "-f", larder, "gcc", "-c", "x.c"],
        &["-m", "sh", "-ec", &inside],
    ];
    for args in namespaces {
        let output = sandbox.command("unshare").args(args).output().expect("unshare starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.lines().count() <= 1, "{args:?}: {said}");
        assert_eq!(sandbox.counts().hits, 0, "{args:?}");
    }
}

#[test]
fn an_output_that_the_caller_may_not_write_is_not_written() {
    if !is_root() {
        return;
    }
    // The daemon belongs to the same user; what differs is what this caller may do.
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c", "-o", "x.o"]);
    let folder = sandbox.work().join("theirs");
    std::fs::DirBuilder::new().mode(0o700).create(&folder).expect("ours");
    chown(&folder, Some(NOBODY), Some(NOBODY)).expect("root may");
    let larder = program("larder");
    // Without the capabilities, root is a user like any other.
    let output = sandbox
        .command("setpriv")
        .args(["--bounding-set=-all", "--inh-caps=-all", "--securebits=+noroot,+noroot_locked"])
        .arg(larder)
        .args(["gcc", "-c", "x.c", "-o", "theirs/x.o"])
        .output()
        .expect("setpriv starts");
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(below(&folder), Vec::<PathBuf>::new());
}
