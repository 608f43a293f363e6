//! `larder completions SHELL`

use std::process::ExitCode;

use clap_complete::Shell;

pub(super) fn run(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "larder", &mut text);
    super::print(&String::from_utf8(text)?)?;
    Ok(ExitCode::SUCCESS)
}
