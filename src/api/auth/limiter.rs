//! Rate limiting: a bucket of tokens for each client address and account (API specification 7).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::api::reply::Tokens;
use crate::types::AccountId;

/// Buckets kept; when there are more, the full ones are forgotten: they say nothing.
const BUCKETS_MAX: usize = 100_000;

type Client = (IpAddr, Option<AccountId>);

/// Which requests may pass.
pub struct Limiter {
    capacity: f64,
    refill_per_s: f64,
    buckets: Mutex<HashMap<Client, Bucket>>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

/// Too fast: seconds until enough has come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFast {
    pub retry_after_s: u64,
}

impl Limiter {
    /// None when the bucket has no size: no limits then.
    #[must_use]
    pub fn new(tokens: u32, refill_per_s: u32) -> Option<Limiter> {
        (tokens > 0).then(|| Limiter {
            capacity: f64::from(tokens),
            refill_per_s: f64::from(refill_per_s),
            buckets: Mutex::default(),
        })
    }

    /// Takes `cost` tokens from the client's bucket.
    ///
    /// # Errors
    /// There are not as many in it.
    pub fn take(&self, client: Client, cost: u32, now: Instant) -> Result<Tokens, TooFast> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&client) {
            self.forget_full(&mut buckets, now);
        }
        let bucket = buckets.entry(client).or_insert(Bucket {
            tokens: self.capacity,
            at: now,
        });
        bucket.tokens = self.filled(bucket, now);
        bucket.at = now;
        // A request that costs more than a bucket holds would never pass.
        let wanted = f64::from(cost).min(self.capacity);
        if bucket.tokens < wanted {
            let missing = wanted - bucket.tokens;
            return Err(TooFast {
                retry_after_s: whole(missing / self.refill_per_s.max(0.001)).max(1),
            });
        }
        bucket.tokens -= wanted;
        let remaining = u32::try_from(whole(bucket.tokens.floor())).unwrap_or_default();
        Ok(Tokens {
            consumed: cost,
            remaining,
        })
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + passed * self.refill_per_s).min(self.capacity)
    }

    fn forget_full(&self, buckets: &mut HashMap<Client, Bucket>, now: Instant) {
        buckets.retain(|_, bucket| self.filled(bucket, now) < self.capacity);
        if buckets.len() >= BUCKETS_MAX {
            // So many clients at once that none of them can be told from an attack.
            buckets.clear();
        }
    }
}

/// Rounded up; far below where the conversion would lose something.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds and tokens, clamped to what fits"
)]
fn whole(number: f64) -> u64 {
    number.ceil().clamp(0.0, 1e9) as u64
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn client(last: u8) -> Client {
        (IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), None)
    }

    #[test]
    fn a_bucket_empties_and_fills() {
        let limiter = Limiter::new(100, 10).unwrap();
        let start = Instant::now();
        let tokens = limiter.take(client(1), 35, start).unwrap();
        assert_eq!((tokens.consumed, tokens.remaining), (35, 65));
        limiter.take(client(1), 35, start).unwrap();
        let refused = limiter.take(client(1), 35, start).unwrap_err();
        assert_eq!(refused.retry_after_s, 1);
        assert!(limiter.take(client(2), 35, start).is_ok());
        assert!(
            limiter
                .take(client(1), 35, start + Duration::from_millis(500))
                .is_ok()
        );
        assert!(
            limiter
                .take(client(1), 100, start + Duration::from_secs(3600))
                .is_ok()
        );
        assert!(
            limiter
                .take(client(1), 1, start + Duration::from_secs(3600))
                .is_err()
        );
    }

    #[test]
    fn no_limits_without_a_size_and_no_request_that_never_passes() {
        assert!(Limiter::new(0, 10).is_none());
        let limiter = Limiter::new(10, 1).unwrap();
        assert!(limiter.take(client(1), 500, Instant::now()).is_ok());
    }
}
