//! Fuzzes the scan of sources.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::directives::check)
}
