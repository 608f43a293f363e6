//! Fuzzes the reading of a store's version.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::format::check)
}
