//! Fuzzes the environment that is left for a daemon.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::environment::check)
}
