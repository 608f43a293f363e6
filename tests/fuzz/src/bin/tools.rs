//! Fuzzes what one daemon has noted of tools for the next.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::tools::check)
}
