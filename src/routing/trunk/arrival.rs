//! Who is calling (trunkstore specification 2.1, 3.1, 6.1, 6.3).

use super::numbers::{self, Owner};
use super::request::Request;
use super::settings::UserField;
use super::world::{Place, Unreadable, World};
use crate::documents::Account;
use crate::routing::Explain;
use crate::routing::carriers::{Matched, Origin, Sender};
use crate::routing::numbers::Normalizer;
use crate::types::DocumentId;

/// Who a call comes from.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// A carrier; None: one that is trusted without being known.
    Carrier(Option<Box<Sender>>),
    Server(Place),
    /// Nobody that is known by its credentials or its address.
    Stranger,
}

/// Whom a pair of user and realm names where both a device and a server have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials<D> {
    Device(D),
    Server(Place),
}

/// The device wins: it was there first in every account that has grown out of phones.
#[must_use]
pub fn credentials<D>(device: Option<D>, server: Option<Place>) -> Option<Credentials<D>> {
    let device = device.map(Credentials::Device);
    device.or(server.map(Credentials::Server))
}

/// Says who is calling.
///
/// # Errors
/// The store can't be read.
pub fn arrive(
    request: &Request<'_>,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Arrival, Unreadable> {
    if request.source.digest.is_some() || request.source.server.is_some() {
        let server = calling_server(request, world, explain)?;
        return Ok(server.map_or(Arrival::Stranger, Arrival::Server));
    }
    if request.source.trusted {
        return Ok(Arrival::Carrier(None));
    }
    let server = calling_server(request, world, explain)?;
    let sender = sender(request, world, explain)?;
    Ok(match (server, sender) {
        (None, None) => Arrival::Stranger,
        (Some(server), None) => Arrival::Server(server),
        (None, Some(sender)) => Arrival::Carrier(Some(Box::new(sender))),
        (Some(server), Some(sender)) => {
            // An address that is both: a call for somebody else's number is the carrier's.
            let number = dialed(request, request.trunk().inbound_user_field);
            let number = Normalizer::us().e164(&number);
            let foreign = match Owner::of(&number, world, explain)? {
                Owner::Account(owned) => owned.account_id != server.account,
                Owner::Disabled(account) => account != server.account,
                Owner::Nobody => false,
            };
            let who = if foreign { "carrier" } else { "PBX" };
            explain.note(
                "source",
                format_args!("carrier and PBX at once; taken for the {who}"),
            );
            match foreign {
                true => Arrival::Carrier(Some(Box::new(sender))),
                false => Arrival::Server(server),
            }
        }
    })
}

/// The carrier at the address that the call came from. What its From says proves nothing.
pub(super) fn sender(
    request: &Request<'_>,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Option<Sender>, Unreadable> {
    let Some((ip, port)) = request.source.address else {
        return Ok(None);
    };
    let from_host = request.source.from_host;
    let realm = from_host.or(request.source.digest.map(|digest| digest.realm));
    let account = match realm {
        Some(realm) => world.account_by_realm(realm)?,
        None => None,
    };
    let sender = world.sender(&Origin {
        ip,
        port,
        from_host,
        account: account.as_ref(),
    });
    let sender = sender.filter(|sender| sender.matched == Matched::Address);
    match &sender {
        Some(sender) => explain.note(
            "source",
            format_args!("{ip}:{port} is the carrier {}", sender.id),
        ),
        None => explain.note("source", format_args!("{ip}:{port} is no carrier")),
    }
    Ok(sender)
}

/// The server that is calling: by verified credentials, or by address alone.
pub(super) fn calling_server(
    request: &Request<'_>,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Option<Place>, Unreadable> {
    if let Some(place) = request.source.server {
        let (id, index) = (&place.connectivity, place.server);
        explain.note(
            "source",
            format_args!("transferred by server {index} of {id}"),
        );
        return Ok(Some(place.clone()));
    }
    let found = match (request.source.digest, request.source.address) {
        (Some(digest), _) => {
            let found = world.server_by_address(digest.user, digest.realm)?;
            if found.is_none() {
                let (user, realm) = (digest.user, digest.realm);
                explain.note(
                    "source",
                    format_args!("no server has the credentials {user}@{realm}"),
                );
            }
            found
        }
        (None, Some((ip, _))) => {
            let mut places = world.servers_by_ip(ip)?;
            places.sort();
            let owner = places.first().map(|place| place.account.clone());
            if places
                .iter()
                .any(|place| Some(&place.account) != owner.as_ref())
            {
                // Whom to bill would be a matter of which row came first.
                tracing::error!(%ip, "servers of several accounts have this address; none of them can call");
                explain.note(
                    "source",
                    format_args!("{ip} is a server of several accounts"),
                );
                return Ok(None);
            }
            places.into_iter().next()
        }
        (None, None) => None,
    };
    let Some(place) = found else {
        return Ok(None);
    };
    let (id, index) = (&place.connectivity, place.server);
    explain.note(
        "source",
        format_args!("server {index} of {id}, account {}", place.account),
    );
    referred(request, place, world, explain).map(Some)
}

