//! Compiles by which build scripts ask whether the compiler lets them use a feature. One that does not has expanded the whole
//! crate, listed what it read, and written nothing else: that answer is a result as well.

use larder_proto::v1::Publish;

/// How the compiler says that a feature is for another release channel.
const FEATURE: &[u8] = b"error[E0554]: ";

/// How it counts its errors in the end.
const END: &[u8] = b"error: aborting due to ";

/// Whether the tool failed for nothing but features that are not for its release channel.
pub(super) fn is_for_features(publish: &Publish) -> bool {
    publish.exit_code == 1 && publish.stdout.is_empty() && only_features(&publish.stderr)
}

fn only_features(messages: &[u8]) -> bool {
    let mut errors = messages.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"error"));
    let refused = errors.clone().any(|line| line.starts_with(FEATURE));
    refused && errors.all(|line| line.starts_with(FEATURE) || line.starts_with(END))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_for_features_alone_is_one() {
        let refused =
            "error[E0554]: `#![feature]` may not be used on the stable release channel\n --> p.rs:1:12\n";
        let end =
            "\nerror: aborting due to 1 previous error\n\nFor more information about this error, try …\n";
        let publish = |exit_code, stderr: &str| Publish {
            exit_code,
            stderr: stderr.as_bytes().to_vec(),
            ..Publish::default()
        };
        for said in [[refused, end].concat(), [refused, refused, end].concat()] {
            assert!(is_for_features(&publish(1, &said)), "{said}");
            assert!(!is_for_features(&publish(101, &said)), "the compiler broke down: {said}");
            let talkative = Publish { stdout: b"x".to_vec(), ..publish(1, &said) };
            assert!(!is_for_features(&talkative));
        }
        for other in ["error: expected item\n", "error[E0432]: unresolved import\n", "error[E0554\n"] {
            for said in [[other, end].concat(), [refused, other, end].concat(), [other, refused].concat()] {
                assert!(!is_for_features(&publish(1, &said)), "{said}");
            }
        }
        assert!(!is_for_features(&publish(1, end)) && !is_for_features(&publish(1, "")));
        // Coloured, or for programs.
        assert!(!is_for_features(&publish(1, &format!("\u{1b}[1m{refused}"))));
    }
}
