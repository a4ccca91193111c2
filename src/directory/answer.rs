//! The documents that FreeSWITCH reads.

use super::digest::A1;
use super::xml::{Element, Unfit, Value};

/// The list of [`Answer::AddressLists`] that a SIP profile names in `apply-inbound-acl`.
pub const DEVICES_LIST: &str = "linefinder-devices";

/// The list of carriers, and of PBXs that are known by their addresses.
pub const TRUNKS_LIST: &str = "linefinder-trunks";

/// The user under whom gateways are told; nobody can be him.
const NOBODY: &str = "linefinder-gateways";

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// FreeSWITCH asks its next binding, then its own files.
    NotFound,
    User(Box<User>),
    Networks {
        domain: Value,
        users: Vec<Network>,
    },
    AddressLists {
        domains: Vec<Value>,
        alone: Vec<Value>,
        trunks: Vec<Value>,
    },
    Gateways(Vec<GatewayEntry>),
    /// For a far end that asks for a password.
    Reverse {
        id: Value,
        domain: Value,
        user: Value,
        password: Secret,
    },
    /// What a call in this context executes.
    Bridge {
        context: Value,
        actions: Vec<(&'static str, Value)>,
    },
}

/// A user as he is written; there is none without a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: Value,
    pub domain: Value,
    pub a1: A1,
    pub dial_string: Option<Value>,
    /// Milliseconds that FreeSWITCH may keep the answer; 0: not at all.
    pub cacheable_ms: u64,
    pub variables: Vec<(&'static str, Value)>,
}

/// A gateway as a profile takes it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayEntry {
    pub name: Value,
    pub params: Vec<(&'static str, Value)>,
}

/// A password, not to be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Value);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A user who is known by an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub id: Value,
    pub cidr: Value,
}

impl Answer {
    /// The whole document.
    #[must_use]
    pub fn render(&self) -> String {
        let section = Element::new("section");
        let section = match self {
            Answer::NotFound => {
                let result = Element::new("result").fixed("status", "not found");
                section.fixed("name", "result").holding([result])
            }
            Answer::User(user) => section.fixed("name", "directory").holding([user.domain()]),
            Answer::Networks { domain, users } => {
                let users = users.iter().map(Network::element);
                let domain = Element::new("domain").with("name", domain.clone());
                section
                    .fixed("name", "directory")
                    .holding([domain.holding(users)])
            }
            Answer::AddressLists {
                domains,
                alone,
                trunks,
            } => section
                .fixed("name", "configuration")
                .holding([lists(domains, alone, trunks)]),
            Answer::Gateways(entries) => section
                .fixed("name", "directory")
                .holding([gateways(entries)]),
            Answer::Reverse {
                id,
                domain,
                user,
                password,
            } => section
                .fixed("name", "directory")
                .holding([reverse(id, domain, user, password)]),
            Answer::Bridge { context, actions } => section
                .fixed("name", "dialplan")
                .holding([extension(context, actions)]),
        };
        let document = Element::new("document").fixed("type", "freeswitch/xml");
        document.holding([section]).render()
    }
}

impl User {
    fn domain(&self) -> Element {
        let mut params = vec![
            named("param", "a1-hash").with("value", plain(self.a1.as_str())),
            // The second lock: absent, FreeSWITCH takes it as true.
            named("param", "allow-empty-password").fixed("value", "false"),
        ];
        if let Some(dial_string) = &self.dial_string {
            params.push(named("param", "dial-string").with("value", dial_string.clone()));
        }
        let variables = self.variables.iter();
        let variables =
            variables.map(|(name, value)| named("variable", name).with("value", value.clone()));
        let mut user = Element::new("user").with("id", self.id.clone());
        if self.cacheable_ms > 0 {
            user = user.with("cacheable", plain(&self.cacheable_ms.to_string()));
        }
        let user = user.holding([
            Element::new("params").holding(params),
            Element::new("variables").holding(variables),
        ]);
        Element::new("domain")
            .with("name", self.domain.clone())
            .holding([user])
    }
}

impl Network {
    /// # Errors
    /// The user name can't be written.
    pub fn new(id: &str, ip: std::net::IpAddr) -> Result<Self, Unfit> {
        Ok(Self {
            id: Value::new(id)?,
            cidr: cidr(ip),
        })
    }

    fn element(&self) -> Element {
        Element::new("user")
            .with("id", self.id.clone())
            .with("cidr", self.cidr.clone())
    }
}

/// One address as FreeSWITCH's lists want it.
pub fn cidr(ip: std::net::IpAddr) -> Value {
    plain(&format!("{ip}/{}", if ip.is_ipv4() { 32 } else { 128 }))
}

/// Texts of ours: digits, letters, and what addresses have.
fn plain(text: &str) -> Value {
    Value::new(text).unwrap_or_else(|_| Value::empty())
}

fn named(element: &'static str, name: &'static str) -> Element {
    Element::new(element).fixed("name", name)
}

