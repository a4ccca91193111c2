//! Applications as commands, and how long each may take.

use std::time::Duration;

use super::super::application::Application;
use crate::esl::{Command, CommandError, Line, Message, SendMsg};
use crate::types::HangupCause;

/// For an application that acts at once: FreeSWITCH's 20 ms a queued command, its own work, and
/// the way there and back, with a wide margin.
const PROMPT: Duration = Duration::from_secs(15);
/// A prompt or music file has a length that we don't know; an hour is beyond any.
const LONGEST_PLAYBACK: Duration = Duration::from_secs(3600);

/// How long the application may take once it is its turn; None: until the leg hangs up.
pub(super) fn limit(application: &Application) -> Option<Duration> {
    match application {
        // Rings and talks as long as the parties like; its timers are in the dial string, and
        // the end of the leg or of the node ends the wait.
        Application::Bridge { .. } => None,
        Application::Playback { .. } => Some(PROMPT + LONGEST_PLAYBACK),
        Application::Sleep { ms } => Some(PROMPT + Duration::from_millis(u64::from(*ms))),
        _ => Some(PROMPT),
    }
}

/// `sendmsg` for an application. Every one is event-locked: without it a second application
/// starts inside the first (capture fact 31).
pub(super) fn execute(
    call: Option<&str>,
    application: &Application,
    event_uuid: &str,
) -> Result<Command, CommandError> {
    let body = matches!(
        application,
        Application::Bridge { .. } | Application::Playback { .. }
    );
    Ok(Command::SendMsg(SendMsg {
        call: call.map(|uuid| Line::new("uuid", uuid)).transpose()?,
        message: Message::Execute {
            application: Line::new("application", application.name())?,
            argument: argument(application),
            event_uuid: Some(Line::new("Event-UUID", event_uuid)?),
            argument_by_body: body,
        },
        event_lock: true,
    }))
}

fn argument(application: &Application) -> String {
    match application {
        Application::Answer | Application::PreAnswer | Application::RingReady => String::new(),
        Application::Set { name, value } | Application::Export { name, value } => {
            format!("{name}={}", inert(value))
        }
        Application::Unset { name } => name.clone().into_owned(),
        Application::Playback { media } => inert(media),
        Application::Bridge { dial_string } => dial_string.clone(),
        Application::Respond { status, reason } => {
            let reason = reason.replace(char::is_control, " ");
            format!("{status} {}", inert(&reason))
        }
        Application::Privacy { mode } => (*mode).to_owned(),
        Application::Hangup { cause } => cause.as_str().to_owned(),
        Application::Sleep { ms } => ms.to_string(),
    }
}

/// FreeSWITCH expands the argument of every application, `set` twice, and what a variable holds
/// once more where it is used; a caller's name, or a tenant's media or words for a refusal, with
/// `${system(...)}` in it would run (esl spec 10.4). No value of ours needs expansion, so the signs
/// that begin one are taken out. (A dial string has its own writer, which does the same.)
fn inert(value: &str) -> String {
    if value.contains("${") {
        value.replace('$', "")
    } else {
        value.to_owned()
    }
}

/// `api uuid_kill`: at once, where `sendmsg` hangup waits behind what runs (capture fact 32).
pub(crate) fn kill(call: &str, cause: HangupCause) -> Result<Command, CommandError> {
    Ok(Command::Api {
        command: Line::new("api", "uuid_kill")?,
        argument: Some(Line::new("uuid", format!("{call} {cause}"))?),
    })
}

/// `api uuid_getvar`: one variable of another leg.
pub(super) fn variable(call: &str, name: &'static str) -> Result<Command, CommandError> {
    Ok(Command::Api {
        command: Line::new("api command", "uuid_getvar")?,
        argument: Some(Line::new("uuid", format!("{call} {name}"))?),
    })
}

/// Seconds that a leg stays parked with nobody to drive it; longer than any search for somebody who answers.
const PARKED_FOR_S: u32 = 300;

/// Whether the leg is parked when the one that it is joined to leaves: else FreeSWITCH goes on in the dialplan with a
/// caller whom nobody has answered yet, and the next attempt comes too late (seen live).
pub(super) fn park_when_parted(call: &str, parks: bool) -> Result<Command, CommandError> {
    let variables = if parks {
        format!(
            "park_after_bridge=true;park_timeout={PARKED_FOR_S}:{}",
            HangupCause::NormalTemporaryFailure
        )
    } else {
        "park_after_bridge=;park_timeout=".to_owned()
    };
    Ok(Command::Api {
        command: Line::new("api command", "uuid_setvar_multi")?,
        argument: Some(Line::new("variables", format!("{call} {variables}"))?),
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn written(application: &Application) -> String {
        let mut bytes = bytes::BytesMut::new();
        let command = execute(Some("u-1"), application, "e-1").unwrap();
        command.encode(&mut bytes).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn every_application_is_locked_and_has_an_id_of_ours() {
        let text = written(&Application::Answer).to_ascii_lowercase();
        assert!(text.starts_with("sendmsg u-1\n"), "{text}");
        assert!(text.contains("event-lock: true\n"), "{text}");
        assert!(text.contains("event-uuid: e-1\n"), "{text}");
    }

    #[test]
    fn a_dial_string_travels_in_the_body() {
        let dial_string = "[leg_timeout=20]sofia/internal/sip:a@b".to_owned();
        let text = written(&Application::Bridge {
            dial_string: dial_string.clone(),
        });
        assert!(text.ends_with(&format!("\n\n{dial_string}")), "{text}");
    }

    #[test]
    fn nothing_in_a_value_is_expanded() {
        for hostile in ["${system(id)}", "$${x}", "$$${x}"] {
            let text = written(&Application::Set {
                name: Cow::Borrowed("effective_caller_id_name"),
                value: hostile.to_owned(),
            });
            assert!(!text.contains('$'), "{text}");
            for application in [
                Application::Playback {
                    media: format!("prompts/{hostile}.wav"),
                },
                Application::Respond {
                    status: 486,
                    reason: hostile.to_owned(),
                },
                Application::Export {
                    name: Cow::Borrowed("note"),
                    value: hostile.to_owned(),
                },
            ] {
                let text = written(&application);
                assert!(!text.contains('$'), "{text}");
            }
        }
        let price = written(&Application::Set {
            name: Cow::Borrowed("note"),
            value: "5$".to_owned(),
        });
        assert!(price.contains("note=5$"), "{price}");
    }

    #[test]
    fn the_words_of_a_refusal_are_one_line() {
        let text = written(&Application::Respond {
            status: 486,
            reason: "Gone\r\nfishing".to_owned(),
        });
        assert!(text.contains("486 Gone  fishing"), "{text}");
    }

    #[test]
    fn only_a_bridge_may_take_for_ever() {
        let bridge = Application::Bridge {
            dial_string: String::new(),
        };
        assert_eq!(limit(&bridge), None);
        assert_eq!(limit(&Application::Answer), Some(PROMPT));
        let nap = Application::Sleep { ms: 2_000 };
        assert_eq!(limit(&nap), Some(PROMPT + Duration::from_secs(2)));
    }
}
