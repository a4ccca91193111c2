//! What FreeSWITCH wants to know (event socket specification 6.2).

use std::borrow::Cow;

use super::dialplan::Channel;
use super::form::Form;

/// A question, as far as it is one that we answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question<'a> {
    /// Somebody gives a password for this user: `sip_auth`.
    Proof(Proof<'a>),
    /// What is known of a user: `user_call`, `user_data`, or the user that an address list names.
    User(User<'a>),
    /// Which addresses stand for users of a domain.
    Networks { domain: Cow<'a, str> },
    /// The file acl.conf.
    AddressLists,
    /// The gateways of a sofia profile.
    Gateways { profile: Cow<'a, str> },
    /// A far end wants a password on a call that we make to this user: `reverse-auth-lookup`.
    Reverse(User<'a>),
    /// Where a call goes; None: its fields contradict one another.
    Dialplan(Option<Channel>),
    /// Nothing of ours: groups, voicemail and the like.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User<'a> {
    pub user: Cow<'a, str>,
    pub domain: Cow<'a, str>,
}

/// The digest behind a `sip_auth` question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof<'a> {
    pub who: User<'a>,
    /// The user name and realm in the phone's own spelling.
    pub username: Option<Cow<'a, str>>,
    pub realm: Option<Cow<'a, str>>,
    /// The sofia profile that asks.
    pub profile: Option<Cow<'a, str>>,
    /// The address that it comes from.
    pub address: Option<Cow<'a, str>>,
    /// Whose registration it is meant for; None: no REGISTER.
    pub register: Option<To<'a>>,
}

/// The To header of a REGISTER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct To<'a> {
    pub user: Option<Cow<'a, str>>,
    pub host: Option<Cow<'a, str>>,
}

impl<'a> Question<'a> {
    #[must_use]
    pub fn read(form: &Form<'a>) -> Self {
        match form.first("section").as_deref() {
            Some("directory") => directory(form),
            // The name of the file is FreeSWITCH's own here, no peer's.
            Some("configuration") if form.first("key_value").as_deref() == Some("acl.conf") => {
                Question::AddressLists
            }
            Some("dialplan") => Question::Dialplan(Channel::read(form)),
            _ => Question::Other,
        }
    }
}

fn directory<'a>(form: &Form<'a>) -> Question<'a> {
    let action = form.last("action");
    let domain = form.last("domain");
    if action.is_none() && form.last("purpose").as_deref() == Some("network-list") {
        return domain.map_or(Question::Other, |domain| Question::Networks { domain });
    }
    if action.is_none() && form.last("purpose").as_deref() == Some("gateways") {
        let profile = form.last("profile");
        return profile.map_or(Question::Other, |profile| Question::Gateways { profile });
    }
    if action.is_none() && form.last("purpose").is_some() {
        return Question::Other;
    }
    // Asked a second time by `number-alias` when there is no such id; devices have none.
    if form.last("key").is_some_and(|key| key != "id") {
        return Question::Other;
    }
    let Some((user, domain)) = form.last("user").zip(domain) else {
        return Question::Other;
    };
    let who = User { user, domain };
    match action.as_deref() {
        Some("sip_auth") => {
            let method = form.last("sip_auth_method");
            let register = method.is_some_and(|method| method.eq_ignore_ascii_case("REGISTER"));
            Question::Proof(Proof {
                who,
                username: form.last("sip_auth_username"),
                realm: form.last("sip_auth_realm"),
                profile: form.last("sip_profile"),
                address: form.last("ip"),
                register: register.then(|| To {
                    user: form.last("sip_to_user"),
                    host: form.last("sip_to_host"),
                }),
            })
        }
        Some("reverse-auth-lookup") => Question::Reverse(who),
        None | Some("user_call") => Question::User(who),
        Some(_) => Question::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Question<'_> {
        Question::read(&Form::parse(body.as_bytes()))
    }

    #[test]
    fn what_is_not_ours_is_left() {
        let others = [
            "",
            "section=directory",
            "section=directory&user=1001",
            "section=directory&purpose=gateways",
            "section=directory&purpose=publish-vm&user=1001&domain=a",
            "section=directory&action=group_call&group=x&domain=a&user=1",
            "section=directory&action=voicemail-lookup&key=id&user=1&domain=a",
            "section=directory&action=event_socket_auth&key=id&user=1&domain=a",
            "section=directory&action=message-count&key=id&user=1&domain=a",
            "section=directory&key=number-alias&user=1&domain=a",
            "section=directory&purpose=network-list",
            "section=configuration&key_value=sofia.conf",
            "section=phrases&user=1&domain=a",
        ];
        for body in others {
            assert_eq!(read(body), Question::Other, "{body}");
        }
    }

    #[test]
    fn gateways_and_reverse_look_ups() {
        let body = "section=directory&Event-Name=REQUEST_PARAMS&purpose=gateways&profile=trunk";
        assert_eq!(
            read(body),
            Question::Gateways {
                profile: "trunk".into()
            }
        );
        let body = "section=directory&action=reverse-auth-lookup&key=id&user=1&domain=a";
        assert!(matches!(read(body), Question::Reverse(who) if who.user == "1"));
    }

    #[test]
    fn a_register_tells_whose() {
        let body = "section=directory&action=sip_auth&sip_auth_method=register&user=1&domain=a&sip_to_host=b";
        let Question::Proof(proof) = read(body) else {
            panic!("no proof");
        };
        let to = proof.register.unwrap();
        assert_eq!((to.user, to.host.as_deref()), (None, Some("b")));
        let body = "section=directory&action=sip_auth&sip_auth_method=INVITE&user=1&domain=a&sip_to_host=b";
        assert!(matches!(read(body), Question::Proof(proof) if proof.register.is_none()));
    }
}
