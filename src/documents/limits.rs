//! The limits document: how many calls an account may have at once (trunkstore specification 1.5).

use serde::Deserialize;

use super::formatter::Pattern;
use super::lenient::{AsInteger, AsTable, Lenient, Table, flag, integer, texts};

/// Limits as written: the account's own, and the operator's caps (`pvt_*`).
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Limits {
    #[serde(rename = "twoway_trunks", deserialize_with = "integer")]
    twoway: Option<i64>,
    #[serde(rename = "inbound_trunks", deserialize_with = "integer")]
    inbound: Option<i64>,
    #[serde(rename = "outbound_trunks", deserialize_with = "integer")]
    outbound: Option<i64>,
    #[serde(rename = "burst_trunks", deserialize_with = "integer")]
    burst: Option<i64>,
    #[serde(deserialize_with = "integer")]
    calls: Option<i64>,
    #[serde(deserialize_with = "integer")]
    resource_consuming_calls: Option<i64>,
    #[serde(deserialize_with = "integer")]
    pvt_twoway_trunks: Option<i64>,
    #[serde(deserialize_with = "integer")]
    pvt_inbound_trunks: Option<i64>,
    #[serde(deserialize_with = "integer")]
    pvt_outbound_trunks: Option<i64>,
    #[serde(deserialize_with = "integer")]
    pvt_burst_trunks: Option<i64>,
    #[serde(deserialize_with = "integer")]
    pvt_calls: Option<i64>,
    #[serde(deserialize_with = "integer")]
    pvt_resource_consuming_calls: Option<i64>,
    #[serde(deserialize_with = "flag")]
    pvt_soft_limit_inbound: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pvt_soft_limit_outbound: Option<bool>,
    /// Limits that are switched off allow every call; the operator's field.
    #[serde(deserialize_with = "flag")]
    enabled: Option<bool>,
    #[serde(deserialize_with = "flag")]
    pvt_enabled: Option<bool>,
    /// Kinds of call that count for nothing.
    #[serde(deserialize_with = "texts")]
    authz_resource_types: Box<[Box<str>]>,
    #[serde(deserialize_with = "rules")]
    inbound_channels_per_did_rules: Box<[DidRule]>,
}

/// How many calls may come in at once to the numbers that match.
#[derive(Debug, Clone, PartialEq)]
pub struct DidRule {
    pub pattern: Pattern,
    pub calls: i64,
}

/// A number of trunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trunks {
    Unlimited,
    Of(u32),
}

fn rules<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Box<[DidRule]>, D::Error> {
    let table: Option<Box<Table<i64>>> = d.deserialize_any(Lenient(AsTable(AsInteger)))?;
    let rules = table.into_iter().flat_map(|table| *table);
    let rules = rules.map(|(pattern, calls)| DidRule {
        pattern: Pattern::new(&pattern),
        calls,
    });
    Ok(rules.collect())
}

/// The smaller of both where the operator has set a cap; a missing number is 0, one below 0 no
/// limit.
fn trunks(own: Option<i64>, cap: Option<i64>) -> Trunks {
    let count = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    match (own.unwrap_or(0), cap.filter(|cap| *cap >= 0)) {
        (own, None) if own < 0 => Trunks::Unlimited,
        (own, Some(cap)) if own < 0 => Trunks::Of(count(cap)),
        (own, None) => Trunks::Of(count(own)),
        (own, Some(cap)) => Trunks::Of(count(own.min(cap))),
    }
}

/// None: no such limit.
fn hard(own: Option<i64>, cap: Option<i64>) -> Option<u32> {
    let set = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
    match (set(own), set(cap)) {
        (Some(own), Some(cap)) => Some(own.min(cap)),
        (own, cap) => own.or(cap),
    }
}

impl Limits {
    /// The limits of an account that has bought two-way trunks and nothing else.
    #[must_use]
    pub fn of_trunks(twoway: u32) -> Self {
        Self {
            twoway: Some(i64::from(twoway)),
            ..Self::default()
        }
    }

