//! Fuzzes what a caller's cache file says of fingerprints.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::fingerprints::check)
}
