//! Work that may never come to an end, such as on a disk that takes nothing and says nothing either.

use std::io;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

/// Does `work` on a thread called `name`, and waits for it for at most `limit`. `None` where it took longer, or panicked:
/// it goes on then, and nobody hears of its end.
///
/// # Errors
/// When no thread can be started.
pub fn within<T: Send + 'static>(
    limit: Duration,
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Option<T>> {
    let (done, result) = sync_channel(1);
    thread::Builder::new().name(name.to_owned()).spawn(move || drop(done.send(work())))?;
    Ok(result.recv_timeout(limit).ok())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_does_not_end_is_not_waited_for() {
        assert_eq!(within(Duration::MAX, "test", || 7).expect("it starts"), Some(7));
        let (end, wait) = channel::<()>();
        let never = move || wait.recv().is_err();
        assert_eq!(within(Duration::ZERO, "test", never).expect("it starts"), None);
        drop(end);
    }
}
