//! Fuzz targets: what must hold for any bytes that a parser or decoder is given. `cargo xtask fuzz` runs them.
//!
//! Each module is one target, each program below `bin/` runs it, and `seeds/` has what its corpus begins with. A file
//! on which a target failed is run again by `cargo run -p larder-fuzz --bin TARGET -- FILE`.

pub mod answers;
pub mod archive;
pub mod args;
pub mod artifact;
pub mod code;
pub mod days;
pub mod depfile;
pub mod digests;
pub mod directives;
pub mod environment;
pub mod fingerprints;
pub mod format;
pub mod frames;
pub mod gorequest;
pub mod journal;
pub mod link;
pub mod manifest;
pub mod program;
pub mod records;
pub mod request;
pub mod response;
pub mod rust;
pub mod settings;
pub mod study;
pub mod tools;

#[cfg(feature = "libfuzzer")]
mod driver;

use std::process::ExitCode;

/// Panics where what must hold for `bytes` does not.
pub type Check = fn(bytes: &[u8]);

/// What each target's program does.
#[must_use]
pub fn main(check: Check) -> ExitCode {
    #[cfg(feature = "libfuzzer")]
    return driver::run(check);
    #[cfg(not(feature = "libfuzzer"))]
    return replay(check);
}

#[cfg(not(feature = "libfuzzer"))]
#[expect(clippy::print_stderr, reason = "a person runs it by hand")]
fn replay(check: Check) -> ExitCode {
    for file in std::env::args_os().skip(1) {
        match std::fs::read(&file) {
            Ok(bytes) => check(&bytes),
            Err(error) => {
                eprintln!("failed to read {}: {error}", file.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// The lines of `bytes`, without what ends them.
fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}
