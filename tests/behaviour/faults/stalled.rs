//! A disk of the cache's that takes nothing, and says nothing either.

use larder_tests::Sandbox;

/// What each script begins with: a file system of its own for the cache, whose writers `freeze` stops in the kernel until
/// `thaw`. However the script ends, and if it never does, they go on: nobody could end them otherwise.
const DISK: &str = "truncate -s 64m disk; mkfs.ext4 -q disk
    mount -o loop disk \"$XDG_CACHE_HOME\"; chmod 700 \"$XDG_CACHE_HOME\"
    thaw() { fsfreeze -u \"$XDG_CACHE_HOME\" 2>/dev/null || true; }
    freeze() { sync; fsfreeze -f \"$XDG_CACHE_HOME\"; : >frozen; }
    trap 'thaw; kill $watch 2>/dev/null || true' EXIT
    (for n in $(seq 100); do sleep 1; test -d /proc/$$ || break; done; rm -f frozen; thaw) >/dev/null 2>&1 &
    watch=$!
    known() { \"$LARDER\" gcc -c $1.c -o $1.o; cmp $1.o $1.alone.o; }
    reason() { \"$LARDER\" stats --json --records 1 | tr -d ' \\n' | sed 's/.*\"records\":\\[{//' | grep -o '\"reason\":\"[a-z_]*\"'; }
    ";

/// Runs `script` with such a disk, and gives what it printed; `None` where nothing may be mounted.
fn with_disk(sandbox: &Sandbox, script: &str) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    for name in ["x", "y", "z"] {
        sandbox.write(&format!("{name}.c"), format!("char {name}[9999] = {{ 1 }};\n"));
        let mut gcc = sandbox.command("gcc");
        gcc.args(["-c", &format!("{name}.c"), "-o", &format!("{name}.alone.o")]);
        assert!(gcc.status().expect("gcc starts").success());
    }
    sandbox.settle();
    let output = sandbox
        .shell_with_mounts(&format!("{DISK}{script}"))
        .output()
        .expect("unshare is part of every Linux");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.lines().count() <= 1, "{said}\n{}", sandbox.log());
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn compiles_go_on_without_a_disk_that_takes_nothing_and_with_it_when_it_does_again() {
    let sandbox = Sandbox::new();
    let Some(said) = with_disk(
        &sandbox,
        "\"$LARDER\" start >/dev/null
        known x; known x; reason
        freeze
        known y; reason; known z; known y
        test -f frozen; thaw; rm frozen
        known y; known y; reason",
    ) else {
        return;
    };
    let reasons: Vec<_> = said.lines().collect();
    assert_eq!(
        reasons,
        ["\"reason\":\"direct_hit\"", "\"reason\":\"store_failed\"", "\"reason\":\"direct_hit\""]
    );
}

#[test]
fn what_is_known_is_found_and_every_other_kind_of_call_goes_on_too() {
    let sandbox = Sandbox::new();
    sandbox.write("tree/a", "a");
    let Some(said) = with_disk(
        &sandbox,
        "\"$LARDER\" start >/dev/null
        known x
        freeze
        known x; reason
        \"$LARDER\" run --input y.c --output made -- cp y.c made; cmp y.c made
        code=0; \"$LARDER\" fingerprint check --cache state --root tree 2>&1 || code=$?; echo $code
        code=0; \"$LARDER\" store put k x.c 2>&1 || code=$?; echo $code
        test -f frozen; thaw; rm frozen
        \"$LARDER\" store put k x.c >/dev/null; \"$LARDER\" store has k",
    ) else {
        return;
    };
    let mut said = said.lines();
    let mut next = || said.next().unwrap_or_default();
    assert_eq!(next(), "\"reason\":\"direct_hit\"");
    // Without the daemon, as one line says.
    assert!(next().contains("does not answer"));
    assert_eq!([next(), next(), next()], ["due: no success was marked before", "added: a", "1"]);
    assert!(next().contains("does not answer"));
    assert_eq!([next(), next(), next()], ["hint: larder doctor", "2", ""]);
}
