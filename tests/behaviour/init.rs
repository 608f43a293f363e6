//! `larder init`: what it sets up, and that all of it can be taken back.

use std::path::PathBuf;

use larder_tests::{Cargo, Sandbox, program, succeed};

struct User {
    sandbox: Sandbox,
}

impl User {
    fn new() -> Self {
        Self { sandbox: Sandbox::new() }
    }

    fn home(&self) -> PathBuf {
        self.sandbox.root().join("h")
    }

    /// `larder init` with `args`: its exit code and all that it said.
    fn init(&self, args: &[&str]) -> (i32, String) {
        let mut command = self.sandbox.larder([&["init"], args].concat());
        command.env("SHELL", "/bin/bash").env("CARGO_HOME", self.home().join("cargo"));
        let output = command.output().expect("larder starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().expect("it ends by itself"), String::from_utf8(said).expect("text"))
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.home().join(name)).unwrap_or_default()
    }
}

#[test]
fn a_user_is_shown_the_plan_set_up_and_put_back() {
    let user = User::new();
    let (rc, config) = ("alias a=b\n", "# mine\n[build]\njobs = 2\n");
    std::fs::write(user.home().join(".bashrc"), rc).expect("our own folder");
    std::fs::create_dir(user.home().join("cargo")).expect("our own folder");
    std::fs::write(user.home().join("cargo/config.toml"), config).expect("our own folder");

    let (code, said) = user.init(&["--check"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("rustc-wrapper") && said.contains("GOCACHEPROG"), "{said}");
    let (code, said) = user.init(&[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("hint: larder init --yes"), "{said}");
    assert_eq!((user.read(".bashrc").as_str(), user.read("cargo/config.toml").as_str()), (rc, config));

    let (code, said) = user.init(&["--yes"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(user.init(&["--check"]).0, 0);
    let shell = |value: Option<&str>| {
        let mut bash = user.sandbox.command("bash");
        bash.args(["-c", ". ~/.bashrc; echo \"$GOCACHEPROG\""]).env_remove("GOCACHEPROG");
        bash.envs(value.map(|value| ("GOCACHEPROG", value)));
        String::from_utf8(succeed(&mut bash).stdout).expect("text")
    };
    assert_eq!(shell(None), format!("{} go\n", program("larder").display()));
    assert_eq!(shell(Some("other")), "other\n", "what is set stays");
    assert_eq!(shell(Some("")), "\n", "also to nothing");

    // What is written beside it in between stays.
    std::fs::write(user.home().join(".bashrc"), user.read(".bashrc") + "alias c=d\n").expect("our own");
    let (code, said) = user.init(&["--undo", "--yes"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(user.read(".bashrc"), "alias a=b\nalias c=d\n");
    assert_eq!(user.read("cargo/config.toml"), config);
    let (code, said) = user.init(&["--undo", "--check"]);
    assert_eq!((code, said.as_str()), (0, "nothing is left to take back\n"));
}

#[test]
fn what_was_not_there_before_is_gone_afterwards() {
    let user = User::new();
    assert_eq!(user.init(&["--yes"]).0, 0);
    assert!(user.read("cargo/config.toml").contains(program("larder").to_str().expect("text")));
    assert_eq!(user.init(&["--undo", "--yes"]).0, 0);
    assert!(!user.home().join(".bashrc").exists() && !user.home().join("cargo/config.toml").exists());
}

#[test]
fn another_wrapper_and_a_broken_file_are_left_alone() {
    let user = User::new();
    std::fs::create_dir(user.home().join("cargo")).expect("our own folder");
    let file = user.home().join("cargo/config.toml");
    let other = "build.rustc-wrapper = \"sccache\"\n";
    std::fs::write(&file, other).expect("our own folder");
    let (code, said) = user.init(&["--yes"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("sccache"), "{said}");
    assert_eq!(user.read("cargo/config.toml"), other);
    std::fs::write(&file, "[build\n").expect("our own folder");
    let before = user.read(".bashrc");
    let (code, said) = user.init(&["--undo", "--yes"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("config.toml"), "{said}");
    assert_eq!(user.read(".bashrc"), before, "nothing is done by halves");
}

#[test]
fn a_project_is_built_through_larder() {
    let user = User::new();
    let folder = user.sandbox.work().join("p");
    let init = |args: &[&str]| {
        user.sandbox.larder([&["init", "--project", "--yes"], args].concat()).current_dir(&folder).output()
    };
    std::fs::create_dir(&folder).expect("our own folder");
    let said = init(&[]).expect("larder starts");
    assert!(String::from_utf8_lossy(&said.stderr).contains("Cargo.toml"), "{said:?}");
    user.sandbox.write("p/Cargo.toml", "[package]\nname = \"p\"\nversion = \"1.0.0\"\nedition = \"2024\"\n");
    user.sandbox.write("p/src/lib.rs", "pub fn f() {}\n");
    assert!(init(&[]).expect("larder starts").status.success());
    user.sandbox.start();
    let folders = program("larder").parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(folders).chain(std::env::split_paths(&path)));
    let cargo = Cargo::new(&user.sandbox, &folder, &folder.join("target"));
    let mut build = cargo.command(&["build"]);
    succeed(build.env("PATH", path.expect("a path")).env_remove("CARGO_INCREMENTAL"));
    assert_eq!(user.sandbox.last_reason(), "first_seen");
    assert!(init(&["--undo"]).expect("larder starts").status.success());
    assert!(!folder.join(".cargo/config.toml").exists());
}

#[test]
fn shells_get_completions() {
    let sandbox = Sandbox::new();
    for (shell, sign) in [("bash", "complete -F"), ("zsh", "#compdef larder"), ("fish", "complete -c larder")]
    {
        let text = String::from_utf8(sandbox.run(&["completions", shell]).stdout).expect("text");
        assert!(text.contains(sign) && text.contains("explain"), "{shell}: {text}");
    }
    let read = sandbox.work().join("larder.bash");
    std::fs::write(&read, sandbox.run(&["completions", "bash"]).stdout).expect("our own folder");
    let script = ". ./larder.bash; COMP_WORDS=(larder expl); COMP_CWORD=1; _larder larder expl larder; echo ${COMPREPLY[@]}";
    let completed = succeed(sandbox.command("bash").args(["-c", script])).stdout;
    assert_eq!(String::from_utf8_lossy(&completed), "explain\n");
}

#[test]
fn what_fingers_know_from_other_caches_is_understood() {
    let sandbox = Sandbox::started();
    for words in ["-s", "--show-stats"] {
        assert!(String::from_utf8_lossy(&sandbox.run(&[words]).stdout).contains("counted since"), "{words}");
    }
    let pid = sandbox.pid("larderd");
    sandbox.run(&["--stop-server"]);
    assert!(!larder_tests::alive(pid));
}
