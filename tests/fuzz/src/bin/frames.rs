//! Fuzzes the reading of frames.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::frames::check)
}
