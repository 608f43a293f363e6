//! Fuzzes the stored forms of the index.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::records::check)
}
