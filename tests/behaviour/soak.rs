//! Many clients of every kind at once, for long: nothing fails, and the daemon's memory stays where it was. Long form:
//! `cargo xtask soak`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use larder_tests::{Chance, GoAdapter, Sandbox, alive, number, pass, rust_tool};

/// Most memory that the daemon may come to hold, beyond `memory_limit`, KiB.
const MEMORY: u64 = 192 << 10;

/// `memory_limit` in this test, KiB.
const MEMORY_LIMIT: u64 = 16 << 10;

/// Sources of each kind. Most calls are hits, some are not.
const SOURCES: usize = 40;

/// Times of each kind of request, microseconds.
type Times = Mutex<BTreeMap<&'static str, Vec<u64>>>;

#[test]
fn many_clients_of_every_kind_are_served_without_an_error_and_memory_is_bounded() {
    let limit = Duration::from_secs(number("LARDER_SOAK_SECONDS").unwrap_or(6));
    let clients = usize::try_from(number("LARDER_SOAK_CLIENTS").unwrap_or(64)).expect("a few");
    let mut chance = Chance::seeded(1);
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.root().join("g/larder")).expect("our own folder");
    let settings = format!("memory_limit = {}\nsize_limit = \"64MiB\"\n", MEMORY_LIMIT << 10);
    std::fs::write(sandbox.root().join("g/larder/config.toml"), settings).expect("our own folder");
    sandbox.start();
    let daemon = sandbox.pid("larderd");
    for n in 0..SOURCES {
        sandbox.write(&format!("c{n}.c"), format!("char large{n}[{}] = {{ 1, {n} }};\n", 100 + n * n * 100));
        sandbox.write(&format!("r{n}.rs"), format!("pub fn f{n}() -> u32 {{ {n} }}\n"));
    }
    sandbox.settle();
    let times = Times::default();
    let end = Instant::now() + limit;
    let mut memory = vec![resident(daemon)];
    std::thread::scope(|scope| {
        for client in 0..clients {
            let (sandbox, times) = (&sandbox, &times);
            let mut chance = Chance::following(&mut chance);
            scope.spawn(move || {
                if client % 8 == 7 {
                    go(sandbox, &mut chance, times, end);
                } else {
                    while Instant::now() < end {
                        compile(sandbox, client, &mut chance, times);
                    }
                }
            });
        }
        while Instant::now() < end {
            pass((limit / 20).min(end.saturating_duration_since(Instant::now())));
            memory.push(resident(daemon));
        }
    });
    report(&sandbox, &times.into_inner().expect("no panic"), &memory);
    assert!(alive(daemon), "it is the same daemon all the time");
    let counts = sandbox.counts();
    assert_eq!(counts.errors, 0, "{}\n{}", sandbox.stats()["services"], sandbox.log());
    assert!(counts.hits > 0, "{counts:?}");
    let most = memory.iter().max().copied().unwrap_or(0);
    assert!(most < MEMORY + MEMORY_LIMIT, "{most} KiB of {memory:?}");
    let usage = sandbox.status().expect("it runs");
    assert!(usage["store"]["bytes"].as_u64().expect("a size") <= 64 << 20, "{usage}");
}

fn compile(sandbox: &Sandbox, client: usize, chance: &mut Chance, times: &Times) {
    let n = chance.below(SOURCES);
    let kind = if chance.below(4) == 0 { "rust" } else { "c" };
    let folder: PathBuf = sandbox.work().join(format!("out{client}"));
    std::fs::create_dir_all(&folder).expect("our own folder");
    let mut command = if kind == "c" {
        let mut command = sandbox.larder(["gcc", "-c", &format!("c{n}.c"), "-o"]);
        command.arg(folder.join("x.o"));
        // One call in ten is another one.
        if chance.below(10) == 0 {
            command.arg(format!("-DN={}", chance.below(1000)));
        }
        command
    } else {
        let mut command = sandbox.larder([rust_tool("rustc")]);
        command.args(["--crate-name", &format!("r{n}"), "--crate-type=lib", "--emit=metadata,dep-info"]);
        command.arg(format!("r{n}.rs")).arg("--out-dir").arg(folder);
        command
    };
    let begun = Instant::now();
    let output = command.output().expect("larder starts");
    note(times, kind, begun);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{command:?}: {said}\n{}", sandbox.log());
}

fn go(sandbox: &Sandbox, chance: &mut Chance, times: &Times, end: Instant) {
    while Instant::now() < end {
        let mut adapter = GoAdapter::start(sandbox);
        for _ in 0..100 {
            let n = chance.below(SOURCES);
            let (name, body) = (format!("action {n}"), vec![7; 100 + n * 1000]);
            let begun = Instant::now();
            if chance.below(4) == 0 {
                adapter.put_well(&name, &body);
                note(times, "go put", begun);
            } else {
                adapter.get(&name);
                note(times, "go get", begun);
            }
            if Instant::now() >= end {
                break;
            }
        }
        adapter.close();
    }
}

fn note(times: &Times, kind: &'static str, begun: Instant) {
    let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    times.lock().expect("no panic").entry(kind).or_default().push(took);
}

/// KiB that the process has in memory.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn report(sandbox: &Sandbox, times: &BTreeMap<&str, Vec<u64>>, memory: &[u64]) {
    let mut text = String::from("request       count    p50 us    p99 us    max us\n");
    for (kind, times) in times {
        let mut times = times.clone();
        times.sort_unstable();
        let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
        text += &format!("{kind:<8}{:>11}{:>10}{:>10}{:>10}\n", times.len(), at(50), at(99), at(100));
    }
    text += &format!("memory KiB  {memory:?}\n{:?}\n", sandbox.counts());
    let reasons = &sandbox.service("compile")["reasons"];
    text += &format!("{reasons}\n");
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
}
