//! What a media reference in a flow means to FreeSWITCH (callflow specification 1.8).

use super::Settings;
use crate::routing::media::may_be_named;
use crate::types::AccountId;

/// The path or URL to play; None for an empty reference and for one that leaves its folder.
#[must_use]
pub fn resolve(reference: &str, account: &AccountId, settings: &Settings) -> Option<String> {
    let reference = reference.trim();
    if reference.is_empty() || reference.chars().any(char::is_control) {
        return None;
    }
    if reference.split('/').any(|part| part == "..") {
        tracing::warn!(account_id = %account, reference, "media outside of its folder is refused");
        return None;
    }
    if !may_be_named(reference) {
        tracing::warn!(account_id = %account, reference, "media of a kind that documents may not name is refused");
        return None;
    }
    let is_url = reference.starts_with("http://") || reference.starts_with("https://");
    if is_url {
        return Some(format!("http_cache://{}", url(reference)));
    }
    if reference.contains('/') {
        return Some(reference.to_owned());
    }
    Some(format!("{}/{account}/{reference}", settings.media_prefix))
}

/// Characters with a meaning to FreeSWITCH's argument parsers, encoded.
fn url(url: &str) -> String {
    const SPECIAL: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
        .add(b' ')
        .add(b'{')
        .add(b'}')
        .add(b'[')
        .add(b']')
        .add(b',')
        .add(b'|')
        .add(b'$')
        .add(b'\\')
        .add(b'\'')
        .add(b'"');
    percent_encoding::utf8_percent_encode(url, SPECIAL).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let account = AccountId::new("acc1").unwrap();
        let of = |reference| resolve(reference, &account, &Settings::default());
        for (reference, expected) in [
            ("", None),
            ("  ", None),
            ("m_coin", Some("/acc1/m_coin")),
            ("hello.wav", Some("/acc1/hello.wav")),
            ("/media/a.wav", Some("/media/a.wav")),
            ("ivr/8000/a.wav", Some("ivr/8000/a.wav")),
            ("../../etc/passwd", None),
            ("..", None),
            ("a\nb", None),
            ("shell_stream:///bin/id", None),
            ("SHELL_STREAM:///bin/id", None),
            ("file:///etc/passwd", None),
            ("tone_stream://x;shell_stream://id", None),
            ("TONE_STREAM://%(1,0,440)", Some("TONE_STREAM://%(1,0,440)")),
            ("local_stream://moh", Some("local_stream://moh")),
            (
                "tone_stream://%(250,50,440)",
                Some("tone_stream://%(250,50,440)"),
            ),
            (
                "http://media.test/a b.mp3?x=1,2",
                Some("http_cache://http://media.test/a%20b.mp3?x=1%2C2"),
            ),
        ] {
            assert_eq!(of(reference).as_deref(), expected, "{reference:?}");
        }
    }
}
