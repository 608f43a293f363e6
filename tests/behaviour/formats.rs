//! What another version of larder has left: what is older is read or made anew, what is newer is left as it is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use larder_glue::layout::FORMAT;
use larder_service::{Digest, History};
use larder_tests::{Sandbox, Tree, same_as_alone};

const ARGV: [&str; 5] = ["gcc", "-c", "x.c", "-o", "x.o"];

/// What every kept store has under the key `golden`: a file of the name `kept`.
const KEPT: &[u8] = b"kept\n";

/// Puts a store that a larder of `version` made where `sandbox` has its own. The first version did not say which it is.
fn put_store(sandbox: &Sandbox, version: u32) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/store.v{version}"));
    let (digest, store) = (Digest::of(KEPT), sandbox.store());
    let shelf = store.join("blobs").join(&digest.hex()[..2]);
    for folder in [&shelf, &store.join("index")] {
        fs::create_dir_all(folder).expect("our own folder");
    }
    fs::copy(golden.join("index.redb"), store.join("index/larder.redb"))
        .expect("a store of each version is kept");
    let blob = shelf.join(format!("{}-{}", digest.hex(), digest.size));
    fs::write(&blob, KEPT).expect("our own folder");
    fs::set_permissions(&blob, Permissions::from_mode(0o444)).expect("our own file");
}

fn kept(sandbox: &Sandbox) -> Option<Vec<u8>> {
    let output = sandbox.larder(["store", "get", "golden"]).output().expect("larder starts");
    output.status.success().then_some(output.stdout)
}

fn warnings(sandbox: &Sandbox) -> String {
    sandbox.status().expect("it runs")["warnings"].to_string()
}

#[test]
fn a_store_of_each_version_up_to_this_one_is_opened_with_what_it_keeps() {
    for version in 1..=FORMAT {
        let sandbox = Sandbox::new();
        put_store(&sandbox, version);
        sandbox.start();
        assert_eq!(warnings(&sandbox), "[]", "version {version}");
        assert_eq!(kept(&sandbox).as_deref(), Some(KEPT), "version {version}\n{}", sandbox.log());
        let said = fs::read_to_string(sandbox.store().join("format")).expect("it is written down");
        assert_eq!(said, format!("{FORMAT}\n"));
    }
}

#[test]
fn a_store_of_a_newer_version_is_left_as_it_is_and_one_beside_it_is_used_and_found_again() {
    let sandbox = Sandbox::new();
    put_store(&sandbox, FORMAT);
    let format = sandbox.store().join("format");
    // A newer larder may say more there.
    fs::write(&format, format!("{} and more\n", FORMAT + 1)).expect("our own folder");
    let before = Tree::read(&sandbox.store());
    sandbox.write_settled("x.c", "int x;\n");
    sandbox.start();
    assert_eq!(kept(&sandbox), None, "what cannot be read is not believed");
    for reason in ["first_seen", "direct_hit"] {
        same_as_alone(&sandbox, &ARGV);
        assert_eq!(sandbox.last_reason(), reason, "{}", sandbox.log());
    }
    sandbox.run(&["restart"]);
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit", "it is the same one beside it");
    // What the daemon warns of is a problem to the doctor.
    let doctor = sandbox.larder(["doctor"]).output().expect("larder starts");
    assert_eq!(doctor.status.code(), Some(1));
    let doctor = String::from_utf8(doctor.stdout).expect("text");
    for said in [warnings(&sandbox), doctor, sandbox.log()] {
        assert!(said.contains("a newer larder") && said.contains("format1/v1"), "{said}");
    }
    sandbox.run(&["stop"]);
    assert!(Tree::read(&sandbox.store()) == before, "nothing was written there");
    // With the newer one's folder gone, all is as ever.
    fs::remove_dir_all(sandbox.store()).expect("ours");
    put_store(&sandbox, FORMAT);
    sandbox.start();
    assert_eq!(kept(&sandbox).as_deref(), Some(KEPT));
    assert_eq!(warnings(&sandbox), "[]");
}

#[test]
fn statistics_by_day_of_a_newer_version_are_left_as_they_are_and_others_begin_beside_them() {
    let sandbox = Sandbox::new();
    let folder = sandbox.root().join("s/larder");
    fs::create_dir(&folder).expect("our own folder");
    let newer = [History::VERSION + 1, 7, 7];
    fs::write(folder.join("days"), newer).expect("our own folder");
    sandbox.write_settled("x.c", "int x;\n");
    for _ in 0..2 {
        sandbox.start();
        assert!(warnings(&sandbox).contains("another version"), "{}", warnings(&sandbox));
        same_as_alone(&sandbox, &ARGV);
        sandbox.run(&["stop"]);
    }
    assert_eq!(fs::read(folder.join("days")).expect("it is left"), newer);
    let own = fs::read(folder.join(format!("days.v{}", History::VERSION))).expect("they are kept");
    let days = History::decode(&own).expect("of this version").days();
    assert_eq!(
        days.iter().map(|day| (day.misses, day.hits)).reduce(|a, b| (a.0 + b.0, a.1 + b.1)),
        Some((1, 1))
    );
}

#[test]
fn work_whose_state_another_version_has_written_is_due() {
    for alone in ["0", "1"] {
        let sandbox = Sandbox::started();
        sandbox.write("tree/a", "a");
        sandbox.settle();
        let fingerprint = |args: &[&str]| {
            let mut call = sandbox.larder(["fingerprint"].iter().chain(args).chain(&["--cache", "state"]));
            call.env("RUNNING_PROCESS_DISABLE", alone).output().expect("larder starts").status.code()
        };
        let check = ["check", "--root", "tree"];
        assert_eq!(
            (fingerprint(&check), fingerprint(&["success"]), fingerprint(&check)),
            (Some(1), Some(0), Some(0))
        );
        let state = sandbox.work().join("state");
        let written = fs::read(&state).expect("it is kept");
        let version = written.iter().position(|byte| *byte == b'\n').expect("a line says what it is") + 1;
        for change in [u8::wrapping_sub, u8::wrapping_add] {
            let mut other = written.clone();
            other[version] = change(other[version], 1);
            fs::write(&state, other).expect("our own file");
            assert_eq!(fingerprint(&check), Some(1), "alone: {alone}");
        }
        fs::write(&state, &written).expect("our own file");
        assert_eq!(fingerprint(&check), Some(0), "nothing has changed but that");
    }
}
