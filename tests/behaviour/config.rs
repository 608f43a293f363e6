//! `larder config`: what it says is what the daemon goes by.

use larder_tests::{Sandbox, processes_of, same_as_alone};

fn told(sandbox: &Sandbox, args: &[&str]) -> String {
    String::from_utf8(sandbox.run(args).stdout).expect("text")
}

#[test]
fn a_setting_that_is_written_is_what_the_next_daemon_goes_by() {
    let sandbox = Sandbox::new();
    let limit = || told(&sandbox, &["config", "get", "size_limit"]);
    assert_eq!(limit(), "10737418240\n");
    sandbox.run(&["config", "set", "size_limit", "20MiB"]);
    assert_eq!(limit(), "20MiB\n");
    assert_eq!(sandbox.start()["store"]["limit_bytes"], 20 << 20);
    let path = told(&sandbox, &["config", "path"]);
    let text = std::fs::read_to_string(path.trim()).expect("it was written");
    assert_eq!(text, "size_limit = \"20MiB\"\n");
    let listed: serde_json::Value =
        serde_json::from_str(&told(&sandbox, &["config", "list", "--json"])).expect("JSON");
    let origins: Vec<_> = listed["settings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|setting| (setting["name"].as_str().expect("text"), setting["origin"].as_str().expect("text")))
        .collect();
    assert!(origins.contains(&("size_limit", "file")) && origins.contains(&("memory_limit", "default")));
    let mut get = sandbox.larder(["config", "get", "size_limit"]);
    let over = get.env("LARDER_SIZE_LIMIT", "30MiB").output().expect("larder starts");
    assert_eq!(over.stdout, b"30MiB\n");
}

#[test]
fn what_is_no_setting_or_no_value_is_refused_with_a_hint() {
    let sandbox = Sandbox::new();
    let refused = |args: &[&str]| {
        let output = sandbox.larder(args.iter().copied()).output().expect("larder starts");
        assert!(!output.status.success(), "{args:?}");
        String::from_utf8(output.stderr).expect("text")
    };
    assert!(refused(&["config", "set", "size_limt", "1GiB"]).contains("size_limit"));
    assert!(refused(&["config", "set", "size_limit", "much"]).contains("hint: "));
    let path = told(&sandbox, &["config", "path"]);
    std::fs::create_dir_all(std::path::Path::new(path.trim()).parent().expect("a folder")).expect("ours");
    std::fs::write(path.trim(), "size_limit = [\n").expect("our own folder");
    assert!(refused(&["config", "list"]).contains("config.toml"));
    assert!(refused(&["config", "set", "memory_limit", "1GiB"]).contains("config.toml"));
}

/// A compile whose result shows its working folder, in `tree` below the work folder.
fn compile(sandbox: &Sandbox, tree: &str, env: &[(&str, &str)]) -> std::process::Output {
    let folder = sandbox.work().join(tree);
    let mut call = sandbox.larder(["gcc", "-g", "-c", "x.c", "-o", "x.o"]);
    call.current_dir(&folder).env("PWD", &folder).envs(env.iter().copied());
    let output = call.output().expect("larder starts");
    assert!(output.status.success(), "{output:?}");
    output
}

fn stderr(output: &std::process::Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("text")
}

#[test]
fn a_projects_file_makes_its_trees_share_and_the_variable_goes_over_it() {
    let sandbox = Sandbox::started();
    for tree in ["one", "another/tree"] {
        sandbox.write_settled(&format!("{tree}/x.c"), "int x;\n");
        sandbox.write_settled(&format!("{tree}/.larder.toml"), "portable = \".\"\n");
        sandbox.write_settled(&format!("{tree}/sub/y.c"), "int y;\n");
    }
    assert_eq!(stderr(&compile(&sandbox, "one", &[])), "");
    assert_eq!(sandbox.last_reason(), "first_seen");
    compile(&sandbox, "another/tree", &[]);
    assert_eq!(sandbox.last_reason(), "direct_hit");
    let objects = ["one", "another/tree"].map(|tree| std::fs::read(sandbox.work().join(tree).join("x.o")));
    let [one, other] = objects.map(|object| object.expect("it was written"));
    assert!(one == other, "they share one object");
    compile(&sandbox, "another/tree", &[("LARDER_PORTABLE", "0")]);
    assert_ne!(sandbox.last_reason(), "direct_hit", "the variable goes over the file");
    let listed = |folder: &str| -> serde_json::Value {
        let mut list = sandbox.larder(["config", "list", "--json"]);
        let output = list.current_dir(sandbox.work().join(folder)).output().expect("larder starts");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let origin = |listed: &serde_json::Value| {
        let all = listed["settings"].as_array().expect("a list").clone();
        all.into_iter().find(|setting| setting["name"] == "portable").expect("it is there")["origin"].clone()
    };
    let below = listed("one/sub");
    assert_eq!(origin(&below), "project");
    assert!(
        below["project_file"].as_str().is_some_and(|file| file.ends_with("w/one/.larder.toml")),
        "{below}"
    );
    assert_eq!(origin(&listed("another")), "default");
    sandbox.run(&["config", "set", "portable", "false"]);
    assert_eq!((origin(&listed("one")), origin(&listed("another"))), ("project".into(), "file".into()));
}

#[test]
fn what_a_project_may_not_set_is_ignored_and_named_with_file_and_line() {
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    sandbox.write_settled(".larder.toml", "\nsize_limit = 1\nportabel = true\n");
    assert_eq!(sandbox.start()["store"]["limit_bytes"], 10_u64 << 30);
    let first = compile(&sandbox, ".", &[]);
    assert_eq!(stderr(&first).lines().count(), 1, "{}", stderr(&first));
    assert!(stderr(&first).contains(".larder.toml: line 2: size_limit is not a project's to set"));
    assert_eq!(stderr(&compile(&sandbox, ".", &[])), "", "once a minute is enough");
    assert_eq!(sandbox.last_reason(), "direct_hit");
    let list = sandbox.run(&["config", "list"]);
    assert!(stderr(&list).contains("line 2: size_limit") && stderr(&list).contains("(hint: portable)"));
    let ignored: serde_json::Value =
        serde_json::from_str(&told(&sandbox, &["config", "list", "--json"])).expect("JSON");
    assert_eq!(ignored["ignored"].as_array().map(Vec::len), Some(2), "{ignored}");
}

#[test]
fn where_a_project_has_switched_larder_off_tools_run_and_nothing_is_started() {
    let sandbox = Sandbox::new();
    sandbox.write_settled("off/x.c", "int x;\n");
    sandbox.write_settled("off/.larder.toml", "disabled = true\n");
    let output = compile(&sandbox, "off", &[]);
    assert_eq!(stderr(&output), "");
    assert!(sandbox.work().join("off/x.o").is_file());
    assert_eq!(processes_of(&sandbox.runtime()), []);
    sandbox.start();
    compile(&sandbox, "off", &[]);
    assert_eq!(sandbox.stats()["records"], serde_json::json!([]));
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c", "-o", "x.o"]);
    assert_eq!(sandbox.last_reason(), "first_seen", "elsewhere it is on");
}
