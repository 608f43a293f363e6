//! Chance that can be repeated: a test prints its seed, and takes it from a variable.

use std::time::{Duration, Instant};

/// Numbers that follow from a seed: xorshift64* of Vigna, "An experimental exploration of Marsaglia's xorshift
/// generators, scrambled".
#[derive(Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The numbers of `LARDER_SEED`, or else of `default`; says which.
    ///
    /// # Panics
    /// When the variable is no number.
    #[must_use]
    pub fn seeded(default: u64) -> Self {
        let seed = number("LARDER_SEED").unwrap_or(default);
        // A failing test shows it, and so does every one that is run with --no-capture.
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("LARDER_SEED={seed}\n"));
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// Numbers of their own for a thread, which follow from those of `other`.
    #[must_use]
    pub fn following(other: &mut Self) -> Self {
        let seed = other.below(usize::MAX) as u64;
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    /// One of `0..end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let number = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap_or(0) % end.max(1)
    }
}

/// Lets `time` pass: not to wait for something, but to strike or look at one moment rather than another.
pub fn pass(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// The number in the variable `name`, by which the long forms of some tests are asked for; `None` where it is unset.
///
/// # Panics
/// When it is no number.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
