//! Fuzzes C texts without their comments.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::code::check)
}
