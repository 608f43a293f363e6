//! Settings files: the user's, and a project's, which came with somebody's sources.

use larder_glue::settings::read::{Place, read};

/// Whatever is there, each setting is set at most once, to a value of its unit, and a project sets nothing but what is
/// safe, exactly as the user's own file would.
pub fn check(bytes: &[u8]) {
    let (all, complaints) = read(bytes, Place::User);
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
    assert!(
        complaints.iter().all(|complaint| (1..=lines).contains(&complaint.line)),
        "a line that is not there"
    );
    for (at, set) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other.setting != set.setting), "{} twice", set.setting.name);
        assert_eq!(set.setting.value(&set.written), Ok(set.value.clone()), "{}", set.setting.name);
    }
    let (of_project, refused) = read(bytes, Place::Project);
    let safe: Vec<_> = all.iter().filter(|set| set.setting.for_projects).cloned().collect();
    assert_eq!(of_project, safe);
    assert_eq!(refused.len(), complaints.len() + all.len() - safe.len(), "something is left out in silence");
}
