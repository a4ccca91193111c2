//! `call`: one simulated call against a store, its events and its path.

mod copy;
mod tell;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use super::arguments::{Behaviour, Call, HandoffWay, Setting};
use super::demo;
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use super::simulation::{Simulation, Wanted, perform};
use super::{open, route};
use crate::callflow::{CallReport, Context, Explanation, explain};
use crate::config::Config;
use crate::sim::{CallResult, CallSpec, Handoff, Patience, PhoneScript};
use crate::store::Store;
use crate::types::{AccountId, DocumentId};

/// Where a caller who is no device comes from: the simulated node trusts it as a carrier.
const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

/// Who calls, as FreeSWITCH would know it.
enum Caller {
    /// `user@realm`.
    Device(String),
    Number(String),
}

/// What is to be played.
struct Play {
    simulation: Simulation,
    node: String,
    /// What the reader should know about the phones.
    remarks: Vec<String>,
}

pub fn call(file: Option<&Path>, asked: &Call) -> Outcome {
    let (config, store) = opened(file, &asked.setting)?;
    let context = Context::new(
        store.clone(),
        config.routing.clone(),
        config.callflow.clone(),
    );
    let explanation = explain(
        &context,
        &route::question(&asked.from, &asked.to, &asked.setting),
    )?;
    let caller = caller_of(&store, &explanation)?;
    let (remarks, result, report) = perform(async {
        let play = match asked.setting.demo {
            true => of_demo().await?,
            false => of_store(config, &store, &explanation, asked.phones).await?,
        };
        let Play {
            mut simulation,
            node,
            remarks,
        } = play;
        let spec = spec(asked, &caller, &simulation);
        let placed = simulation.place(&node, spec)?;
        let (result, report) = simulation.outcome(&placed).await?;
        simulation.stop().await?;
        Ok((remarks, result, report))
    })?;
    print(asked, &caller, &remarks, &result, report.as_ref())
}

/// The configuration and store that are meant. The demo has a configuration of its own: nothing on this machine bears on
/// it.
fn opened(file: Option<&Path>, setting: &Setting) -> Result<(Config, Store), Failure> {
    if setting.demo {
        return Ok((demo::settings()?, demo::documents::store()?));
    }
    let config = Config::load(file)?;
    let store = open::existing(file, setting.store.as_ref())?;
    Ok((config, store))
}

fn caller_of(store: &Store, explanation: &Explanation) -> Result<Caller, Failure> {
    let (Some(account), Some(device)) = (&explanation.account_id, &explanation.device_id) else {
        return Ok(Caller::Number(explanation.from.clone()));
    };
    let address = address_of(store, account, device)?;
    address
        .map(|(user, realm)| Caller::Device(format!("{user}@{realm}")))
        .ok_or_else(|| {
            let message =
                format!("device {device} can't call: it has no sip.username, or no realm");
            Failure::new(Exit::Data, message)
        })
}

/// A device's `username` and realm, if it has both.
fn address_of(
    store: &Store,
    account: &AccountId,
    device: &DocumentId,
) -> Result<Option<(String, String)>, Failure> {
    let Some(found) = store.device(account, device)? else {
        return Ok(None);
    };
    let of_account = store.account(account)?;
    let of_account = of_account.as_ref().and_then(|found| found.realm.as_deref());
    let realm = found.sip.realm().or(of_account);
    let address = found.sip.username().zip(realm);
    Ok(address.map(|(user, realm)| (user.to_owned(), realm.to_owned())))
}

async fn of_demo() -> Result<Play, Failure> {
    Ok(Play {
        simulation: demo::simulation().await?,
        node: "fs1".to_owned(),
        remarks: vec!["The phones are those of the demo.".to_owned()],
    })
}

/// The account of the call, copied into a temporary store: simulated registrations must not stay in the real one.
async fn of_store(
    config: Config,
    store: &Store,
    explanation: &Explanation,
    behaviour: Behaviour,
) -> Result<Play, Failure> {
    let script = script(behaviour);
    let mut phones = Vec::new();
    let mut remarks = Vec::new();
    let mut copied = Store::temporary()?;
    if let Some(account) = &explanation.account_id {
        copied = copy::account(store, account)?;
        phones = copy::phones(store, account, &script, &mut remarks)?;
    }
    let node = explanation.node.to_string();
    let wanted = vec![Wanted {
        name: node.clone(),
        sip: None,
        others: Some(script),
    }];
    let simulation = Simulation::start(config, copied, wanted).await?;
    simulation.connect(&phones).await?;
    Ok(Play {
        simulation,
        node,
        remarks,
    })
}

fn script(behaviour: Behaviour) -> PhoneScript {
    let ring = Duration::from_secs(1);
    match behaviour {
        Behaviour::Answer => PhoneScript::answers_after(ring),
        Behaviour::Busy => PhoneScript::refuses(486),
        Behaviour::Ring => PhoneScript::rings(),
        Behaviour::Decline => PhoneScript::refuses_after(ring, 603),
    }
}

fn spec(asked: &Call, caller: &Caller, simulation: &Simulation) -> CallSpec {
    let handoff = match asked.by {
        HandoffWay::Socket => Handoff::Socket(simulation.listening()),
        HandoffWay::Park => Handoff::Park,
    };
    let (spec, number) = match caller {
        Caller::Device(address) => {
            let user = address.split('@').next().unwrap_or(address);
            (CallSpec::device(address, &asked.to, handoff), user)
        }
        Caller::Number(number) => (
            CallSpec::trunk(CARRIER, number, &asked.to, handoff),
            number.as_str(),
        ),
    };
    let name = asked.setting.caller_name.as_deref().unwrap_or(number);
    spec.with_caller_id(name, number)
        .hanging_up_after(Patience::FromAnswer(Duration::from_secs(1)))
}

fn print(
    asked: &Call,
    caller: &Caller,
    remarks: &[String],
    result: &CallResult,
    report: Option<&CallReport>,
) -> Outcome {
    let mut out = Output::new();
    let (Caller::Device(who) | Caller::Number(who)) = caller;
    let by = match asked.by {
        HandoffWay::Socket => "socket",
        HandoffWay::Park => "park",
    };
    out.line(format_args!(
        "{who} calls {} by {by}; simulated, {} times faster than life",
        asked.to,
        super::simulation::SPEED
    ))?;
    for remark in remarks {
        out.line(remark)?;
    }
    tell::events(&mut out, &result.events, asked.full)?;
    match report {
        Some(report) => tell::path(&mut out, report, asked.full)?,
        None => out.line(
            "\nLinefinder never had the call: the events say what the dialplan did with it.",
        )?,
    }
    tell::end(&mut out, result, report)?;
    Ok(out.finish()?)
}
