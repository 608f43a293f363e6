//! Fuzzes requests of the artifact lane.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::artifact::check)
}
