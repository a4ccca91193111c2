//! Where a header lies in its block of bytes.

/// One `name: value` line of a block: offsets, in bytes. `colon == end` says that the line has no colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) colon: u32,
    pub(super) end: u32,
}

impl Span {
    pub(super) fn name(self, block: &[u8]) -> &[u8] {
        slice(block, self.start, self.colon)
    }

    /// All that follows the colon.
    pub(super) fn behind_colon(self, block: &[u8]) -> &[u8] {
        slice(block, self.colon.saturating_add(1), self.end)
    }

    /// The value as FreeSWITCH reads it: what follows the colon and the spaces behind it.
    pub(super) fn value(self, block: &[u8]) -> &[u8] {
        let mut value = self.behind_colon(block);
        while let [b' ', rest @ ..] = value {
            value = rest;
        }
        value
    }

    pub(super) fn line(self, block: &[u8]) -> &[u8] {
        slice(block, self.start, self.end)
    }

    pub(super) fn has_colon(self) -> bool {
        self.colon < self.end
    }

    pub(super) fn is_named(self, name: &str, block: &[u8]) -> bool {
        self.has_colon()
            && (self.colon - self.start) as usize == name.len()
            && self.name(block).eq_ignore_ascii_case(name.as_bytes())
    }
}

fn slice(block: &[u8], start: u32, end: u32) -> &[u8] {
    block.get(start as usize..end as usize).unwrap_or_default()
}

/// Offsets are 32 bits wide; no block is larger than the decoder's limits, which stay below that.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Text for people: bytes that are not UTF-8 replaced.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Finds the headers of a plain block in one pass and pushes their spans; lines without a colon
/// are no headers. Returns where the rest begins, behind the empty line, or None if there is none.
pub(super) fn index_block(block: &[u8], spans: &mut Vec<Span>) -> Option<usize> {
    let (mut start, mut colon) = (0, None);
    for at in memchr::memchr2_iter(b':', b'\n', block) {
        if block.get(at) == Some(&b':') {
            colon = colon.or(Some(at));
            continue;
        }
        let mut end = at;
        if end > start && block.get(end - 1) == Some(&b'\r') {
            end -= 1;
        }
        if end == start {
            return Some(at + 1);
        }
        push_line(start, colon, end, spans);
        (start, colon) = (at + 1, None);
    }
    if start < block.len() {
        push_line(start, colon, block.len(), spans);
    }
    None
}

fn push_line(start: usize, colon: Option<usize>, end: usize, spans: &mut Vec<Span>) {
    if let Some(colon) = colon.filter(|colon| *colon < end) {
        spans.push(Span {
            start: offset(start),
            colon: offset(colon),
            end: offset(end),
        });
    }
}
