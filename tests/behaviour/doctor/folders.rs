//! Larder's folders, its definition, and who else may reach them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use larder_tests::Sandbox;

use super::{command, doctor, fix, found, is_mended};

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("ours");
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_new_user_and_a_running_daemon_have_no_problem_and_looking_starts_nothing() {
    let sandbox = Sandbox::new();
    let found = doctor(&sandbox);
    found.is_otherwise_well(&[("broker", "socket", "note")]);
    assert!(sandbox.pids("larderd").is_empty() && !sandbox.store().exists(), "looking changes nothing");
    sandbox.start();
    doctor(&sandbox).is_otherwise_well(&[]);
}

#[test]
fn missing_folders_and_a_missing_definition_are_made_for_nobody_else() {
    let sandbox = Sandbox::new();
    let mended = fix(&sandbox);
    mended.is_otherwise_well(&[("broker", "socket", "note")]);
    for (name, path) in [("cache", sandbox.store()), ("state", sandbox.root().join("s/larder"))] {
        assert_eq!(mode(&path), 0o700);
        let done = &mended.one("larder", name)["done"][0];
        assert_eq!(done, &format!("made {}", path.display()));
    }
    assert_eq!(mode(&sandbox.runtime().join("larder")), 0o700);
    assert!(sandbox.definitions().join("larder.servicedef.v2").is_file());
    assert!(!sandbox.root().join("g/larder").exists(), "there are no settings");
    assert!(
        fix(&sandbox).checks.iter().all(|check| check["done"] == serde_json::json!([])),
        "once is enough"
    );
}

#[test]
fn folders_that_others_may_write_or_the_user_may_not_are_problems_that_are_mended() {
    let sandbox = Sandbox::started();
    for (name, path) in [
        ("cache", sandbox.store()),
        ("state", sandbox.root().join("s/larder")),
        ("runtime", sandbox.runtime().join("larder")),
    ] {
        for (wrong, state) in [(0o777, "problem"), (0o755, "note"), (0o500, "problem")] {
            allow(&path, wrong);
            doctor(&sandbox).is_otherwise_well(&[("larder", name, state)]);
            is_mended(&sandbox, "larder", name);
            assert_eq!(mode(&path), 0o700);
        }
    }
}

#[test]
fn sockets_that_others_may_reach_are_a_problem_that_is_mended() {
    let sandbox = Sandbox::started();
    let endpoint = sandbox.endpoint();
    let socket = Path::new(&endpoint);
    let folder = sandbox.runtime().join("running-process/broker-v2");
    for (path, wrong) in [(socket, 0o666), (socket.parent().expect("a folder"), 0o711), (&folder, 0o755)] {
        allow(path, wrong);
        let found = doctor(&sandbox);
        found.is_otherwise_well(&[("larder", "rights", "problem")]);
        assert!(
            found.one("larder", "rights")["found"].as_str().expect("text").contains(&*path.to_string_lossy())
        );
        is_mended(&sandbox, "larder", "rights");
        assert_eq!(mode(path) & 0o077, 0);
    }
}

#[test]
fn a_runtime_folder_in_which_others_may_replace_larders_is_told_and_left_to_its_owner() {
    let sandbox = Sandbox::started();
    allow(&sandbox.runtime(), 0o777);
    for found in [doctor(&sandbox), fix(&sandbox)] {
        found.is_otherwise_well(&[("larder", "rights", "problem")]);
    }
    assert_eq!(mode(&sandbox.runtime()), 0o777);
    // As in /tmp, nobody may touch what is another's.
    allow(&sandbox.runtime(), 0o1777);
    doctor(&sandbox).is_otherwise_well(&[]);
}

#[test]
fn what_is_in_a_folders_place_is_left_alone() {
    let sandbox = Sandbox::new();
    let state = sandbox.root().join("s/larder");
    fs::write(&state, "somebody's").expect("ours");
    for found in [doctor(&sandbox), fix(&sandbox)] {
        assert_eq!((found.state("larder", "state"), found.code), ("problem", Some(1)), "{:#?}", found.checks);
        assert!(found.one("larder", "state")["hint"].as_str().expect("text").contains("XDG_STATE_HOME"));
    }
    assert_eq!(fs::read(&state).expect("it is there"), b"somebody's");
}

