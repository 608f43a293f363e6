//! The disk that the store is on.

use std::io;
use std::path::Path;

use super::{Check, nearest};

const GROUP: &str = "disk";

/// Free space below which nothing much can be stored, bytes.
const TOO_LITTLE: u64 = 64 << 20;

/// Free space below which builds will soon fail, bytes.
const LITTLE: u64 = 1 << 30;

/// File systems over a network, by the number that statfs(2) gives them.
const OVER_NETWORK: [(u32, &str); 11] = [
    (0x6969, "nfs"),
    (0x517B, "smb"),
    (0xFF53_4D42, "cifs"),
    (0xFE53_4D42, "smb2"),
    (0x5346_414F, "afs"),
    (0x6B41_4653, "kafs"),
    (0x00C3_6400, "ceph"),
    (0x0BD0_0BD0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x0102_1997, "9p"),
    (0x0116_1970, "gfs2"),
];

/// Whether the store at `store`, which holds `used` bytes, can grow to `limit`.
pub(super) fn space(store: &Path, limit: u64, used: u64) -> Check {
    match rustix::fs::statvfs(nearest(store)) {
        Ok(disk) => {
            let files = (disk.f_files > 0).then_some(disk.f_favail);
            judge(disk.f_bavail.saturating_mul(disk.f_frsize), files, limit, used)
        }
        Err(error) => {
            let found = format!("the free space is not known: {}", io::Error::from(error));
            Check::note(GROUP, "space", found, "")
        }
    }
}

fn judge(free: u64, files: Option<u64>, limit: u64, used: u64) -> Check {
    const HINT: &str = "make room, or: larder clear; larder config set size_limit 2GiB";
    let found = format!("{} MiB free", free >> 20);
    if files.is_some_and(|files| files < 1000) {
        return Check::problem(GROUP, "space", "there is room for fewer than 1000 more files", HINT);
    }
    if free < TOO_LITTLE {
        return Check::problem(GROUP, "space", format!("{found}: new results are hardly kept"), HINT);
    }
    if free < LITTLE {
        return Check::note(GROUP, "space", found, HINT);
    }
    if limit > used.saturating_add(free) {
        let found = format!("{found}, and the store may grow by {} MiB", (limit - used) >> 20);
        return Check::note(GROUP, "space", found, "lower the limit: larder config set size_limit 2GiB");
    }
    Check::ok(GROUP, "space", found)
}

/// Whether the store's file system is of this machine.
pub(super) fn kind(store: &Path) -> Check {
    match rustix::fs::statfs(nearest(store)) {
        // The kernel's numbers have 32 bits, whatever the type of the field.
        Ok(system) => of_kind(system.f_type as u32),
        Err(error) => Check::note(GROUP, "kind", io::Error::from(error).to_string(), ""),
    }
}

fn of_kind(kind: u32) -> Check {
    match OVER_NETWORK.iter().find(|(known, _)| *known == kind) {
        Some((_, name)) => Check::note(
            GROUP,
            "kind",
            format!("the cache lies on {name}: it is slow there, and file times are another machine's"),
            "set XDG_CACHE_HOME to a folder on a disk of this machine",
        ),
        None => Check::ok(GROUP, "kind", "the cache is on no network file system that is known"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::State;

    #[test]
    fn space_is_judged_by_what_is_free_and_what_the_store_may_take() {
        const GIB: u64 = 1 << 30;
        for (free, files, limit, used, state) in [
            (20 * GIB, Some(1 << 20), 10 * GIB, 0, State::Ok),
            (5 * GIB, None, 10 * GIB, 6 * GIB, State::Ok),
            (5 * GIB, None, 10 * GIB, 4 * GIB, State::Note),
            (5 * GIB, None, 0, 0, State::Ok),
            (GIB / 2, None, GIB / 4, 0, State::Note),
            (TOO_LITTLE - 1, None, 1, 0, State::Problem),
            (20 * GIB, Some(7), GIB, 0, State::Problem),
        ] {
            let check = judge(free, files, limit, used);
            assert_eq!(check.state, state, "{free} {files:?} {limit} {used}: {check:?}");
            assert_eq!(check.hint.is_empty(), state == State::Ok);
        }
    }

    #[test]
    fn a_network_file_system_is_told_by_name() {
        let check = of_kind(0x6969);
        assert!(check.state == State::Note && check.found.contains("nfs"), "{check:?}");
        // ext4, and tmpfs.
        assert_eq!((of_kind(0xEF53).state, of_kind(0x0102_1994).state), (State::Ok, State::Ok));
    }
}
