//! What of the daemon is not as it should be.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

/// One sentence for each matter, shown in the status until the matter is settled.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<BTreeMap<&'static str, Vec<String>>>);

impl Warnings {
    /// Says `sentence` about `matter`, in place of what was said before. The log hears of it once.
    pub(crate) fn set(&self, matter: &'static str, sentence: impl Display) {
        let sentences = vec![one_line(&sentence.to_string())];
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.get(matter) != Some(&sentences) {
            tracing::warn!(matter, "{}", sentences[0]);
            inner.insert(matter, sentences);
        }
    }

    /// Adds a sentence about `matter`.
    pub(crate) fn add(&self, matter: &'static str, sentence: impl Display) {
        let sentence = one_line(&sentence.to_string());
        tracing::warn!(matter, "{sentence}");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(matter).or_default().push(sentence);
    }

    /// `matter` is as it should be.
    pub(crate) fn settle(&self, matter: &'static str) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(matter).is_some() {
            tracing::info!(matter, "settled");
        }
    }

    /// Sets or settles `matter` by how an attempt went.
    pub(crate) fn note(&self, matter: &'static str, attempt: anyhow::Result<()>) {
        match attempt {
            Ok(()) => self.settle(matter),
            Err(error) => self.set(matter, format!("{error:#}")),
        }
    }

    /// All sentences.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().flatten().cloned().collect()
    }
}

/// Errors put their hint on a line of its own; a status shows one line a warning.
fn one_line(text: &str) -> String {
    text.replace('\n', "; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matter_is_told_once_until_it_is_settled() {
        let warnings = Warnings::default();
        warnings.set("store", "full\nhint: larger");
        warnings.set("store", "full\nhint: larger");
        assert_eq!(warnings.all(), ["full; hint: larger"]);
        warnings.settle("store");
        assert_eq!(warnings.all(), Vec::<String>::new());
    }
}
