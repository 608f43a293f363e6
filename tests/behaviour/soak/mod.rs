//! Many clients of every kind at once, for long: nothing fails, everything is right, and the daemon's memory stays where
//! it was. Long form: `cargo xtask soak`.

mod clients;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use larder_service::{Outcome, Reason};
use larder_tests::{Chance, Sandbox, alive, number, pass};

use clients::{Client, KINDS, Times};

/// Most memory that the daemon may come to hold, beyond `memory_limit`, KiB.
const MEMORY: u64 = 192 << 10;

/// `memory_limit` in this test, KiB.
const MEMORY_LIMIT: u64 = 16 << 10;

/// Ways to let a request pass by that only a daemon in distress takes.
const DISTRESS: [Reason; 4] = [Reason::LeaseLost, Reason::StartingUp, Reason::Overloaded, Reason::Draining];

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
    clients::sources(&sandbox);
    let times = Times::default();
    let end = Instant::now() + limit;
    let mut memory = vec![resident(daemon)];
    std::thread::scope(|scope| {
        for number in 0..clients {
            let chance = Chance::following(&mut chance);
            let client = Client { sandbox: &sandbox, number, chance, times: &times, end };
            scope.spawn(move || client.live());
        }
        while Instant::now() < end {
            pass((limit / 20).min(end.saturating_duration_since(Instant::now())));
            memory.push(resident(daemon));
        }
    });
    let times = times.into_inner().expect("no panic");
    report(&sandbox, &times, &memory);
    assert!(alive(daemon), "it is the same daemon all the time");
    if clients >= 8 {
        let missing: Vec<_> = KINDS.iter().filter(|kind| !times.contains_key(*kind)).collect();
        assert!(missing.is_empty(), "never asked: {missing:?}");
    }
    let reasons = reasons(&sandbox);
    for reason in Reason::ALL {
        let wrong = reason.outcome() == Outcome::Error || DISTRESS.contains(reason);
        assert!(!wrong || !reasons.contains_key(reason.id()), "{reasons:?}\n{}", sandbox.log());
    }
    assert!(sandbox.counts().hits > 0, "{reasons:?}");
    let most = memory.iter().max().copied().unwrap_or(0);
    assert!(most < MEMORY + MEMORY_LIMIT, "{most} KiB of {memory:?}");
    let usage = sandbox.status().expect("it runs");
    assert!(usage["store"]["bytes"].as_u64().expect("a size") <= 64 << 20, "{usage}");
}

/// How often each reason was given, by all services.
fn reasons(sandbox: &Sandbox) -> BTreeMap<String, u64> {
    let stats = sandbox.stats();
    let services = stats["services"].as_array().expect("services");
    let mut all = BTreeMap::new();
    for reason in services.iter().flat_map(|service| service["reasons"].as_array().expect("reasons")) {
        let id = reason["id"].as_str().expect("an id").to_owned();
        *all.entry(id).or_default() += reason["count"].as_u64().expect("a count");
    }
    all.retain(|_, count| *count > 0);
    all
}

/// KiB that the process has in memory.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn report(sandbox: &Sandbox, times: &BTreeMap<&str, Vec<u64>>, memory: &[u64]) {
    let mut text = String::from("request                count    p50 us    p99 us    max us\n");
    for (kind, times) in times {
        let mut times = times.clone();
        times.sort_unstable();
        let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
        text += &format!("{kind:<18}{:>10}{:>10}{:>10}{:>10}\n", times.len(), at(50), at(99), at(100));
    }
    text += &format!("memory KiB  {memory:?}\n{:?}\n", reasons(sandbox));
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
}
