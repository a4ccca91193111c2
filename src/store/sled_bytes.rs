//! sled 0.34.7's way of writing numbers, nodes and links, as far as saving records needs it. Every length is doubted.

use std::collections::HashMap;

/// What is left to read.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(*self.take(4)?.first_chunk()?))
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(*self.take(8)?.first_chunk()?))
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let first = u64::from(self.u8()?);
        match first {
            0..=240 => Some(first),
            241..=248 => Some(240 + 256 * (first - 241) + u64::from(self.u8()?)),
            249 => Some(2288 + 256 * u64::from(self.u8()?) + u64::from(self.u8()?)),
            _ => {
                let mut whole = [0; 8];
                let part = self.take(usize::try_from(first).ok()? - 247)?;
                whole.get_mut(..part.len())?.copy_from_slice(part);
                Some(u64::from_le_bytes(whole))
            }
        }
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }
}

/// A node of the tree. Keys are stored without the beginning that they share.
pub(super) struct Node<'a> {
    shared: &'a [u8],
    entries: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Node<'a> {
    /// A leaf with its entries; an inner node has none.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(body);
        let (_next, _merging_child) = (bytes.varint()?, bytes.varint()?);
        let _merging = bytes.u8()?;
        let shared = usize::from(bytes.u8()?);
        let (low, _high) = (bytes.counted()?, bytes.counted()?);
        let shared = low.get(..shared)?;
        let is_leaf = bytes.u8()? == 0;
        let count = usize::try_from(bytes.varint()?).ok()?;
        let mut entries = Vec::new();
        if is_leaf {
            let mut keys = Vec::new();
            for _ in 0..count {
                keys.push(bytes.counted()?);
            }
            for key in keys {
                entries.push((key, bytes.counted()?));
            }
        }
        Some(Self { shared, entries })
    }

    pub(super) fn whole_key(&self, key: &[u8]) -> Vec<u8> {
        [self.shared, key].concat()
    }

    pub(super) fn leaf(&self) -> HashMap<Vec<u8>, Vec<u8>> {
        let entries = self.entries.iter();
        entries
            .map(|(key, value)| (self.whole_key(key), value.to_vec()))
            .collect()
    }
}

/// A change of a node.
pub(super) enum Link<'a> {
    Set(&'a [u8], &'a [u8]),
    Delete(&'a [u8]),
}

impl<'a> Link<'a> {
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(body);
        match bytes.u8()? {
            0 => Some(Self::Set(bytes.counted()?, bytes.counted()?)),
            1 => Some(Self::Delete(bytes.counted()?)),
            // moves of whole nodes: they change no record
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length() {
        for (bytes, number) in [
            (&[240][..], 240),
            (&[241, 0], 240),
            (&[248, 255], 2287),
            (&[249, 0, 0], 2288),
            (&[250, 0, 0, 1], 0x0001_0000),
            (&[251, 1, 2, 3, 4], 0x0403_0201),
            (&[255, 0, 0, 0, 0, 0, 0, 0, 1], 1 << 56),
        ] {
            let mut left = Bytes(bytes);
            assert_eq!(left.varint(), Some(number), "{bytes:?}");
            assert!(left.0.is_empty());
        }
        assert_eq!(Bytes(&[251, 1]).varint(), None);
    }

    #[test]
    fn cut_nodes_and_links_are_none() {
        let leaf = [
            0, 0, 0, 1, 1, b'd', 0, 0, 2, 1, b'x', 1, b'y', 1, b'1', 1, b'2',
        ];
        let node = Node::read(&leaf).unwrap();
        assert_eq!(node.leaf()[b"dx".as_slice()], b"1");
        assert_eq!(node.leaf()[b"dy".as_slice()], b"2");
        for cut in 0..leaf.len() {
            assert!(Node::read(&leaf[..cut]).is_none(), "cut at {cut}");
        }
        assert!(Link::read(&[0, 5, b'x']).is_none());
        assert!(Link::read(&[]).is_none());
    }
}
