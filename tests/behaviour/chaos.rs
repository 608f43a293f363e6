//! Everything of larder's is killed, stopped and damaged at random while compilers run through it: each object must be
//! the compiler's own, and no call may fail. Long form: `cargo xtask chaos`.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use larder_tests::{Chance, Sandbox, alive, number, pass, signal, wait_until};
use rustix::process::Signal;

const FILES: usize = 8;
const AT_A_TIME: usize = 4;

/// What was done, for the report.
#[derive(Debug, Default)]
struct Tally {
    compiles: u64,
    killed_clients: u64,
    daemons: u64,
    orderly: u64,
    brokers: u64,
    stops: u64,
    damaged: u64,
    edits: u64,
}

#[test]
fn whatever_dies_or_breaks_every_object_is_the_compilers_own() {
    let mut chance = Chance::seeded(1);
    let limit = Duration::from_secs(number("LARDER_CHAOS_SECONDS").unwrap_or(6));
    let sandbox = Sandbox::started();
    let mut tally = Tally::default();
    for n in 0..FILES {
        // The second kind is too large to travel in an answer.
        let large =
            if n % 2 == 1 { format!("char large{n}[40000] = {{ 1, {n} }};\n") } else { String::new() };
        let text = format!("#include \"x.h\"\n{large}int f{n}(void) {{ return X + {n}; }}\n");
        sandbox.write(&format!("f{n}.c"), text);
    }
    let end = Instant::now() + limit;
    let mut edition = 0;
    while Instant::now() < end {
        if chance.below(3) == 0 || edition == 0 {
            // A few editions come back, so that there are hits.
            edition = 1 + chance.below(4);
            sandbox.write_settled("x.h", format!("#define X {edition}\n"));
            alone(&sandbox);
            tally.edits += 1;
        }
        round(&sandbox, &mut chance, &mut tally);
    }
    let stats = sandbox.start();
    let told = format!("{tally:?}\nstore: {}\n", stats["store"]);
    let _ = std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes());
    assert!(tally.compiles > 0);
    // When the storm is over, everything is as ever.
    for _ in 0..3 {
        let child = compile(&sandbox, 1);
        finish(&sandbox, 1, child);
    }
    assert_eq!(sandbox.last_reason(), "direct_hit", "{}", sandbox.log());
}

fn object(sandbox: &Sandbox, n: usize) -> PathBuf {
    sandbox.work().join(format!("f{n}.o"))
}

/// What the compiler makes of each file.
fn alone(sandbox: &Sandbox) {
    for n in 0..FILES {
        let mut gcc = sandbox.command("gcc");
        gcc.args(["-c", &format!("f{n}.c"), "-o", &format!("alone{n}.o")]);
        assert!(gcc.status().expect("gcc starts").success());
    }
}

fn compile(sandbox: &Sandbox, n: usize) -> Child {
    let _ = std::fs::remove_file(object(sandbox, n));
    let mut larder = sandbox.larder(["gcc", "-c", &format!("f{n}.c"), "-o", &format!("f{n}.o")]);
    larder.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("larder starts")
}

fn finish(sandbox: &Sandbox, n: usize, child: Child) {
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "file {n}: {stderr}\n{}", sandbox.log());
    assert!(stderr.lines().count() <= 1, "file {n}: {stderr}");
    let read = |name: String| std::fs::read(sandbox.work().join(name)).expect("an object");
    let (through, alone) = (read(format!("f{n}.o")), read(format!("alone{n}.o")));
    if through != alone {
        let place = through.iter().zip(&alone).position(|(one, other)| one != other);
        let records: Vec<_> = sandbox.stats()["records"].as_array().into_iter().flatten().cloned().collect();
        let about: Vec<_> =
            records.iter().filter(|record| record["source"] == format!("f{n}.c")).take(5).collect();
        panic!(
            "file {n}: {} bytes in place of {}, another one at {place:?}; its latest calls: {about:#?}\n{}",
            through.len(),
            alone.len(),
            sandbox.log()
        );
    }
}

