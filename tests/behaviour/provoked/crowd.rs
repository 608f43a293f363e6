//! Many compiles at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use larder_tests::Sandbox;

#[test]
fn two_hundred_different_compiles_at_once_all_succeed() {
    const ALL: usize = 200;
    let sandbox = Sandbox::new();
    sandbox.start();
    sandbox.write("shared.h", "int shared;\n");
    for number in 0..ALL {
        let text = format!("#include \"shared.h\"\nconst char *marker_{number}(void) {{ return SAYS; }}\n");
        sandbox.write(&format!("f{number}.c"), text);
    }
    sandbox.settle();
    for hits in [0, ALL] {
        let next = AtomicUsize::new(0);
        let work = || {
            while let number @ 0..ALL = next.fetch_add(1, Ordering::Relaxed) {
                // Most are quick, so that many meet.
                let driver = ["gcc", "gcc", "gcc", "g++", "clang"][number % 5];
                let (source, object) = (format!("f{number}.c"), format!("f{number}.o"));
                let says = format!("-DSAYS=\"says-{number}.\"");
                let output = sandbox.larder([driver, &says, "-c", &source, "-o", &object]).output();
                let output = output.expect("larder starts");
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success() && stderr.is_empty(), "{number}: {stderr}");
                let object = std::fs::read(sandbox.work().join(object)).expect("an object");
                for word in [format!("marker_{number}"), format!("says-{number}.")] {
                    assert!(object.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(work);
            }
        });
        let counts = sandbox.counts();
        assert_eq!((counts.hits, counts.misses), (hits as u64, ALL as u64), "{counts:?}\n{}", sandbox.log());
    }
}
