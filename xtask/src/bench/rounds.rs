//! Timing in turns: what disturbs the machine disturbs all contenders alike.

use std::time::Duration;

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::record::{ALONE, Figure, LARDER};
use crate::say::Progress;

/// Somebody wants the measurement to end, and what it started with it.
static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on a signal ends the measurement before its next turn, and a second one at once.
pub(super) fn heed_signals() -> std::io::Result<()> {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&INTERRUPTED))?;
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED))?;
    }
    Ok(())
}

/// Runs `once` for each of `names` in turn, `warm_ups` rounds that do not count and `rounds` that do. Each round begins
/// with another one. A peer that fails is left out from then on.
pub(super) fn run(
    progress: &Progress,
    names: &[&str],
    warm_ups: usize,
    rounds: usize,
    mut once: impl FnMut(usize) -> anyhow::Result<Duration>,
) -> anyhow::Result<Vec<Figure>> {
    let mut times: Vec<Option<Vec<f64>>> = names.iter().map(|_| Some(Vec::with_capacity(rounds))).collect();
    for round in 0..warm_ups + rounds {
        for turn in 0..names.len() {
            anyhow::ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
            let who = (turn + round) % names.len();
            let Some(own) = &mut times[who] else { continue };
            match once(who) {
                Ok(took) if round >= warm_ups => own.push(took.as_secs_f64() * 1e3),
                Ok(_) => {}
                Err(error) if [ALONE, LARDER].contains(&names[who]) => return Err(error),
                Err(error) => {
                    progress.line(&format!("{} is left out: {error:#}", names[who]));
                    times[who] = None;
                }
            }
        }
    }
    Ok(names.iter().zip(times).filter_map(|(who, times)| Some(figure(who, times?))).collect())
}

/// The figures of one contender.
pub(super) fn figure(who: &str, mut times: Vec<f64>) -> Figure {
    times.sort_by(f64::total_cmp);
    Figure { who: who.to_owned(), median: at(&times, 0.5), least: times.first().copied().unwrap_or(0.0) }
}

/// Larder's only figure.
pub(super) fn lone(value: f64) -> Figure {
    Figure { who: LARDER.to_owned(), median: value, least: value }
}

/// The value below which `share` of the sorted `times` lie.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index among at most some thousand"
)]
pub(super) fn at(times: &[f64], share: f64) -> f64 {
    let last = times.len().saturating_sub(1);
    let index = (share * last as f64).round() as usize;
    times.get(index.min(last)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_ups_are_left_out_and_every_contender_begins_a_round() {
        let mut order = Vec::new();
        let figures = run(&Progress::new(), &["a", "b"], 1, 2, |who| {
            order.push(who);
            Ok(Duration::from_millis(if order.len() <= 2 { 900 } else { 5 }))
        })
        .expect("nothing fails");
        assert_eq!(order, [0, 1, 1, 0, 0, 1]);
        assert!(figures.iter().all(|figure| figure.median == 5.0), "{figures:?}");
    }

    #[test]
    fn a_peer_that_fails_is_left_out_and_larder_ends_the_measurement() {
        let mut order = Vec::new();
        let figures = run(&Progress::new(), &["peer", ALONE], 0, 2, |who| {
            order.push(who);
            if who == 0 { anyhow::bail!("it stalls") } else { Ok(Duration::from_millis(5)) }
        })
        .expect("the others go on");
        assert_eq!(order, [0, 1, 1]);
        assert_eq!(figures.iter().map(|figure| figure.who.as_str()).collect::<Vec<_>>(), [ALONE]);
        run(&Progress::new(), &[LARDER], 0, 1, |_| anyhow::bail!("no")).expect_err("it is what is measured");
    }

    #[test]
    fn shares_are_taken_from_sorted_times() {
        let times: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!((at(&times, 0.5), at(&times, 0.99), at(&[], 0.5)), (50.0, 99.0, 0.0));
    }
}
