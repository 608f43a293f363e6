//! Fuzzes settings files.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::settings::check)
}
