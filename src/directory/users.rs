//! Whether a user is there, and what FreeSWITCH is told of him.

use std::sync::Arc;

use super::answer::{Answer, Secret, User};
use super::digest::A1;
use super::question::{self, Proof};
use super::servers;
use super::settings::Settings;
use super::xml::{Unfit, Value};
use crate::documents::{AuthMethod, Device};
use crate::routing::{DialLeg, DialString, Endpoint, Variables};
use crate::store::{Store, StoreError};
use crate::types::{AccountId, DocumentId};

/// An enabled device of an enabled account.
struct Found {
    account: AccountId,
    /// The account's, else the one that was asked for.
    realm: String,
    id: DocumentId,
    device: Arc<Device>,
}

/// The answer to somebody who gives a password.
///
/// # Errors
/// The store can't be read.
pub fn prove(store: &Store, settings: &Settings, proof: &Proof<'_>) -> Result<Answer, StoreError> {
    let who = &proof.who;
    if let Some(to) = &proof.register
        && !(same(&who.user, to.user.as_deref()) && same(&who.domain, to.host.as_deref()))
    {
        // FreeSWITCH proves the name in Authorization and stores the row for To: one user would register as another.
        tracing::warn!(
            user = %who.user, realm = %who.domain,
            to_user = to.user.as_deref(), to_realm = to.host.as_deref(),
            "registration refused: it is for another user than the one whose password is given"
        );
        return Ok(Answer::NotFound);
    }
    // A device wins a clash, be it disabled.
    let found = match find(store, who)? {
        Sought::Device(found) => Ok(found),
        Sought::Nothing => return Ok(Answer::NotFound),
        Sought::NoDevice => match servers::find(store, who)? {
            Some(server) => Err(server),
            None => return Ok(Answer::NotFound),
        },
    };
    if let Ok(found) = &found
        && found.device.sip.method == AuthMethod::Ip
    {
        tracing::debug!(user = %who.user, realm = %who.domain, "this device calls by its address, not by a password");
        return Ok(Answer::NotFound);
    }
    // The digest is made from the name as the phone spells it, which may differ from ours in its case.
    let username = proof.username.as_deref().unwrap_or(&who.user);
    if !same(&who.user, Some(username)) {
        return Ok(Answer::NotFound);
    }
    let realm = proof
        .realm
        .as_deref()
        .filter(|realm| same(&who.domain, Some(realm)));
    let realm = realm.unwrap_or(&who.domain);
    let a1 = match &found {
        Ok(found) => A1::of(
            username,
            realm,
            found.device.sip.password().unwrap_or_default(),
        ),
        Err(server) => server.a1(username, realm),
    };
    let Some(a1) = a1 else {
        tracing::warn!(user = %who.user, realm = %who.domain, "this device or PBX has no password and can't register");
        return Ok(Answer::NotFound);
    };
    let profile = proof.profile.as_deref().unwrap_or(&settings.sip_profile);
    Ok(match &found {
        Ok(found) => written(found, settings, who, a1, profile),
        Err(server) => server.written(settings, who, a1),
    })
}

/// What is known of a user, asked for anything but a password.
///
/// # Errors
/// The store can't be read.
pub fn describe(
    store: &Store,
    settings: &Settings,
    who: &question::User<'_>,
) -> Result<Answer, StoreError> {
    let found = match find(store, who)? {
        Sought::Device(found) => found,
        Sought::Nothing => return Ok(Answer::NotFound),
        Sought::NoDevice => {
            let Some(server) = servers::find(store, who)? else {
                return Ok(Answer::NotFound);
            };
            let a1 = server.a1(&who.user, &who.domain);
            return Ok(server.written(settings, who, a1.unwrap_or_else(A1::unknowable)));
        }
    };
    let sip = &found.device.sip;
    let password = sip
        .password()
        .filter(|_| sip.method == AuthMethod::Password);
    // FreeSWITCH may use the answer for the next registration: without a hash it would let everybody in.
    let a1 = password.and_then(|password| A1::of(&who.user, &who.domain, password));
    let a1 = a1.unwrap_or_else(A1::unknowable);
    Ok(written(&found, settings, who, a1, &settings.sip_profile))
}

/// Name and password for a far end that asks for one on a call of ours to this user.
///
/// # Errors
/// The store can't be read.
pub fn reverse(store: &Store, who: &question::User<'_>) -> Result<Answer, StoreError> {
    let answer = |user: &str, password: &str| -> Result<Answer, Unfit> {
        Ok(Answer::Reverse {
            id: Value::new(&who.user)?,
            domain: Value::new(&who.domain)?,
            user: Value::new(user)?,
            password: Secret(Value::new(password)?),
        })
    };
    let answer = match find(store, who)? {
        Sought::Nothing => None,
        Sought::Device(found) => {
            let pair = found.device.sip.username().zip(found.device.sip.password());
            pair.map(|(user, password)| answer(user, password))
        }
        Sought::NoDevice => {
            let server = match servers::find(store, who)? {
                Some(server) => Some(server),
                None => servers::called(store, who)?,
            };
            let pair = server.as_ref().and_then(servers::Found::secret);
            pair.map(|(user, password)| answer(user, password))
        }
    };
    Ok(match answer {
        Some(Ok(answer)) => answer,
        Some(Err(unfit)) => {
            tracing::warn!(user = %who.user, realm = %who.domain, error = %unfit, "the password can't be told to FreeSWITCH");
            Answer::NotFound
        }
        None => Answer::NotFound,
    })
}

