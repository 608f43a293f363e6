//! Fuzzes the reader of journals.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::journal::check)
}