/// A call that was referred or redirected is made for who did so, if that is a server of the same
/// account.
fn referred(
    request: &Request<'_>,
    place: Place,
    world: &dyn World,
    explain: &mut dyn Explain,
) -> Result<Place, Unreadable> {
    for header in ["Referred-By", "Diversion-By"] {
        let Some((user, host)) = request.header(header).and_then(address) else {
            continue;
        };
        let Some(by) = world.server_by_address(user, host)? else {
            continue;
        };
        if by.account == place.account {
            explain.note(
                "source",
                format_args!("{header} names server {} of {}", by.server, by.connectivity),
            );
            return Ok(by);
        }
    }
    Ok(place)
}

/// User and host of the first URI in a header.
pub(super) fn address(header: &str) -> Option<(&str, &str)> {
    let (_, rest) = header
        .split_once("sip:")
        .or_else(|| header.split_once("sips:"))?;
    let rest = rest.split(['>', ';', '?', ' ']).next().unwrap_or_default();
    let (user, host) = rest.split_once('@')?;
    let host = host.split(':').next().unwrap_or_default();
    (!user.is_empty() && !host.is_empty()).then_some((user, host))
}

/// The number that is called, as it was dialled.
pub(super) fn dialed(request: &Request<'_>, field: UserField) -> String {
    let (first, second) = match field {
        UserField::Request => (request.request_user, request.to_user),
        UserField::To => (request.to_user, request.request_user),
    };
    let first = numbers::without_parameters(first);
    match first {
        "" => numbers::without_parameters(second).to_owned(),
        first => first.to_owned(),
    }
}

/// What the caller's account makes of a dialled number: its dial plan, then its number rules.
pub(super) fn normalized(request: &Request<'_>, account: &Account, dialed: &str) -> String {
    use crate::routing::{dialing, numbers as rules};
    let normalizer = dialing::normalizer(account);
    let Some(plan) = account.attributes.dial_plan.as_deref() else {
        return normalizer.e164(dialed);
    };
    let system = request.settings.system_dial_plans.plans();
    let rewritten = rules::rewrite(&[&rules::DialPlan::new(plan)], system, dialed);
    let number = normalizer.e164(&rewritten);
    // A dial plan that disfigures an emergency number must not cost the call.
    let plain = normalizer.e164(dialed);
    match numbers::class(&plain) {
        dialing::EMERGENCY if numbers::class(&number) != dialing::EMERGENCY => plain,
        _ => number,
    }
}

/// The id of the resource that delivered a call.
pub(super) fn resource_of(sender: Option<&Sender>) -> Option<DocumentId> {
    sender.map(|sender| sender.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::AccountId;

    #[test]
    fn a_device_wins_a_clash_with_a_server() {
        let place = Place {
            account: AccountId::new("a").unwrap(),
            connectivity: DocumentId::new("c").unwrap(),
            server: 0,
        };
        let both = credentials(Some(1), Some(place.clone()));
        assert_eq!(both, Some(Credentials::Device(1)));
        assert_eq!(
            credentials::<u8>(None, Some(place.clone())),
            Some(Credentials::Server(place))
        );
        assert_eq!(credentials::<u8>(None, None), None);
    }

    #[test]
    fn the_address_in_a_header() {
        for (header, found) in [
            (
                "<sip:trunk1@alpha.example>;reason=x",
                Some(("trunk1", "alpha.example")),
            ),
            ("\"A\" <sips:a@b:5061;x=y>", Some(("a", "b"))),
            ("sip:a@b", Some(("a", "b"))),
            ("<sip:b>", None),
            ("tel:+1", None),
        ] {
            assert_eq!(address(header), found, "{header}");
        }
    }
}
