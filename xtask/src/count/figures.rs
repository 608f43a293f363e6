//! The figures that are held: xtask/counts.toml.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::callgrind::Counts;
use crate::workspace;

/// How far a figure may rise, per cent; and by how much in any case, since of a small one each call is some per cent, and
/// another file system may take one or two more.
const MAY_RISE: f64 = 3.0;
const MAY_RISE_BY: u64 = 3;

/// What the file begins with.
const TITLE: &str = "# What one hit takes on either side. Written by `cargo xtask count --write`.\n\n";

/// What one hit takes, by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Figures {
    /// With which it was counted.
    pub(super) toolchain: String,
    #[serde(flatten)]
    sides: BTreeMap<String, Side>,
}

/// What is held of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Side {
    instructions: u64,
    allocations: u64,
    system_calls: u64,
    /// Told only: it is another one on another machine.
    #[serde(skip)]
    elsewhere: u64,
}

impl Side {
    /// What must not rise, each with its name.
    fn held(&self) -> [(&'static str, u64); 3] {
        let Self { instructions, allocations, system_calls, .. } = *self;
        [("instructions", instructions), ("allocations", allocations), ("system calls", system_calls)]
    }
}

impl Figures {
    /// None yet.
    pub(super) fn of(toolchain: String) -> Self {
        Self { toolchain, sides: BTreeMap::new() }
    }

    pub(super) fn put(&mut self, side: &str, counts: Counts) {
        let Counts { instructions, elsewhere, allocations, system_calls } = counts;
        self.sides.insert(side.to_owned(), Side { instructions, allocations, system_calls, elsewhere });
    }

    pub(super) fn read() -> anyhow::Result<Self> {
        let path = path();
        let text = fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}\nhint: cargo xtask count --write", path.display()))?;
        toml::from_str(&text).with_context(|| format!("failed to read {}", path.display()))
    }

    pub(super) fn write(&self) -> anyhow::Result<()> {
        let path = path();
        let text = format!("{TITLE}{}", toml::to_string(self)?);
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
    }

    /// For people; beside what was held, if that is given.
    pub(super) fn table(&self, held: Option<&Self>) -> String {
        let mut text = format!("{:<8}{:<26}{:>12}", "side", "one hit takes", "now");
        if held.is_some() {
            let _ = write!(text, "{:>12}{:>10}", "held", "change");
        }
        for (name, side) in &self.sides {
            let held = held.and_then(|held| held.sides.get(name)).map(Side::held);
            for (at, (what, now)) in side.held().into_iter().enumerate() {
                let _ = write!(text, "\n{name:<8}{what:<26}{now:>12}");
                if let Some(held) = held {
                    let _ = write!(text, "{:>12}{:>+8.1} %", held[at].1, change(held[at].1, now));
                }
            }
            let _ = write!(text, "\n{name:<8}{:<26}{:>12}", "instructions of libraries", side.elsewhere);
        }
        text
    }

    /// What has risen too far since `held`, and what has fallen as far: a sentence each.
    pub(super) fn against(&self, held: &Self) -> (Vec<String>, Vec<String>) {
        let (mut risen, mut fallen) = (Vec::new(), Vec::new());
        for (name, side) in &self.sides {
            let Some(then) = held.sides.get(name) else {
                risen.push(format!("nothing is held of the {name}"));
                continue;
            };
            for ((what, now), (_, then)) in side.held().into_iter().zip(then.held()) {
                let change = change(then, now);
                let sentence = |verb: &str| {
                    format!(
                        "{what} of the {name} for a hit have {verb} by {:.1} %, from {then} to {now}",
                        change.abs()
                    )
                };
                if now.abs_diff(then) <= MAY_RISE_BY {
                    continue;
                }
                if change > MAY_RISE {
                    risen.push(sentence("risen"));
                } else if change < -MAY_RISE {
                    fallen.push(sentence("fallen"));
                }
            }
        }
        (risen, fallen)
    }
}

/// From `then` to `now`, per cent.
#[expect(clippy::cast_precision_loss, reason = "counts of at most some million")]
fn change(then: u64, now: u64) -> f64 {
    (now as f64 - then as f64) * 100.0 / then.max(1) as f64
}

fn path() -> PathBuf {
    workspace::root().join("xtask/counts.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(instructions: u64, system_calls: u64) -> Figures {
        let mut figures = Figures::of("rustc 1".to_owned());
        figures.put("daemon", Counts { instructions, elsewhere: 5, allocations: 100, system_calls });
        figures
    }

    #[test]
    fn what_rises_by_more_than_it_may_is_named_with_both_figures_and_so_is_what_falls() {
        let held = figures(1000, 100);
        let none = (Vec::new(), Vec::new());
        assert_eq!(figures(1030, 97).against(&held), none);
        let (risen, fallen) = figures(1031, 96).against(&held);
        assert_eq!(risen, ["instructions of the daemon for a hit have risen by 3.1 %, from 1000 to 1031"]);
        assert_eq!(fallen, ["system calls of the daemon for a hit have fallen by 4.0 %, from 100 to 96"]);
        assert_eq!(figures(1000, 43).against(&figures(1000, 40)), none, "few, and three more");
        let (risen, _) = held.against(&Figures::of(String::new()));
        assert_eq!(risen, ["nothing is held of the daemon"]);
    }

    #[test]
    fn the_file_says_what_was_written_but_for_what_depends_on_the_machine() {
        let text = toml::to_string(&figures(1000, 100)).expect("it is all text and numbers");
        let read: Figures = toml::from_str(&text).expect("it was just written");
        assert_eq!(read.sides["daemon"].held(), figures(1000, 100).sides["daemon"].held());
        assert_eq!(read.sides["daemon"].elsewhere, 0);
    }

    #[test]
    fn the_figures_that_are_held_can_be_read() {
        let held = Figures::read().expect("they are in the repository");
        assert_eq!(held.sides.keys().collect::<Vec<_>>(), ["client", "daemon"]);
    }
}
