//! The protocol's page names what there is: every message, every lane, every limit.

use std::collections::BTreeSet;
use std::path::Path;

use larder_glue::wire::{MOST_DESCRIPTORS, SIGN_OF_LIFE, SILENCE_LIMIT};
use larder_proto::lane::{self, Lane};
use larder_proto::{MAX_MESSAGE_BYTES, PROTOCOL_VERSION};

const PAGE: &str = include_str!("../../docs/protocol.md");

/// Each lane that clients are served on: its heading, its id, and the file that defines it.
const LANES: [(&str, Lane, &str); 6] = [
    ("Control", lane::CONTROL, "control"),
    ("Compile", lane::COMPILE, "compile"),
    ("Go", lane::GO, "gocache"),
    ("Fingerprint", lane::FINGERPRINT, "fingerprint"),
    ("Artifact", lane::ARTIFACT, "artifact"),
    ("Session", lane::SESSION, "session"),
];

fn definition(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../proto/larder/v1/{name}.proto"));
    std::fs::read_to_string(path).expect("the definition")
}

/// The messages of the `oneof` called `name` in `definition`.
fn one_of<'a>(definition: &'a str, name: &str) -> BTreeSet<&'a str> {
    let from = definition.split_once(&format!("oneof {name} {{")).expect("it has one").1;
    let lines = from.lines().take_while(|line| !line.trim_start().starts_with('}'));
    let messages = lines.filter(|line| !line.trim_start().starts_with("//"));
    messages.filter_map(|line| line.split_whitespace().next()).collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_lane_has_its_id_and_exactly_its_requests_and_replies() {
    assert_eq!(LANES.map(|(_, lane, _)| lane), lane::SERVED);
    for (heading, lane, file) in LANES {
        let section = PAGE.split_once(&format!("### {heading} `{:#06X}`\n", lane.0).replace("0X", "0x"));
        let section = section.unwrap_or_else(|| panic!("{heading} has no section with its id")).1;
        let section = section.split("\n###").next().expect("it begins");
        let rows: Vec<Vec<&str>> = section
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.split('|').collect())
            .collect();
        let definition = definition(file);
        let requests: BTreeSet<&str> = rows.iter().flat_map(|row| quoted(row[1])).collect();
        assert_eq!(requests, one_of(&definition, "request"), "{heading}");
        let mut replies: BTreeSet<&str> = rows.iter().flat_map(|row| quoted(row[2])).collect();
        let rest = section.lines().find(|line| line.starts_with("Else: ") || line.starts_with("Any of them"));
        replies.extend(quoted(rest.expect("every lane can fail").split(". ").next().expect("it begins")));
        assert_eq!(replies, one_of(&definition, "reply"), "{heading}");
    }
    for lane in [lane::HTTP_READY, lane::BROKER_PAGE] {
        assert!(PAGE.contains(&format!("`0x{:04X}`", lane.0)), "{lane:?}");
    }
}

#[test]
fn every_message_is_named() {
    let named = quoted(PAGE);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/larder/v1");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).expect("the definitions").flatten() {
        let text = std::fs::read_to_string(file.path()).expect("a definition");
        for message in text.lines().filter_map(|line| line.strip_prefix("message ")?.split(' ').next()) {
            seen += 1;
            assert!(named.contains(message), "{message} is not on the page");
        }
    }
    assert!(seen > 80, "{seen} messages");
}

#[test]
fn limits_and_the_version_are_those_of_the_programs() {
    for said in [
        format!("at most {MAX_MESSAGE_BYTES} bytes"),
        format!("each {} ms", SIGN_OF_LIFE.as_millis()),
        format!("nothing for {} ms", SILENCE_LIMIT.as_millis()),
        format!("At most {MOST_DESCRIPTORS} descriptors"),
        format!("this page is of version {PROTOCOL_VERSION}"),
    ] {
        assert!(PAGE.replace('\n', " ").contains(&said), "{said}");
    }
}
