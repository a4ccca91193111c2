//! Linefinder turns a bare FreeSWITCH into a multi-tenant phone system.
//!
//! FreeSWITCH moves the media; this library decides where a call goes and what happens to it.
//! The rooms, from the wire up; a room may use only those named behind it:
//!
//! * [`types`]: ids, numbers, SIP URIs, hangup causes: parsed once, then trusted.
//! * [`esl`] (types): the event socket's wire, without sockets.
//! * [`switch`] (esl): a FreeSWITCH node as an object, and the calls it hands over.
//! * [`documents`] (types): what operators write: accounts, users, devices, callflows.
//! * [`store`] (documents): where documents live.
//! * [`routing`] (documents, types, esl's escaping): the decisions, all pure.
//! * [`trunks`] (routing, store, switch): what trunks need to know between calls: limits, gateways, fraud.
//! * [`callflow`] (trunks, routing, store, switch): the tree of actions that a call walks.
//! * [`http`]: HTTP/1.1 for those who answer: time-outs, stopping.
//! * [`directory`] (http, routing, store, documents): what mod_xml_curl asks: who may register and call.
//! * [`api`] (http, trunks, routing, store, switch): the REST API, after Crossbar's conventions.
//! * [`sim`] (esl): a simulated FreeSWITCH node on real TCP ports.
//! * [`console`]: commands that are typed while the daemon runs, carried to it.
//! * [`config`], [`telemetry`], [`daemon`], [`cli`]: wiring.

pub mod api;
pub mod callflow;
pub mod cli;
pub mod config;
pub mod console;
pub mod daemon;
pub mod directory;
pub mod documents;
pub mod esl;
pub mod http;
pub mod routing;
pub mod sim;
pub mod store;
pub mod switch;
pub mod telemetry;
pub mod trunks;
pub mod types;
