//! `trunks`: units in use against what was sold, by account.

use super::arguments::Trunks;
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use super::premises::Premises;
use super::table::Table;
use crate::callflow::{Sold, TrunksInUse, trunks_in_use};
use crate::console::Desk;

pub fn trunks(on: &Premises, desk: &mut dyn Desk, asked: &Trunks) -> Outcome {
    if on.live.is_none() {
        let message =
            "what is in use is known by a running daemon alone, and none has this store open";
        return Err(Failure::new(Exit::Unavailable, message));
    }
    let rows = trunks_in_use(&on.context, asked.account.as_ref())?;
    let width = desk.width();
    let mut out = Output::at(desk);
    if asked.of.json {
        let text = serde_json::to_string_pretty(&rows)
            .map_err(|error| Failure::new(Exit::Software, error))?;
        out.line(text)?;
    } else if rows.is_empty() {
        out.line("no account has limits or calls over trunks")?;
    } else {
        for line in table(&rows).lines(width) {
            out.line(line)?;
        }
    }
    Ok(out.finish()?)
}

fn table(rows: &[TrunksInUse]) -> Table {
    let headers = [
        "account", "in", "out", "calls", "carriers", "sold in", "sold out", "two-way", "burst",
    ];
    let mut table = Table::new(&headers, &["account"]);
    for row in rows {
        let of = |used: u32, limit: Option<u32>| match limit {
            Some(limit) => format!("{used} of {limit}"),
            None => used.to_string(),
        };
        let limits = row.limits.as_ref();
        let sold = |of: fn(&crate::callflow::SoldTrunks) -> Sold| {
            limits.map_or_else(|| "-".to_owned(), |limits| of(limits).to_string())
        };
        table.row(vec![
            row.account_id.to_string(),
            row.in_use.inbound.to_string(),
            row.in_use.outbound.to_string(),
            of(row.in_use.calls, limits.and_then(|limits| limits.calls)),
            of(
                row.in_use.resource_consuming_calls,
                limits.and_then(|limits| limits.resource_consuming_calls),
            ),
            sold(|limits| limits.inbound),
            sold(|limits| limits.outbound),
            sold(|limits| limits.twoway),
            sold(|limits| limits.burst),
        ]);
    }
    table
}
