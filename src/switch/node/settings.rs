//! What a node's connection is told.

use std::time::Duration;

use secrecy::SecretString;

use crate::types::NodeName;

/// One FreeSWITCH node.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    pub name: NodeName,
    /// `host:port` of its event socket.
    pub address: String,
    pub password: SecretString,
    /// `host:port` on which the node accepts SIP from its sister nodes.
    pub sip: Option<String>,
    /// Take the calls that this node parks for us.
    pub park: bool,
    pub pace: Pace,
}

impl NodeSettings {
    #[must_use]
    pub fn new(name: NodeName, address: impl Into<String>, password: SecretString) -> Self {
        Self {
            name,
            address: address.into(),
            password,
            sip: None,
            park: true,
            pace: Pace::default(),
        }
    }
}

/// The connection's clocks (esl spec 3.1 and 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub connect: Duration,
    /// From the connection to `auth/request`, and from the password to its answer.
    pub greeting: Duration,
    /// An answer that takes longer ends the connection.
    pub reply: Duration,
    /// For the probe of a connection on which nothing is heard.
    pub probe: Duration,
    /// For the claim of a call, less than the dialplan's own timer of 3 s.
    pub claim: Duration,
    /// Waiting before the second attempt; doubles, with full jitter, up to `backoff_most`.
    pub backoff_first: Duration,
    pub backoff_most: Duration,
    /// How long a connection must last before the waiting starts from the beginning again.
    pub healthy: Duration,
    /// Waiting after a refusal that only an operator can mend.
    pub refused: Duration,
    /// FreeSWITCH's interval between HEARTBEATs until two of them have told it.
    pub heartbeat: Duration,
    /// Between two looks at whether the calls that we hold are still there.
    pub reconcile: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            greeting: Duration::from_secs(3),
            reply: Duration::from_secs(15),
            probe: Duration::from_secs(5),
            claim: Duration::from_millis(1_500),
            backoff_first: Duration::from_millis(250),
            backoff_most: Duration::from_secs(15),
            healthy: Duration::from_secs(30),
            refused: Duration::from_secs(60),
            heartbeat: Duration::from_secs(20),
            reconcile: Duration::from_secs(60),
        }
    }
}