/// What a name stands for among the devices.
enum Sought {
    Device(Found),
    /// A device that is not to be found: disabled, or of a disabled account.
    Nothing,
    NoDevice,
}

fn find(store: &Store, who: &question::User<'_>) -> Result<Sought, StoreError> {
    let Some((account, id)) = store.device_by_address(&who.user, &who.domain)? else {
        return Ok(Sought::NoDevice);
    };
    let Some(device) = store.device(&account, &id)? else {
        return Ok(Sought::NoDevice);
    };
    let document = store.account(&account)?;
    let enabled = document
        .as_ref()
        .is_some_and(|account| account.is_enabled());
    if !enabled || !device.is_enabled() {
        tracing::info!(account_id = %account, device_id = %id, "the device or its account is disabled");
        return Ok(Sought::Nothing);
    }
    let realm = document.and_then(|account| account.realm.as_deref().map(str::to_owned));
    Ok(Sought::Device(Found {
        realm: realm.unwrap_or_else(|| who.domain.to_string()),
        account,
        id,
        device,
    }))
}

/// Names compare without case, as the store's look-ups do.
fn same(known: &str, other: Option<&str>) -> bool {
    other.is_some_and(|other| known == other || known.to_lowercase() == other.to_lowercase())
}

fn written(
    found: &Found,
    settings: &Settings,
    who: &question::User<'_>,
    a1: A1,
    profile: &str,
) -> Answer {
    match user(found, settings, who, a1, profile) {
        Ok(user) => Answer::User(Box::new(user)),
        Err(unfit) => {
            tracing::warn!(
                account_id = %found.account, device_id = %found.id, error = %unfit,
                "this device can't be told to FreeSWITCH"
            );
            Answer::NotFound
        }
    }
}

fn user(
    found: &Found,
    settings: &Settings,
    who: &question::User<'_>,
    a1: A1,
    profile: &str,
) -> Result<User, Unfit> {
    // (Trunkstore specification 6.2, which PBXs have as well.)
    let account = found.account.as_str();
    let mut variables = vec![
        ("user_context", Value::new(&settings.user_context)?),
        ("accountcode", Value::new(account)?),
        ("lf_account_id", Value::new(account)?),
        ("lf_authorizing_type", Value::new("device")?),
        ("lf_authorizing_id", Value::new(found.id.as_str())?),
        ("lf_username", Value::new(&who.user)?),
        ("lf_realm", Value::new(&who.domain)?),
        ("lf_device_id", Value::new(found.id.as_str())?),
    ];
    // Not worth a device that can't register.
    if let Ok(realm) = Value::new(&found.realm) {
        variables.push(("lf_account_realm", realm));
    }
    if let Some(owner) = owner(&found.device) {
        variables.push(("lf_owner_id", Value::new(owner)?));
    }
    Ok(User {
        // FreeSWITCH looks for what it asked for, and makes the channel's user_name and domain_name of it.
        id: Value::new(&who.user)?,
        domain: Value::new(&who.domain)?,
        a1,
        dial_string: dial_string(found, profile, who).and_then(|text| Value::new(&text).ok()),
        cacheable_ms: settings.cacheable_ms,
        variables,
    })
}

/// The effective owner (devices specification 1.1): the only hotdesked user, else `owner_id`.
fn owner(device: &Device) -> Option<&str> {
    match &*device.hotdesk_users {
        [] => device.owner_id.as_deref(),
        [only] => Some(only),
        _ => None,
    }
}

/// The registration of the user, for `user/` endpoints. None: never registered, or a name that a dial string can't hold.
fn dial_string(found: &Found, profile: &str, who: &question::User<'_>) -> Option<String> {
    if found.device.sip.method == AuthMethod::Ip {
        return None;
    }
    let profile = found.device.sip.custom_sip_interface().unwrap_or(profile);
    let address = format!("sofia/{profile}/{}%{}", who.user, who.domain);
    let endpoint = Endpoint::sofia_route(&address).ok()?;
    let leg = DialLeg {
        variables: Variables::default(),
        endpoint,
    };
    let dial_string = DialString {
        global: Variables::default(),
        groups: vec![vec![leg]],
    };
    Some(dial_string.render())
}
