//! `/users/{user}/photo`: a person's picture, a file of the user's document (API specification 4.2).

use bytes::Bytes;
use serde_json::json;

use super::attaching::{Described, attach, unattach};
use super::users::USERS;
use crate::api::reply::{Outcome, Refusal};
use crate::api::request::{Asked, Request};
use crate::api::routes::{Gives, On, Routes, Takes};
use crate::api::sound;
use crate::documents::DocumentType;

pub(super) fn routes(routes: &mut Routes) {
    routes
        .at("/accounts/{account}/users/{user}/photo")
        .get(
            On::new("A user's picture", |asked| async move {
                let user = asked.document(DocumentType::User, "user")?;
                sound::told(&asked, &user).await
            })
            .gives(Gives::Bytes),
        )
        .post(
            On::new("Upload a user's picture", upload)
                .takes(Takes::Upload)
                .gives(Gives::Item("users")),
        )
        .delete(
            On::new("Remove a user's picture", |asked| async move {
                unattach(&USERS, &asked, "user").await
            })
            .gives(Gives::Item("users")),
        );
}

async fn upload(asked: Asked) -> Outcome {
    asked.document(DocumentType::User, "user")?;
    let (kind, bytes) = picture(&asked)?;
    attach(&USERS, &asked, "user", &kind, bytes, Described::Nowhere).await
}

/// The one picture of a request, and what it is.
fn picture(request: &Request) -> Result<(String, Bytes), Refusal> {
    let upload = sound::only_file(request)?;
    let stated = upload.content_type.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.+-_".contains(c);
    let kind = match stated.starts_with("image/") && stated.chars().all(plain) {
        true => Some(stated),
        false => sniffed(&upload.bytes),
    };
    let kind = kind.ok_or_else(|| {
        let message = "Please provide a picture: image/png, image/jpeg and the like";
        match stated {
            "" | "application/octet-stream" | "application/base64" | "application/x-base64" => {
                Refusal::fault(
                    "file",
                    "invalid",
                    json!({"message": message, "cause": stated}),
                )
            }
            other => Refusal::unsupported_media_type(other),
        }
    })?;
    Ok((kind.to_owned(), upload.bytes.clone()))
}

/// What the first bytes say, for uploads that don't.
fn sniffed(bytes: &[u8]) -> Option<&'static str> {
    let starts = |with: &[u8]| bytes.starts_with(with);
    match bytes {
        _ if starts(b"\x89PNG") => Some("image/png"),
        _ if starts(b"\xFF\xD8\xFF") => Some("image/jpeg"),
        _ if starts(b"GIF8") => Some("image/gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        assert_eq!(sniffed(b"\x89PNG\r\n"), Some("image/png"));
        assert_eq!(sniffed(b"\xFF\xD8\xFF\xE0"), Some("image/jpeg"));
        assert_eq!(sniffed(b"RIFF\0\0\0\0WEBPVP8"), Some("image/webp"));
        assert_eq!(sniffed(b"RIFF\0\0\0\0WAVE"), None);
        assert_eq!(sniffed(b""), None);
    }
}
