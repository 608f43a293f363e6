//! Fuzzes requests of the compile lane.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::request::check)
}
