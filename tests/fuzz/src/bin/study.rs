//! Fuzzes the study of files of a link.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::study::check)
}
