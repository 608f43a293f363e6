//! Fuzzes the stored form of the statistics by day.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::days::check)
}
