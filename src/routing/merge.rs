//! One endpoint out of account, owner and device (devices specification 1.1, 1.2).
//!
//! Nothing is copied: a merged endpoint is three references, and each accessor walks the levels in
//! the order of its own rule. Every value comes with the level that it was found at, so that a
//! decision can be explained.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::documents::{
    Account, Asserted, Attributes, CallForward, CallerIdKind, Device, Formatters, OutboundPrivacy,
    Text, User,
};
use crate::types::DocumentId;

/// Which document a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Account,
    Owner,
    Device,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Account => "account",
            Level::Owner => "owner",
            Level::Device => "device",
        })
    }
}

/// A value and where it was found.
pub type Found<T> = Option<(T, Level)>;

/// Call forwarding after merging, defaults applied (devices specification 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forward<'a> {
    pub number: &'a str,
    pub enabled: bool,
    pub failover: bool,
    pub substitute: bool,
    pub direct_calls_only: bool,
    pub keep_caller_id: bool,
    pub require_keypress: bool,
    pub ignore_early_media: bool,
    /// Where the number was found.
    pub from: Level,
}

/// The endpoint that a device is together with its owner and account.
#[derive(Debug, Clone)]
pub struct Merged<'a> {
    pub account: &'a Account,
    /// None only for a caller of whom no device document is known.
    pub device: Option<&'a Device>,
    /// The effective owner.
    pub owner: Option<(&'a DocumentId, &'a User)>,
    /// Several users hotdesked at once: nobody is the owner, only restrictions look at them.
    pub hotdesked: Vec<&'a User>,
    /// Exactly one user is hotdesked, whose restrictions replace the device's.
    pub hotdesk_owner: bool,
}

impl<'a> Merged<'a> {
    /// The endpoint of a device, given the user documents that exist for its owner and its
    /// hotdesked users.
    #[must_use]
    pub fn of_device(
        account: &'a Account,
        device: &'a Device,
        users: &'a [(DocumentId, Arc<User>)],
    ) -> Self {
        let find = |id: &str| {
            let found = users.iter().find(|(known, _)| known.as_str() == id);
            found.map(|(id, user)| (id, &**user))
        };
        let mut merged = Self {
            account,
            device: Some(device),
            owner: None,
            hotdesked: Vec::new(),
            hotdesk_owner: false,
        };
        match &*device.hotdesk_users {
            [] => merged.owner = device.owner_id.as_deref().and_then(find),
            [only] => {
                merged.owner = find(only);
                merged.hotdesk_owner = merged.owner.is_some();
            }
            several => {
                let known = several.iter().filter_map(|id| find(id));
                merged.hotdesked = known.map(|(_, user)| user).collect();
            }
        }
        merged
    }

    /// The endpoint of a caller, whose effective owner is known already. Without device and owner
    /// nothing is configured for the caller, not even by the account.
    #[must_use]
    pub fn of_caller(
        account: &'a Account,
        device: Option<&'a Device>,
        owner: Option<(&'a DocumentId, &'a User)>,
    ) -> Option<Self> {
        (device.is_some() || owner.is_some()).then(|| Self {
            account,
            device,
            owner,
            hotdesked: Vec::new(),
            hotdesk_owner: false,
        })
    }

