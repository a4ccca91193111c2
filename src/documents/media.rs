//! `media`: codecs, encryption, bypass, early media, fax (devices specification 1.3).

use serde::Deserialize;
use serde::de::Deserializer;

use super::lenient::{self, Lenient, Shape, count, flag};

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Media {
    #[serde(deserialize_with = "codecs")]
    pub audio: Box<[Box<str>]>,
    #[serde(deserialize_with = "codecs")]
    pub video: Box<[Box<str>]>,
    /// The text `auto` of older documents counts as false.
    #[serde(deserialize_with = "flag")]
    pub bypass_media: Option<bool>,
    #[serde(deserialize_with = "lenient::group")]
    pub encryption: Encryption,
    /// The text `auto` of older documents counts as true.
    #[serde(deserialize_with = "fax")]
    pub fax_option: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pub ignore_early_media: Option<bool>,
    /// Seconds.
    #[serde(deserialize_with = "count")]
    pub progress_timeout: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Encryption {
    #[serde(deserialize_with = "enforced", rename = "enforce_security")]
    pub enforce: bool,
    #[serde(deserialize_with = "methods")]
    pub methods: Methods,
}

/// Which of the two encryption methods the phone has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Methods {
    pub srtp: bool,
    pub zrtp: bool,
}

fn enforced<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    Ok(flag(d)?.unwrap_or(false))
}

fn methods<'de, D: Deserializer<'de>>(d: D) -> Result<Methods, D::Error> {
    let names = lenient::texts(d)?;
    let has = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    Ok(Methods {
        srtp: has("srtp"),
        zrtp: has("zrtp"),
    })
}

fn codecs<'de, D: Deserializer<'de>>(d: D) -> Result<Box<[Box<str>]>, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct List {
        #[serde(deserialize_with = "lenient::texts")]
        codecs: Box<[Box<str>]>,
    }
    Ok(lenient::group::<D, List>(d)?.codecs)
}

fn fax<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
    struct AsFax;
    impl Shape<'_> for AsFax {
        type Value = Option<bool>;
        fn truth(self, truth: bool) -> Option<bool> {
            Some(truth)
        }
        fn text(self, text: &str) -> Option<bool> {
            match text {
                "auto" | "true" => Some(true),
                "false" => Some(false),
                _ => None,
            }
        }
    }
    d.deserialize_any(Lenient(AsFax))
}
