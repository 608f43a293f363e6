//! Fuzzes the reader of dependency files.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::depfile::check)
}
