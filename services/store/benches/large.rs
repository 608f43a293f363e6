//! What a store costs when it is large, beside a small one: `cargo bench -p larder-store --bench large -- 1000000`.
//!
//! The number is that of action results; there are twice as many blobs, each a file. The figures are for people and for
//! `cargo xtask bench`; nothing here passes or fails.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use larder_service::{Digest, Hasher, Key, SystemClock};
use larder_store::{ActionResult, OutputBlob, Owner, Store, StoreConfig};

/// Results that are stored together.
const BATCH: u64 = 5_000;

/// Of the small store.
const FEW: u64 = 100;

/// Between two lookups while much is evicted: 32 clients at once make fewer hits than that.
const BETWEEN: Duration = Duration::from_micros(300);

/// Lookups that are timed.
const LOOKUPS: u64 = 20_000;

/// The word before a folder and a number, for a process that only fills.
const FILL: &str = "--fill";

const OWNER: Owner = Owner::new("bench");

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [word, root, actions] = &args[..]
        && word == FILL
    {
        return fill(Path::new(root), actions.parse()?);
    }
    let actions = args.iter().find_map(|word| word.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir()?;
    let small = measure(&folder.path().join("small"), FEW)?;
    let large = measure(&folder.path().join("large"), actions)?;
    let mut out = std::io::stdout();
    writeln!(out, "{:<44}{FEW:>12}{actions:>12}", "results")?;
    for (title, value) in [
        ("to store them, s", (|of: &Figures| of.filled.as_secs_f64()) as fn(&Figures) -> f64),
        ("to open, ms", |of| of.opened.as_secs_f64() * 1e3),
        ("to open after a crash, ms", |of| of.crashed.as_secs_f64() * 1e3),
        ("resident memory, open, MB", |of| of.resident_mb),
        ("the same in the end, MB", |of| of.resident_end_mb),
        ("a lookup, median, µs", |of| of.median.as_secs_f64() * 1e6),
        ("a lookup, 99th percentile, µs", |of| of.tail.as_secs_f64() * 1e6),
        ("a lookup that reads and proves, median, µs", |of| of.first.as_secs_f64() * 1e6),
        ("to evict a tenth, ms", |of| of.evicted.as_secs_f64() * 1e3),
        ("the longest lookup meanwhile, ms", |of| of.longest.as_secs_f64() * 1e3),
    ] {
        writeln!(out, "{title:<44}{:>12.1}{:>12.1}", value(&small), value(&large))?;
    }
    Ok(())
}

struct Figures {
    filled: Duration,
    opened: Duration,
    crashed: Duration,
    resident_mb: f64,
    resident_end_mb: f64,
    median: Duration,
    tail: Duration,
    first: Duration,
    evicted: Duration,
    longest: Duration,
}

fn measure(root: &Path, actions: u64) -> Result<Figures, Box<dyn Error>> {
    let start = Instant::now();
    let filled = Command::new(std::env::current_exe()?)
        .args([FILL.as_ref(), root.as_os_str()])
        .arg(actions.to_string())
        .status()?;
    if !filled.success() {
        return Err("filling the store failed".into());
    }
    let filled = start.elapsed();

    let start = Instant::now();
    let store = open(root, u64::MAX)?;
    let opened = start.elapsed();
    let held = store.usage().bytes;
    let resident_mb = resident_mb()?;
    // The first look at each proves its blobs: that is the price of a restart, and not of a lookup.
    let numbers =
        |seed: u64| (0..LOOKUPS.min(actions * 4)).map(move |at| scattered(at ^ seed) % actions.min(2_000));
    for number in numbers(0) {
        look(&store, number)?;
    }
    let mut times = Vec::new();
    for number in numbers(1) {
        times.push(look(&store, number)?);
    }
    times.sort_unstable();
    let mut first_times = Vec::new();
    for number in (2_000..actions).take(2_000).map(scattered) {
        first_times.push(look(&store, number % actions)?);
    }
    first_times.sort_unstable();
    let first = first_times.get(first_times.len() / 2).copied().unwrap_or_default();
    drop(store);
    // Not closed, as after a crash.
    let start = Instant::now();
    drop(open(root, held)?);
    let crashed = start.elapsed();

    // A limit that makes nine tenths of what is held too much, by a little.
    let store = open(root, held - 1)?;
    let done = AtomicBool::new(false);
    let (evicted, longest) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            for number in (0..).map(scattered) {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                // What was evicted is no result, and takes its time like others.
                let start = Instant::now();
                let _ = store.action(&key(number % actions));
                longest = longest.max(start.elapsed());
                std::thread::sleep(BETWEEN);
            }
            longest
        });
        let start = Instant::now();
        let evicted = store.evict_if_needed();
        done.store(true, Ordering::Relaxed);
        let took = start.elapsed();
        evicted.map(|_| (took, looking.join().unwrap_or_default()))
    })?;
    let resident_end_mb = self::resident_mb()?;
    drop(store);
    fs::remove_dir_all(root)?;
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    Ok(Figures {
        filled,
        opened,
        crashed,
        resident_mb,
        resident_end_mb,
        median: at(50),
        tail: at(99),
        first,
        evicted,
        longest,
    })
}

/// Fills the store, in a process of its own: what that takes in memory is not what an open one takes.
fn fill(root: &Path, actions: u64) -> Result<(), Box<dyn Error>> {
    let store = open(root, u64::MAX)?;
    for from in (0..actions).step_by(usize::try_from(BATCH)?) {
        let results =
            (from..actions.min(from + BATCH)).map(|number| Ok((key(number), result(&store, number)?)));
        store.put_actions(OWNER, &results.collect::<Result<Vec<_>, Box<dyn Error>>>()?)?;
        // As the daemon does, about once a second.
        store.flush()?;
    }
    Ok(store.close()?)
}

fn open(root: &Path, limit_bytes: u64) -> Result<Store, Box<dyn Error>> {
    let memory_bytes = 16 << 20;
    let config =
        StoreConfig { root: root.to_owned(), limit_bytes, memory_bytes, clock: Arc::new(SystemClock) };
    Ok(Store::open(config)?.0)
}

fn result(store: &Store, number: u64) -> Result<ActionResult, Box<dyn Error>> {
    let output = |name: &str| -> Result<OutputBlob, Box<dyn Error>> {
        let digest: Digest = store.put_bytes(format!("{name} {number}").as_bytes())?;
        Ok(OutputBlob { name: name.to_owned(), digest, mode: 0o644 })
    };
    Ok(ActionResult {
        outputs: vec![output("object")?, output("depfile")?],
        stdout: Vec::new(),
        stderr: Vec::new(),
        exit_code: 0,
        tool_us: 1,
        created_unix_ms: 1,
    })
}

/// What a hit asks the store for.
fn look(store: &Store, number: u64) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    let result = store.action(&key(number))?.ok_or("a result is missing")?;
    for output in &result.outputs {
        store.read_blob(&output.digest, 1 << 16)?.ok_or("a blob is missing")?;
    }
    Ok(start.elapsed())
}

fn key(number: u64) -> Key {
    let mut hasher = Hasher::key("bench");
    hasher.field("number", &number.to_le_bytes());
    hasher.finish_key()
}

/// Numbers in no order, always the same: the multiplier is that of Knuth's multiplicative hashing.
fn scattered(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
}

/// Megabytes of this process that are in memory.
fn resident_mb() -> Result<f64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes / 1e3)
}
