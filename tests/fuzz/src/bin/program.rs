//! Fuzzes programs and the list of their libraries.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::program::check)
}
