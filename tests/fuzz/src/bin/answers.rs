//! Fuzzes what drivers and linkers say of themselves.

fn main() -> std::process::ExitCode {
    larder_fuzz::main(larder_fuzz::answers::check)
}
