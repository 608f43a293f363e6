//! Fuzzes response files.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::response::check)
}
