//! The stored form of the statistics by day.

use larder_proto::v1::Stats;
use larder_service::History;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What can be read is written as the same bytes, and goes on within its bounds.
pub fn check(bytes: &[u8]) {
    for bytes in [bytes.to_vec(), [&[1], bytes].concat()] {
        let Ok(mut history) = History::decode(&bytes) else { continue };
        assert_eq!(history.encode(), bytes, "what was read is not written");
        let service = larder_proto::v1::ServiceStats { hits: 1, ..Default::default() };
        let stats = Stats { services: vec![service], ..Stats::default() };
        for now in [0, 20_000 * DAY_MS, u64::MAX] {
            history.absorb(&stats, now);
            let written = history.encode();
            assert!(history.days().len() <= 90, "more days are kept than there should be");
            assert!(History::decode(&written).is_ok(), "what is written cannot be read");
        }
    }
}
