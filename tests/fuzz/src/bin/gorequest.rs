//! Fuzzes what the go command asks of its cache program.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::gorequest::check)
}