fn round(sandbox: &Sandbox, chance: &mut Chance, tally: &mut Tally) {
    let first = chance.below(FILES);
    let mut running: Vec<_> =
        (first..first + AT_A_TIME).map(|n| n % FILES).map(|n| (n, compile(sandbox, n))).collect();
    pass(Duration::from_millis(chance.below(30) as u64));
    match chance.below(11) {
        0 | 1 => sandbox.pids("larderd").into_iter().for_each(|pid| {
            signal(pid, Signal::KILL);
            tally.daemons += 1;
        }),
        2 => sandbox.pids("larder-broker").into_iter().for_each(|pid| {
            signal(pid, Signal::KILL);
            tally.brokers += 1;
        }),
        3 => {
            // Whoever runs a build that is killed runs it again.
            let (n, mut child) = running.swap_remove(chance.below(AT_A_TIME));
            signal(child.id(), Signal::KILL);
            child.wait().expect("our child");
            tally.killed_clients += 1;
            // The compiler that it ran may live on and write the object.
            wait_until("the compilers to end", || compilers_are_gone(sandbox, &mut running).then_some(()));
            running.push((n, compile(sandbox, n)));
        }
        4 => sandbox.pids("larderd").into_iter().for_each(|pid| {
            signal(pid, Signal::STOP);
            pass(Duration::from_millis(chance.below(400) as u64));
            signal(pid, Signal::CONT);
            tally.stops += 1;
        }),
        5 => tally.damaged += damage_blobs(sandbox, chance),
        6 => tally.damaged += u64::from(damage_index(sandbox, chance)),
        // One that ends in an orderly way leaves what it knows to the next.
        7 | 8 => sandbox.pids("larderd").into_iter().for_each(|pid| {
            signal(pid, Signal::TERM);
            tally.orderly += 1;
        }),
        9 => tally.damaged += damage_notes(sandbox, chance),
        _ => {}
    }
    for (n, child) in running {
        finish(sandbox, n, child);
        tally.compiles += 1;
    }
}

/// Whether no compiler runs, nor a copy of a client that is about to become one.
fn compilers_are_gone(sandbox: &Sandbox, running: &mut [(usize, Child)]) -> bool {
    let over = running.iter_mut().all(|(_, child)| matches!(child.try_wait(), Ok(Some(_))));
    let compilers = larder_tests::processes_of(&sandbox.runtime());
    over && !compilers.iter().any(|(pid, name)| name != "larderd" && name != "larder-broker" && alive(*pid))
}

/// Damages one blob in three.
fn damage_blobs(sandbox: &Sandbox, chance: &mut Chance) -> u64 {
    let shelves = std::fs::read_dir(sandbox.store().join("blobs")).into_iter().flatten().flatten();
    let blobs = shelves.flat_map(|shelf| std::fs::read_dir(shelf.path()).into_iter().flatten().flatten());
    blobs.map(|blob| u64::from(chance.below(3) == 0 && damage(&blob.path(), chance))).sum()
}

/// Damages what the last daemon that ended in an orderly way has left to the next.
fn damage_notes(sandbox: &Sandbox, chance: &mut Chance) -> u64 {
    let notes = ["digests", "tools"].map(|name| sandbox.runtime().join("larder").join(name));
    notes.iter().map(|note| u64::from(damage(note, chance))).sum()
}

/// Cuts, changes or removes a file, if it is there.
fn damage(path: &Path, chance: &mut Chance) -> bool {
    let Ok(mut bytes) = std::fs::read(path) else { return false };
    let place = chance.below(bytes.len());
    match chance.below(3) {
        0 => return std::fs::remove_file(path).is_ok(),
        1 => bytes.truncate(place),
        _ => bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 0x10),
    }
    replace(path, &bytes);
    true
}

/// A blob in use is never rewritten by larder, and what a disk spoils is not what a client has open; so another file
/// takes its place.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("new");
    let _ = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
}

/// Cuts or changes the index of a daemon that has been killed.
fn damage_index(sandbox: &Sandbox, chance: &mut Chance) -> bool {
    for pid in sandbox.pids("larderd") {
        larder_tests::kill(pid);
    }
    let path = sandbox.store().join("index/larder.redb");
    let Ok(mut bytes) = std::fs::read(&path) else { return false };
    let place = chance.below(bytes.len());
    if chance.below(2) == 0 {
        bytes.truncate(place);
    } else {
        let end = bytes.len().min(place + 16);
        bytes[place..end].fill(0x55);
    }
    std::fs::write(&path, bytes).is_ok()
}
