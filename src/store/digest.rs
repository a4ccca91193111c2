//! A sum over all documents that is kept with every write, in the same batch. Documents that went missing, came back, or turned into older
//! versions of themselves each have a right checksum; only the sum tells.

use super::{keys, record};

/// Where the sum stands.
pub(super) const KEY: &[u8] = b"mdigest";

/// Order does not matter, and a record can be taken out again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) count: u64,
    pub(super) sum: u64,
}

/// Whether the records under this key count: documents and what belongs to them, but nothing that can be made anew.
pub(super) fn covers(key: &[u8]) -> bool {
    key.first()
        .is_some_and(|tag| !matches!(tag, b'm' | b'l' | b'r') && !keys::is_derived(*tag))
}

/// Spreads a checksum over 64 bits (splitmix64), so that sums of few records don't look alike.
pub(super) fn spread(checksum: u64) -> u64 {
    let mut mixed = checksum.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The frame's checksum is over key and payload, so it stands for both.
fn weight(framed: &[u8]) -> u64 {
    let head = framed.get(..record::FRAME).unwrap_or_default();
    let checksum = head.last_chunk::<4>().copied().unwrap_or_default();
    spread(u64::from(u32::from_le_bytes(checksum)) | (framed.len() as u64) << 32)
}

impl Digest {
    pub(super) fn add(&mut self, framed: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(weight(framed));
    }

    pub(super) fn remove(&mut self, framed: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(weight(framed));
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.wrapping_add(other.count),
            sum: self.sum.wrapping_add(other.sum),
        }
    }

    pub(super) fn payload(self) -> Vec<u8> {
        [self.count.to_le_bytes(), self.sum.to_le_bytes()].concat()
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let (count, rest) = payload.split_first_chunk::<8>()?;
        Some(Self {
            count: u64::from_le_bytes(*count),
            sum: u64::from_le_bytes(*rest.first_chunk::<8>()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_leaves_no_trace_and_versions_differ() {
        let [one, two] = [b"1", b"2"].map(|payload| record::frame(b"d3a", payload));
        let mut digest = Digest::default();
        digest.add(&one);
        let first = digest;
        digest.add(&two);
        digest.remove(&one);
        assert_ne!(digest, first);
        assert_eq!(digest.count, 1);
        digest.remove(&two);
        assert_eq!(digest, Digest::default());
        assert_eq!(Digest::read(&first.payload()), Some(first));
    }

    #[test]
    fn what_can_be_made_anew_does_not_count() {
        assert!(covers(b"d3a") && covers(b"c3a"));
        assert!(
            !covers(KEY)
                && !covers(b"l1")
                && !covers(b"ra@b")
                && !covers(b"Rrealm")
                && !covers(b"k3a")
        );
        assert!(!covers(b""));
    }
}
