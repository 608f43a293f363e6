//! `larder config`: what it says is what the daemon goes by.

use larder_tests::Sandbox;

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