    fn at(&self, level: Level) -> Option<&'a Attributes> {
        match level {
            Level::Account => Some(&self.account.attributes),
            Level::Owner => self.owner.map(|(_, user)| &user.attributes),
            Level::Device => self.device.map(|device| &device.attributes),
        }
    }

    fn first<T>(
        &self,
        order: [Level; 3],
        pick: impl Fn(Level, &'a Attributes) -> Option<T>,
    ) -> Found<T> {
        order.into_iter().find_map(|level| {
            let value = pick(level, self.at(level)?)?;
            Some((value, level))
        })
    }

    /// Caller id by key; empty values are absent already.
    fn caller_id_order(&self) -> [Level; 3] {
        if self.account.prefer_device_caller_id {
            DEVICE_FIRST
        } else {
            OWNER_FIRST
        }
    }

    /// The configured number of an identity.
    #[must_use]
    pub fn caller_number(&self, kind: CallerIdKind) -> Found<&'a str> {
        let number = |_, attributes: &'a Attributes| {
            let identity = attributes.caller_id.as_ref()?.identity(kind);
            identity.number.as_deref()
        };
        self.first(self.identity_order(kind), number)
    }

    /// The configured name of an identity; the owner's full name counts as his internal name.
    #[must_use]
    pub fn caller_name(&self, kind: CallerIdKind) -> Found<Cow<'a, str>> {
        let name = |level, attributes: &'a Attributes| {
            let configured = attributes.caller_id.as_ref();
            let configured = configured.and_then(|ids| ids.identity(kind).name.as_deref());
            if configured.is_none() && level == Level::Owner && kind == CallerIdKind::Internal {
                return self.owner.and_then(|(_, user)| user.full_name());
            }
            configured.map(Cow::Borrowed)
        };
        self.first(self.identity_order(kind), name)
    }

    /// The device's own emergency identity beats everybody's: it says where the phone stands.
    fn identity_order(&self, kind: CallerIdKind) -> [Level; 3] {
        match kind {
            CallerIdKind::Emergency => DEVICE_FIRST,
            CallerIdKind::Internal | CallerIdKind::External => self.caller_id_order(),
        }
    }

    /// One part of the asserted identity.
    #[must_use]
    pub fn asserted(&self, part: impl Fn(&'a Asserted) -> &'a Text) -> Found<&'a str> {
        self.first(self.caller_id_order(), |_, attributes| {
            let asserted = attributes.caller_id.as_ref()?.asserted.as_ref()?;
            part(asserted).as_deref()
        })
    }

    #[must_use]
    pub fn outbound_privacy(&self) -> Found<OutboundPrivacy> {
        self.first(OWNER_FIRST, |_, attributes| {
            attributes.caller_id_options.as_ref()?.outbound_privacy
        })
    }

    /// `caller_id_options.ignore_completed_elsewhere`, then the device's `sip` one.
    #[must_use]
    pub fn ignore_completed_elsewhere(&self) -> Found<bool> {
        let options = self.first(OWNER_FIRST, |_, attributes| {
            attributes
                .caller_id_options
                .as_ref()?
                .ignore_completed_elsewhere
        });
        let sip = || self.device?.sip.ignore_completed_elsewhere;
        options.or_else(|| Some((sip()?, Level::Device)))
    }

    #[must_use]
    pub fn music_on_hold(&self) -> Found<&'a str> {
        self.first(OWNER_FIRST, |_, attributes| {
            attributes.music_on_hold.as_ref()?.media_id.as_deref()
        })
    }

    /// The ringtone for callers of the account, or for those from outside.
    #[must_use]
    pub fn ringtone(&self, onnet: bool) -> Found<&'a str> {
        self.first(OWNER_FIRST, |_, attributes| {
            let ringtones = attributes.ringtones.as_ref()?;
            if onnet {
                ringtones.internal.as_deref()
            } else {
                ringtones.external.as_deref()
            }
        })
    }

    #[must_use]
    pub fn language(&self) -> Found<&'a str> {
        self.first(OWNER_FIRST, |_, attributes| attributes.language.as_deref())
    }

    /// The configured presence id, without the fall-back to the SIP username.
    #[must_use]
    pub fn presence_id(&self) -> Found<&'a str> {
        self.first(OWNER_FIRST, |_, attributes| {
            attributes.presence_id.as_deref()
        })
    }

    /// True unless a level switches it off; the device decides before its owner.
    #[must_use]
    pub fn call_waiting(&self) -> (bool, Option<Level>) {
        let found = self.first(DEVICE_FIRST, |_, attributes| attributes.call_waiting);
        found.map_or((true, None), |(enabled, level)| (enabled, Some(level)))
    }

    /// The first level that asks not to be disturbed; none can switch it off for another.
    #[must_use]
    pub fn do_not_disturb(&self) -> Option<Level> {
        let asked = |_, attributes: &'a Attributes| attributes.do_not_disturb?.then_some(());
        self.first(OWNER_FIRST, asked).map(|((), level)| level)
    }

    /// None: no number, so no forwarding.
    #[must_use]
    pub fn forward(&self) -> Option<Forward<'a>> {
        let own = self.at(Level::Device).and_then(forwarding);
        let alone = own.is_some_and(|forward| forward.enabled == Some(true));
        let owner = match alone {
            true => None,
            false => self.at(Level::Owner).and_then(forwarding),
        };
        let flag = |pick: fn(&CallForward) -> Option<bool>, default| {
            let owner = owner.and_then(pick);
            owner.or_else(|| own.and_then(pick)).unwrap_or(default)
        };
        let number = |forward: Option<&'a CallForward>| {
            let number = forward?.number.as_deref()?.trim();
            (!number.is_empty()).then_some(number)
        };
        let owners = number(owner).map(|number| (number, Level::Owner));
        let (number, from) = owners.or_else(|| Some((number(own)?, Level::Device)))?;
        Some(Forward {
            number,
            from,
            enabled: flag(|f| f.enabled, false),
            failover: flag(|f| f.failover, false),
            substitute: flag(|f| f.substitute, true),
            direct_calls_only: flag(|f| f.direct_calls_only, false),
            keep_caller_id: flag(|f| f.keep_caller_id, true),
            require_keypress: flag(|f| f.require_keypress, true),
            ignore_early_media: flag(|f| f.ignore_early_media, true),
        })
    }

    /// What the endpoint is called if nothing else names it.
    #[must_use]
    pub fn name(&self) -> Found<Cow<'a, str>> {
        let owner = self.owner.and_then(|(_, user)| user.full_name());
        let device = || Some(Cow::Borrowed(self.device?.name.as_deref()?));
        let account = || Some(Cow::Borrowed(self.account.name.as_deref()?));
        owner
            .map(|name| (name, Level::Owner))
            .or_else(|| Some((device()?, Level::Device)))
            .or_else(|| Some((account()?, Level::Account)))
    }

    /// The SIP domain of the endpoint; watchers subscribe under the account's.
    #[must_use]
    pub fn realm(&self) -> Option<&'a str> {
        let device = self.device.and_then(|device| device.sip.realm());
        device.or(self.account.realm.as_deref())
    }

    /// The formatters of one key at every level, strongest first.
    pub(super) fn formatters(
        &self,
        same_key: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = &'a Formatters> {
        OWNER_FIRST.into_iter().filter_map(move |level| {
            let table = self.at(level)?.formatters.as_ref()?;
            let found = table.iter().find(|(key, _)| same_key(key));
            found.map(|(_, formatters)| formatters)
        })
    }

    /// The attributes of every level, weakest first: for what is joined and not chosen.
    pub(super) fn levels(&self) -> impl Iterator<Item = (Level, &'a Attributes)> {
        let order = [Level::Account, Level::Device, Level::Owner];
        order
            .into_iter()
            .filter_map(|level| Some((level, self.at(level)?)))
    }

    /// Flags that select trunks: lists of all levels joined, duplicates dropped.
    #[must_use]
    pub fn outbound_flags(&self) -> (Vec<&'a str>, Vec<&'a str>) {
        let (mut fixed, mut dynamic) = (Vec::new(), Vec::new());
        let add = |into: &mut Vec<&'a str>, flags: &'a [Box<str>]| {
            for flag in flags {
                if !into.contains(&&**flag) {
                    into.push(flag);
                }
            }
        };
        for (_, attributes) in self.levels() {
            if let Some(flags) = &attributes.outbound_flags {
                add(&mut fixed, &flags.fixed);
                add(&mut dynamic, &flags.dynamic);
            }
        }
        (fixed, dynamic)
    }
}

const OWNER_FIRST: [Level; 3] = [Level::Owner, Level::Device, Level::Account];
const DEVICE_FIRST: [Level; 3] = [Level::Device, Level::Owner, Level::Account];

fn forwarding(attributes: &Attributes) -> Option<&CallForward> {
    attributes.call_forward.as_deref()
}
