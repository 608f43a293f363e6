//! How a request ended.

/// The five ways in which a request can end. Each belongs to one column of every statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The result came from the cache.
    Hit,
    /// The tool ran, and its result could have come from the cache.
    Miss,
    /// The tool ran, because this action cannot be cached, for a named reason.
    Uncacheable,
    /// The tool ran, because larder failed.
    Error,
    /// The tool ran without being asked about: no action of this service, or larder stood aside.
    Bypass,
}

impl Outcome {
    /// All outcomes, in the order of every table.
    pub const ALL: [Self; 5] = [Self::Hit, Self::Miss, Self::Uncacheable, Self::Error, Self::Bypass];

    /// The name under which statistics, journal, metrics and page know it.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Uncacheable => "uncacheable",
            Self::Error => "error",
            Self::Bypass => "bypass",
        }
    }
}