/// One extension that takes every call, since the look-up was for one.
fn extension(context: &Value, actions: &[(&'static str, Value)]) -> Element {
    let actions = actions.iter().map(|(application, data)| {
        let action = Element::new("action").fixed("application", application);
        match data.as_str() {
            "" => action,
            _ => action.with("data", data.clone()),
        }
    });
    let condition = Element::new("condition").holding(actions);
    let extension = named("extension", "linefinder").holding([condition]);
    Element::new("context")
        .with("name", context.clone())
        .holding([extension])
}

fn lists(domains: &[Value], alone: &[Value], trunks: &[Value]) -> Element {
    let node = |kind: &'static str, value: &Value| {
        let node = Element::new("node").fixed("type", "allow");
        node.with(kind, value.clone())
    };
    let domains = domains.iter().map(|domain| node("domain", domain));
    let alone = alone.iter().map(|cidr| node("cidr", cidr));
    let trunks = trunks.iter().map(|cidr| node("cidr", cidr));
    let list = |name| named("list", name).fixed("default", "deny");
    let lists = Element::new("network-lists").holding([
        list(DEVICES_LIST).holding(domains.chain(alone)),
        list(TRUNKS_LIST).holding(trunks),
    ]);
    named("configuration", "acl.conf").holding([lists])
}

/// mod_sofia looks for `gateways` within users of a domain that it parses.
fn gateways(entries: &[GatewayEntry]) -> Element {
    let entry = |entry: &GatewayEntry| {
        let params = entry.params.iter();
        let params = params.map(|(name, value)| named("param", name).with("value", value.clone()));
        let gateway = Element::new("gateway").with("name", entry.name.clone());
        gateway.holding(params)
    };
    let gateways = Element::new("gateways").holding(entries.iter().map(entry));
    let user = Element::new("user").fixed("id", NOBODY);
    let domain = named("domain", "gateways.linefinder.invalid");
    domain.holding([user.holding([gateways])])
}

fn reverse(id: &Value, domain: &Value, user: &Value, password: &Secret) -> Element {
    // The locks of every answer about a user: without a hash he would be let in with any password.
    let unknowable = plain(A1::unknowable().as_str());
    let params = Element::new("params").holding([
        named("param", "reverse-auth-user").with("value", user.clone()),
        named("param", "reverse-auth-pass").with("value", password.0.clone()),
        named("param", "a1-hash").with("value", unknowable),
        named("param", "allow-empty-password").fixed("value", "false"),
    ]);
    let user = Element::new("user")
        .with("id", id.clone())
        .holding([params]);
    Element::new("domain")
        .with("name", domain.clone())
        .holding([user])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user() {
        let user = User {
            id: plain("1001"),
            domain: plain("acme.test"),
            a1: A1::of("1001", "acme.test", "secret").unwrap(),
            dial_string: Some(plain("sofia/internal/1001%acme.test")),
            cacheable_ms: 0,
            variables: vec![("user_context", plain("from-device"))],
        };
        insta::assert_snapshot!(Answer::User(Box::new(user)).render(), @r#"
        <document type="freeswitch/xml">
         <section name="directory">
          <domain name="acme.test">
           <user id="1001">
            <params>
             <param name="a1-hash" value="a2a1380f0e20053f6d30ccdb203208f9"/>
             <param name="allow-empty-password" value="false"/>
             <param name="dial-string" value="sofia/internal/1001%acme.test"/>
            </params>
            <variables>
             <variable name="user_context" value="from-device"/>
            </variables>
           </user>
          </domain>
         </section>
        </document>
        "#);
    }

    #[test]
    fn nothing_and_lists() {
        insta::assert_snapshot!(Answer::NotFound.render(), @r#"
        <document type="freeswitch/xml">
         <section name="result">
          <result status="not found"/>
         </section>
        </document>
        "#);
        let lists = Answer::AddressLists {
            domains: vec![plain("acme.test")],
            alone: vec![cidr("2001:db8::1".parse().unwrap())],
            trunks: vec![cidr("192.0.2.9".parse().unwrap())],
        };
        insta::assert_snapshot!(lists.render(), @r#"
        <document type="freeswitch/xml">
         <section name="configuration">
          <configuration name="acl.conf">
           <network-lists>
            <list name="linefinder-devices" default="deny">
             <node type="allow" domain="acme.test"/>
             <node type="allow" cidr="2001:db8::1/128"/>
            </list>
            <list name="linefinder-trunks" default="deny">
             <node type="allow" cidr="192.0.2.9/32"/>
            </list>
           </network-lists>
          </configuration>
         </section>
        </document>
        "#);
        let gateway = GatewayEntry {
            name: plain("lf.a.b.0.1"),
            params: vec![("register", plain("true"))],
        };
        insta::assert_snapshot!(Answer::Gateways(vec![gateway]).render(), @r#"
        <document type="freeswitch/xml">
         <section name="directory">
          <domain name="gateways.linefinder.invalid">
           <user id="linefinder-gateways">
            <gateways>
             <gateway name="lf.a.b.0.1">
              <param name="register" value="true"/>
             </gateway>
            </gateways>
           </user>
          </domain>
         </section>
        </document>
        "#);
        let networks = Answer::Networks {
            domain: plain("acme.test"),
            users: vec![Network::new("fax", "192.0.2.7".parse().unwrap()).unwrap()],
        };
        insta::assert_snapshot!(networks.render(), @r#"
        <document type="freeswitch/xml">
         <section name="directory">
          <domain name="acme.test">
           <user id="fax" cidr="192.0.2.7/32"/>
          </domain>
         </section>
        </document>
        "#);
    }
}
