//! The phases of a lookup in the daemon, and all of it: `cargo bench -p larder-bench --bench daemon`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use larder_bench::call::{self, RUSTC};
use larder_bench::daemon::Daemon;
use larder_compile::args::{self, Family};
use larder_compile::benching;

fn main() -> larder_bench::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = larder_bench::folder()?;
    let daemon = Daemon::new(folder.path())?;
    // From now on everything that a hit leaves behind is there.
    daemon.hit()?;
    let known = daemon.known()?;

    let gcc = call::bytes(&call::ARGS);
    criterion.bench_function("parse/gcc", |bencher| {
        bencher.iter(|| args::parse(Family::Gcc, black_box(&gcc)).is_ok());
    });
    let rustc = call::bytes(&RUSTC);
    criterion.bench_function("parse/rustc", |bencher| {
        bencher.iter(|| benching::parses_rustc(black_box(&rustc)));
    });
    criterion.bench_function("key", |bencher| bencher.iter(|| known.key()));
    criterion.bench_function("validate/with proof", |bencher| bencher.iter(|| known.holds()));
    criterion.bench_function("validate/without proof", |bencher| {
        bencher.iter_batched(|| known.forget_proof(), |()| known.holds(), BatchSize::PerIteration);
    });
    criterion.bench_function("lookup/hit", |bencher| bencher.iter(|| daemon.serve()));
    criterion.final_summary();
    Ok(())
}
