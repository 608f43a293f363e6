//! What a key was made of, kept so that a miss can be told from what was stored before it.

use std::collections::BTreeMap;

use larder_proto::v1::{ArtifactPart, ArtifactPartKind, ArtifactParts};
use larder_service::{Hasher, Key, Reason};
use prost::Message as _;

use crate::limits::{self, LimitError};

/// Version of the stored form: one byte, then the message.
const VERSION: u8 = 1;

/// Under what the parts of the latest result of `parts.slot` are kept.
pub(crate) fn slot(space: &str, parts: &ArtifactParts) -> Key {
    let mut hasher = Hasher::key("artifact-parts");
    hasher.field("space", space.as_bytes());
    hasher.field("slot", &parts.slot);
    hasher.finish_key()
}

/// The stored form.
pub(crate) fn encode(parts: &ArtifactParts) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend(parts.encode_to_vec());
    bytes
}

/// What [`encode`] wrote; `None` for all else.
pub(crate) fn decode(bytes: &[u8]) -> Option<ArtifactParts> {
    let (version, message) = bytes.split_first()?;
    let parts = (*version == VERSION).then(|| ArtifactParts::decode(message).ok())??;
    check(&parts).ok()?;
    Some(parts)
}

/// Whether `parts` keep to the limits.
pub(crate) fn check(parts: &ArtifactParts) -> Result<(), LimitError> {
    let fits = |part: &ArtifactPart| {
        part.name.len() <= limits::MAX_PART_BYTES && part.digest.len() <= limits::MAX_DIGEST_BYTES
    };
    if parts.slot.len() > limits::MAX_DIGEST_BYTES || !parts.parts.iter().all(fits) {
        return Err(LimitError::Part);
    }
    if parts.parts.len() > limits::MAX_PARTS {
        return Err(LimitError::Parts(parts.parts.len()));
    }
    Ok(())
}

/// The first difference: its reason, and what it is about. `None` where there is none.
pub(crate) fn difference(before: &ArtifactParts, now: &ArtifactParts) -> Option<(Reason, String)> {
    let known: BTreeMap<_, _> = before.parts.iter().map(named).collect();
    let asked: BTreeMap<_, _> = now.parts.iter().map(named).collect();
    // What a person did last is most likely an edit: it is told only where nothing else differs.
    let order = [
        ArtifactPartKind::Tool,
        ArtifactPartKind::Command,
        ArtifactPartKind::Variable,
        ArtifactPartKind::Surroundings,
        ArtifactPartKind::Input,
    ];
    for kind in order {
        let of_kind = |(_, name): &&(i32, &str)| (*name).to_owned();
        let changed = |key: &&(i32, &str)| key.0 == kind as i32 && known.get(*key) != asked.get(*key);
        if let Some(key) = asked.keys().find(changed) {
            let appeared = !known.contains_key(key);
            return Some((reason(kind, appeared), of_kind(&key)));
        }
        if let Some(key) = known.keys().find(changed) {
            let vanished =
                if kind == ArtifactPartKind::Input { Reason::InputVanished } else { reason(kind, false) };
            return Some((vanished, of_kind(&key)));
        }
    }
    None
}

fn named(part: &ArtifactPart) -> ((i32, &str), &[u8]) {
    ((part.kind, part.name.as_str()), &part.digest)
}

fn reason(kind: ArtifactPartKind, appeared: bool) -> Reason {
    match kind {
        ArtifactPartKind::Input if appeared => Reason::InputAppeared,
        ArtifactPartKind::Input => Reason::InputChanged,
        ArtifactPartKind::Tool => Reason::ToolChanged,
        ArtifactPartKind::Command => Reason::CommandChanged,
        ArtifactPartKind::Variable => Reason::VariableChanged,
        ArtifactPartKind::Surroundings => Reason::SurroundingsChanged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(of: &[(ArtifactPartKind, &str, u8)]) -> ArtifactParts {
        let part = |(kind, name, digest): &(ArtifactPartKind, &str, u8)| ArtifactPart {
            kind: (*kind).into(),
            name: (*name).to_owned(),
            digest: vec![*digest; 32],
        };
        ArtifactParts { slot: vec![7; 32], parts: of.iter().map(part).collect() }
    }

    #[test]
    fn the_stored_form_keeps_its_bytes() {
        let kept = parts(&[(ArtifactPartKind::Input, "a.txt", 1), (ArtifactPartKind::Variable, "LANG", 2)]);
        let golden = include_bytes!("../tests/golden/parts.bin");
        assert_eq!(encode(&kept), golden);
        assert_eq!(decode(golden), Some(kept));
        let mut later = golden.to_vec();
        later[0] = VERSION + 1;
        assert_eq!(decode(&later), None, "another version is no parts");
        assert_eq!(decode(b""), None);
    }

    #[test]
    fn each_difference_has_its_reason_and_its_name() {
        use ArtifactPartKind::{Command, Input, Surroundings, Tool, Variable};
        let base = [
            (Tool, "cc", 1),
            (Command, "", 1),
            (Variable, "A", 1),
            (Surroundings, "", 1),
            (Input, "x", 1),
            (Input, "y", 1),
        ];
        let but = |at: usize| {
            let mut other = base;
            other[at].2 = 9;
            difference(&parts(&base), &parts(&other))
        };
        let said = |reason, name: &str| Some((reason, name.to_owned()));
        assert_eq!(difference(&parts(&base), &parts(&base)), None);
        assert_eq!(but(0), said(Reason::ToolChanged, "cc"));
        assert_eq!(but(1), said(Reason::CommandChanged, ""));
        assert_eq!(but(2), said(Reason::VariableChanged, "A"));
        assert_eq!(but(3), said(Reason::SurroundingsChanged, ""));
        assert_eq!(but(5), said(Reason::InputChanged, "y"));
        assert_eq!(difference(&parts(&base[..5]), &parts(&base)), said(Reason::InputAppeared, "y"));
        assert_eq!(difference(&parts(&base), &parts(&base[..5])), said(Reason::InputVanished, "y"));
    }

    #[test]
    fn there_are_limits() {
        let long = "n".repeat(limits::MAX_PART_BYTES + 1);
        assert!(matches!(check(&parts(&[(ArtifactPartKind::Input, &long, 1)])), Err(LimitError::Part)));
        let many = vec![(ArtifactPartKind::Input, "x", 1); limits::MAX_PARTS + 1];
        assert!(matches!(check(&parts(&many)), Err(LimitError::Parts(_))));
    }
}
