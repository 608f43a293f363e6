//! Fuzzes the readers of what `rustc` says and is told.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::rust::check)
}
