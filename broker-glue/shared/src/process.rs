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
        runs: !["Z", "X", "x"].contains(fields.first()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_moves_no_field() {
        let text = "7 (a) (b) S 3 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1234 0 0";
        assert_eq!(parse(text), Some(Stat { parent: 3, start: 1234, runs: true }));
        assert_eq!(parse("7 (a"), None);
        assert_eq!(stat(std::process::id()).map(|stat| stat.runs), Some(true));
    }
}
