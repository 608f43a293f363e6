//! Fuzzes what one daemon has noted of files for the next.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::digests::check)
}