#[test]
fn variables_that_lead_nowhere_are_told() {
    let sandbox = Sandbox::new();
    let found_with = |name: &str, value: &str| found(command(&sandbox, &[]).env(name, value));
    let relative = found_with("XDG_STATE_HOME", "here");
    assert_eq!((relative.state("larder", "variables"), relative.code), ("note", Some(0)));
    assert!(relative.one("larder", "variables")["found"].as_str().expect("text").contains("XDG_STATE_HOME"));
    let nowhere = found_with("XDG_CACHE_HOME", "/dev/null/x");
    assert_eq!((nowhere.state("larder", "cache"), nowhere.code), ("problem", Some(1)));
    let mut homeless = command(&sandbox, &[]);
    homeless.env("HOME", "relative").env_remove("XDG_CACHE_HOME");
    let homeless = found(&mut homeless);
    assert_eq!((homeless.state("larder", "cache"), homeless.code), ("problem", Some(1)));
    assert!(homeless.one("larder", "cache")["hint"].as_str().expect("text").contains("HOME"));
}

#[test]
fn a_damaged_definition_is_set_aside_and_written_again() {
    let sandbox = Sandbox::started();
    let file = sandbox.definitions().join("larder.servicedef.v2");
    let sound = fs::read(&file).expect("registered");
    for damaged in [&b"\xff\xff no definition"[..], b"", &sound[..sound.len() / 2]] {
        fs::write(&file, damaged).expect("ours");
        doctor(&sandbox).is_otherwise_well(&[("larder", "definition", "problem")]);
        is_mended(&sandbox, "larder", "definition");
        assert_eq!(fs::read(&file).expect("written again"), sound);
        assert_eq!(fs::read(file.with_extension("v2.broken")).expect("kept"), damaged);
    }
}

#[test]
fn a_definition_whose_daemon_is_gone_or_whose_folder_is_open_is_mended() {
    use prost::Message as _;
    use running_process::broker::protocol_v2::ServiceDefinition;
    let sandbox = Sandbox::started();
    let file = sandbox.definitions().join("larder.servicedef.v2");
    let sound = fs::read(&file).expect("registered");
    let mut definition = ServiceDefinition::decode(sound.as_slice()).expect("larder's own");
    let elsewhere = sandbox.root().join("larderd");
    definition.binary_path = elsewhere.to_string_lossy().into_owned();
    fs::write(&file, definition.encode_to_vec()).expect("ours");
    doctor(&sandbox).is_otherwise_well(&[("larder", "definition", "problem")]);
    fs::write(&elsewhere, "another installation's").expect("ours");
    doctor(&sandbox).is_otherwise_well(&[("larder", "definition", "note")]);
    is_mended(&sandbox, "larder", "definition");
    assert_eq!(fs::read(&file).expect("written again"), sound);
    allow(&sandbox.definitions(), 0o755);
    doctor(&sandbox).is_otherwise_well(&[("larder", "definition", "problem")]);
    is_mended(&sandbox, "larder", "definition");
    assert_eq!(mode(&sandbox.definitions()), 0o700);
}

#[test]
fn a_definition_of_another_program_is_left_alone() {
    use prost::Message as _;
    use running_process::broker::protocol_v2::ServiceDefinitionBuilder;
    let sandbox = Sandbox::started();
    let file = sandbox.definitions().join("larder.servicedef.v2");
    let foreign = ServiceDefinitionBuilder::shared_broker("larder", "/bin/true").build().encode_to_vec();
    fs::write(&file, &foreign).expect("ours");
    for found in [doctor(&sandbox), fix(&sandbox)] {
        assert_eq!((found.state("larder", "definition"), found.code), ("problem", Some(1)));
    }
    assert_eq!(fs::read(&file).expect("it is there"), foreign);
}
