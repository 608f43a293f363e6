//! Fuzzes command lines of links.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::link::check)
}
