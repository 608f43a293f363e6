//! What the client does for a hit: `cargo bench -p larder-bench --bench client`.

use std::hint::black_box;
use std::path::Path;

use criterion::Criterion;
use larder_bench::call::Place;
use larder_bench::client;
use larder_client::benching;

fn main() -> larder_bench::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let folder = larder_bench::folder()?;
    let root = folder.path();
    let place = Place::lay_out(root)?;
    place.compile()?;
    let build = place.work.join("build");
    let blob = root.join("blob");
    for (size, bytes) in [("40 kB", 40_000), ("4 MB", 4_000_000)] {
        std::fs::write(&blob, vec![7; bytes])?;
        let hit = client::hit(&place.work, &place.work, &blob)?;
        // Where old outputs are in the way, file systems may begin to write the new ones to the disk at once.
        for (there, again) in [("new", false), ("in place of old ones", true)] {
            let clear = || {
                if !again {
                    for name in ["main.c.o", "main.c.d"] {
                        let _ = std::fs::remove_file(build.join(name));
                    }
                }
            };
            criterion.bench_function(&format!("restore/{size}, {there}"), |bencher| {
                let restore = |()| benching::restore(black_box(&hit));
                bencher.iter_batched(clear, restore, criterion::BatchSize::PerIteration);
            });
            // The list is part of what the next answer holds.
            place.compile()?;
        }
    }
    all_but_the_session(&mut criterion, root)?;
    criterion.final_summary();
    Ok(())
}

/// A whole hit, with an answer that is there before it is asked for.
fn all_but_the_session(criterion: &mut Criterion, root: &Path) -> larder_bench::Result<()> {
    // No PATH but the sandbox's has its compiler, so that it is named with its folder.
    let client = client::Client::new(root, root.join("bin/gcc").as_os_str())?;
    criterion.bench_function("hit/all but the session", |bencher| bencher.iter(|| client.serve().is_ok()));
    Ok(())
}
