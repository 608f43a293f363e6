//! What a client leaves for a daemon.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use larder_glue::fuzzing::{parse_environment, render_environment};
use larder_glue::launch_env::PASSED_ON;

/// What can be read can be set and written, and what was written reads back.
pub fn check(bytes: &[u8]) {
    if let Some(vars) = parse_environment(bytes) {
        for (name, value) in &vars {
            assert!(PASSED_ON.contains(&name.as_str()), "{name} is not passed on");
            assert!(!value.as_bytes().contains(&0), "{name} cannot be set");
        }
        assert_eq!(parse_environment(render_environment(&vars).as_bytes()), Some(vars));
    }
    let values = bytes.split(|byte| *byte == 0).map(|value| OsString::from_vec(value.to_vec()));
    let vars: BTreeMap<String, OsString> = PASSED_ON.map(str::to_owned).into_iter().zip(values).collect();
    let text = render_environment(&vars);
    assert_eq!(parse_environment(text.as_bytes()), Some(vars), "{text}");
    assert_eq!(parse_environment(format!("{text}PATH = \"2f\"\n").as_bytes()), None, "an unknown name");
}
