//! What the kernel tells of a process.

/// Some fields of `/proc/PID/stat`, as proc(5) has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Process id of its parent.
    pub parent: u32,
    /// When it was started, in clock ticks since the boot.
    pub start: u64,
    /// It is neither dead nor a zombie.
    pub runs: bool,
    /// A signal has stopped it, as Ctrl-Z does; who traces it does not count.
    pub stopped: bool,
}

/// Of the process `pid`; `None` where there is none.
#[must_use]
pub fn stat(pid: u32) -> Option<Stat> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(text: &str) -> Option<Stat> {
    // The program's name stands in parentheses, and may have some of its own.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
        stopped: fields.first() == Some(&"T"),
        runs: !["Z", "X", "x"].contains(fields.first()?),
    })
}

/// Ends the process `pid`, if it is still the one that was started at `start`, runs `program`, and is stopped. A stopped
/// daemon takes no request and lets go of nothing, and nothing but this ends it. Says whether it was sent the signal.
#[must_use]
pub fn end_stopped(pid: u32, start: u64, program: &str) -> bool {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    // Opened first: what is looked at from here on is this very process, or the signal goes nowhere.
    let Ok(pidfd) = pidfd_open(id, PidfdFlags::empty()) else { return false };
    let same = stat(pid).is_some_and(|stat| stat.stopped && stat.start == start);
    let executable = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let name = executable.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    // The kernel says so of one that was replaced by an upgrade.
    let is_program = name.trim_end_matches(" (deleted)") == program;
    same && is_program && pidfd_send_signal(pidfd, Signal::KILL).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_moves_no_field() {
        let text = "7 (a) (b) S 3 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1234 0 0";
        assert_eq!(parse(text), Some(Stat { parent: 3, start: 1234, runs: true, stopped: false }));
        assert_eq!(parse(&text.replace(" S ", " T ")).map(|stat| stat.stopped), Some(true));
        assert_eq!(parse("7 (a"), None);
        assert_eq!(stat(std::process::id()).map(|stat| stat.runs), Some(true));
    }
}
