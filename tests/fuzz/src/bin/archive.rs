//! Fuzzes archives and the calls that write them.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::archive::check)
}