    #[must_use]
    pub fn twoway(&self) -> Trunks {
        trunks(self.twoway, self.pvt_twoway_trunks)
    }

    #[must_use]
    pub fn inbound(&self) -> Trunks {
        trunks(self.inbound, self.pvt_inbound_trunks)
    }

    #[must_use]
    pub fn outbound(&self) -> Trunks {
        trunks(self.outbound, self.pvt_outbound_trunks)
    }

    #[must_use]
    pub fn burst(&self) -> Trunks {
        trunks(self.burst, self.pvt_burst_trunks)
    }

    /// Calls of any kind; None: as many as there are.
    #[must_use]
    pub fn calls(&self) -> Option<u32> {
        hard(self.calls, self.pvt_calls)
    }

    /// Calls that use a carrier; None: as many as there are.
    #[must_use]
    pub fn resource_consuming_calls(&self) -> Option<u32> {
        hard(
            self.resource_consuming_calls,
            self.pvt_resource_consuming_calls,
        )
    }

    #[must_use]
    pub fn is_soft_inbound(&self) -> bool {
        self.pvt_soft_limit_inbound == Some(true)
    }

    #[must_use]
    pub fn is_soft_outbound(&self) -> bool {
        self.pvt_soft_limit_outbound == Some(true)
    }

    /// False: every call is allowed.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.pvt_enabled.or(self.enabled).unwrap_or(true)
    }

    /// Whether calls of this kind (`onnet-termination`, `offnet-termination`, ..) count for
    /// nothing.
    #[must_use]
    pub fn exempts(&self, kind: &str) -> bool {
        self.authz_resource_types
            .iter()
            .any(|known| &**known == kind)
    }

    #[must_use]
    pub fn did_rules(&self) -> &[DidRule] {
        &self.inbound_channels_per_did_rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn limits(value: Value) -> Limits {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_operators_cap_wins_where_it_is_smaller() {
        for (own, cap, effective) in [
            (json!(5), json!(null), Trunks::Of(5)),
            (json!("5"), json!(3), Trunks::Of(3)),
            (json!(5), json!(-1), Trunks::Of(5)),
            (json!(5), json!(0), Trunks::Of(0)),
            (json!(-1), json!(null), Trunks::Unlimited),
            (json!(-1), json!(4), Trunks::Of(4)),
            (json!(null), json!(4), Trunks::Of(0)),
            (json!([]), json!("x"), Trunks::Of(0)),
        ] {
            let limits = limits(json!({"twoway_trunks": own, "pvt_twoway_trunks": cap}));
            assert_eq!(limits.twoway(), effective, "{own} {cap}");
        }
    }

    #[test]
    fn a_hard_cap_of_nothing_denies_and_a_missing_one_does_not_exist() {
        assert_eq!(limits(json!({})).calls(), None);
        assert_eq!(limits(json!({"calls": -1})).calls(), None);
        assert_eq!(limits(json!({"calls": 0})).calls(), Some(0));
        assert_eq!(limits(json!({"calls": 9, "pvt_calls": 2})).calls(), Some(2));
        assert_eq!(
            limits(json!({"pvt_resource_consuming_calls": 2})).resource_consuming_calls(),
            Some(2)
        );
    }

    #[test]
    fn other_fields() {
        let limits = limits(json!({
            "enabled": false, "authz_resource_types": ["onnet-termination"],
            "pvt_soft_limit_inbound": true,
            "inbound_channels_per_did_rules": {"^\\+1212": 2, "(": "1", "x": []},
        }));
        assert!(!limits.is_enabled());
        assert!(limits.exempts("onnet-termination") && !limits.exempts("onnet-origination"));
        assert!(limits.is_soft_inbound() && !limits.is_soft_outbound());
        assert_eq!(limits.did_rules().len(), 2);
    }
}
