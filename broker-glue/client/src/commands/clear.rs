//! `larder clear`

use std::process::ExitCode;

use larder_proto::v1::{ClearRequest, control_reply, control_request};

use crate::running::Running;

pub(super) fn run(service: Option<String>, dry_run: bool) -> anyhow::Result<ExitCode> {
    let Some(mut daemon) = Running::find()? else {
        anyhow::bail!("no daemon is running, and only it may change the cache\nhint: larder start");
    };
    let request = ClearRequest { service: service.unwrap_or_default(), dry_run };
    let control_reply::Reply::Cleared(cleared) = daemon.control(control_request::Request::Clear(request))?
    else {
        anyhow::bail!("the daemon's answer makes no sense");
    };
    super::print(&super::render::cleared(&cleared, dry_run))?;
    Ok(ExitCode::SUCCESS)
}
