//! FreeSWITCH's percent-encoding of event values.

use std::borrow::Cow;

use bytes::BytesMut;

/// Decodes `%XX`; a `%` without two hex digits is literal. Any bytes may come out.
#[must_use]
pub fn percent_decode(_bytes: &[u8]) -> Cow<'_, [u8]> {
    unimplemented!()
}

/// Encodes as FreeSWITCH does for events: text that is already `%XX` stays as it is.
pub fn percent_encode(_bytes: &[u8], _out: &mut BytesMut) {
    unimplemented!()
}
