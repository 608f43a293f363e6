//! Fuzzes calls of compilers.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::args::check)
}
