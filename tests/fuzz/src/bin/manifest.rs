//! Fuzzes the stored form of manifests.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::manifest::check)
}
