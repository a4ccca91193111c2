//! A call that FreeSWITCH looks for in the dialplan: bridged right away where nobody is needed after that, left to the
//! static dialplan, which hands it over, where somebody is.

use super::answer::Answer;
use super::form::Form;
use super::xml::{Unfit, Value};

/// A channel as FreeSWITCH posts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    fields: Vec<(String, String)>,
}

impl Channel {
    /// None: a variable or field of the caller is there twice with different values. FreeSWITCH writes each once; which
    /// of the two a peer has brought in can't be told.
    #[must_use]
    pub fn read(form: &Form<'_>) -> Option<Self> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for (name, value) in form.own() {
            match fields.iter().find(|(known, _)| *known == name) {
                None => fields.push((name.into_owned(), value.into_owned())),
                Some((_, known)) if *known == value => {}
                Some(_) => return None,
            }
        }
        Some(Self { fields })
    }

    /// Names and values, in FreeSWITCH's order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.fields.iter();
        fields.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }

    /// Where in the dialplan the call is: right after transfers, too.
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        let context = self.field("Hunt-Context");
        context.or_else(|| self.field("Caller-Context"))
    }

    /// The number that is looked for.
    #[must_use]
    pub fn number(&self) -> Option<&str> {
        let number = self.field("Hunt-Destination-Number");
        number.or_else(|| self.field("Caller-Destination-Number"))
    }
}

/// What a call comes to that nobody needs to look after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Set on the caller's leg first.
    pub variables: Vec<(String, String)>,
    /// The caller hears ringing from the start.
    pub ring_ready: bool,
    /// Seconds after which an unanswered call ends, where FreeSWITCH's own timers may stop.
    pub give_up_s: Option<u32>,
    /// From `routing::DialString`'s writer.
    pub dial_string: String,
}

/// Who decides about calls; the daemon, for which the directory only speaks.
pub trait Dialplan: Send + Sync {
    /// None: the call needs somebody, or is to be refused; the static dialplan hands it over.
    fn bridge(&self, channel: &Channel) -> Option<Bridge>;
}

/// The answer for a call in one of the `contexts`.
pub(super) fn answer(dialplan: &dyn Dialplan, contexts: &[String], channel: &Channel) -> Answer {
    let Some(context) = channel.context() else {
        return Answer::NotFound;
    };
    if !contexts.iter().any(|known| known == context) {
        return Answer::NotFound;
    }
    let Some(bridge) = dialplan.bridge(channel) else {
        return Answer::NotFound;
    };
    match written(context, &bridge) {
        Ok(answer) => answer,
        // What XML can't carry goes by the socket, where nothing is expanded.
        Err(unfit) => {
            tracing::debug!(error = %unfit, "a bridge can't be told as XML; the call is handed over");
            Answer::NotFound
        }
    }
}

fn written(context: &str, bridge: &Bridge) -> Result<Answer, Unfit> {
    let mut actions = Vec::with_capacity(bridge.variables.len() + 6);
    let set = |text: &str| Ok(("set", Value::exact(text)?));
    for (name, value) in &bridge.variables {
        // A failed bridge has to end the call with its own cause: there is nobody to go on.
        if name != "continue_on_fail" {
            actions.push(set(&format!("{name}={value}"))?);
        }
    }
    // The caller gets the cause, not the SIP status of the last phone that was tried.
    actions.push(set("sip_ignore_remote_cause=true")?);
    if let Some(seconds) = bridge.give_up_s {
        actions.push(set("execute_on_answer=sched_cancel")?);
        actions.push((
            "sched_hangup",
            Value::new(&format!("+{seconds} NO_ANSWER"))?,
        ));
    }
    if bridge.ring_ready {
        actions.push(("ring_ready", Value::empty()));
    }
    // Its separator may be a control character, without which it would read otherwise (device specification 2.1).
    actions.push(("bridge", Value::exact(&bridge.dial_string)?));
    // Reached when nobody answered: the causes for which FreeSWITCH itself doesn't hang up (device specification 2.10).
    actions.push(("hangup", Value::new("NO_ANSWER")?));
    Ok(Answer::Bridge {
        context: Value::exact(context)?,
        actions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "hostname=fs1&section=dialplan&tag_name=&key_name=&key_value=&Event-Name=REQUEST_PARAMS\
        &Caller-Context=elsewhere&Caller-Destination-Number=9&Hunt-Context=from-device&Hunt-Destination-Number=100\
        &variable_user_name=1001";

    fn channel(more: &str) -> Option<Channel> {
        Channel::read(&Form::parse(format!("{BODY}{more}").as_bytes()))
    }

    struct Always(Option<Bridge>);
    impl Dialplan for Always {
        fn bridge(&self, _: &Channel) -> Option<Bridge> {
            self.0.clone()
        }
    }

    fn bridge() -> Bridge {
        Bridge {
            variables: vec![
                ("continue_on_fail".into(), "true".into()),
                ("hangup_after_bridge".into(), "true".into()),
            ],
            ring_ready: false,
            give_up_s: Some(25),
            dial_string: "[^^!a=<\"1\">]sofia/internal/sip:1002@127.0.0.9:5060".into(),
        }
    }

    fn answered(bridge: Option<Bridge>, contexts: &[&str]) -> Answer {
        let contexts: Vec<String> = contexts.iter().map(|&c| c.to_owned()).collect();
        answer(&Always(bridge), &contexts, &channel("").unwrap())
    }

    #[test]
    fn the_numbers_of_the_hunt_count() {
        let channel = channel("").unwrap();
        assert_eq!(channel.context(), Some("from-device"));
        assert_eq!(channel.number(), Some("100"));
        assert_eq!(channel.field("section"), None, "before the stamp");
    }

    #[test]
    fn a_field_with_two_values_is_nobodys_word() {
        assert!(channel("&variable_user_name=1001").is_some());
        assert_eq!(channel("&variable_user_name=1002"), None);
    }

    #[test]
    fn a_bridge() {
        insta::assert_snapshot!(answered(Some(bridge()), &["from-device"]).render(), @r#"
        <document type="freeswitch/xml">
         <section name="dialplan">
          <context name="from-device">
           <extension name="linefinder">
            <condition>
             <action application="set" data="hangup_after_bridge=true"/>
             <action application="set" data="sip_ignore_remote_cause=true"/>
             <action application="set" data="execute_on_answer=sched_cancel"/>
             <action application="sched_hangup" data="+25 NO_ANSWER"/>
             <action application="bridge" data="[^^!a=&lt;&quot;1&quot;&gt;]sofia/internal/sip:1002@127.0.0.9:5060"/>
             <action application="hangup" data="NO_ANSWER"/>
            </condition>
           </extension>
          </context>
         </section>
        </document>
        "#);
    }

    #[test]
    fn what_is_not_ours_or_not_to_be_written_is_left() {
        assert_eq!(answered(Some(bridge()), &["other"]), Answer::NotFound);
        assert_eq!(answered(None, &["from-device"]), Answer::NotFound);
        for hostile in ["a$b", "X-PRE-PROCESS", "\u{1f}"] {
            let mut bridge = bridge();
            bridge.dial_string.push_str(hostile);
            let answer = answered(Some(bridge), &["from-device"]);
            assert_eq!(answer, Answer::NotFound, "{hostile}");
        }
    }
}
