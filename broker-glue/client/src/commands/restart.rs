//! `larder restart`

use std::process::ExitCode;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    super::stop::run(false)?;
    super::start::run()
}
