//! `sleep`: lets time pass; the caller hears what it heard before.

use serde::Deserialize;

use crate::callflow::{Action, Next, Outcome, Stage, data};
use crate::switch::Application;

pub struct Sleep;

/// Longest sleep. A caller who waits longer has been forgotten.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Data {
    #[serde(deserialize_with = "data::count")]
    duration: Option<u32>,
    unit: String,
}

impl Data {
    fn ms(&self) -> u32 {
        let unit = match self.unit.as_str() {
            "ms" => 1,
            "m" => 60_000,
            "h" => 3_600_000,
            // `s`, and whatever else: a flow with a typo sleeps as most flows do.
            _ => 1000,
        };
        let ms = u64::from(self.duration.unwrap_or(0)) * unit;
        u32::try_from(ms.min(LONGEST_MS)).unwrap_or(u32::MAX)
    }
}

impl Action for Sleep {
    const MODULE: &'static str = "sleep";
    type Data = Data;

    async fn run(data: Data, stage: &mut Stage) -> Outcome {
        let ms = data.ms();
        if ms > 0 {
            let applications = vec![
                // Without it the first digit that the caller types ends the sleep.
                Application::Set {
                    name: "sleep_eat_digits".into(),
                    value: "true".to_owned(),
                },
                Application::Sleep { ms },
            ];
            stage.leg.execute_all(applications).await?;
        }
        Ok(Next::Continue)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn units_and_bounds() {
        for (data, ms) in [
            (json!({}), 0),
            (json!({"duration": 3}), 3000),
            (json!({"duration": "3", "unit": "ms"}), 3),
            (json!({"duration": 2, "unit": "m"}), 120_000),
            (json!({"duration": 1, "unit": "fortnight"}), 1000),
            (json!({"duration": 400, "unit": "h"}), 86_400_000),
        ] {
            assert_eq!(Data::deserialize(&data).unwrap().ms(), ms, "{data}");
        }
    }
}
