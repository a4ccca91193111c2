//! The effective settings as TOML, each with where it comes from.

use serde_json::Value;

use super::load::Config;

impl Config {
    /// TOML text of every setting and its origin; secrets are hidden, unset ones commented out.
    #[must_use]
    pub fn show(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for setting in &self.settings {
            if setting.section != section {
                let gap = if text.is_empty() { "" } else { "\n" };
                text.push_str(&format!("{gap}[{}]\n", setting.section));
                section = &setting.section;
            }
            let line = match &setting.value {
                Value::Null => format!("# {} is not set", setting.key),
                value => format!("{} = {}", setting.key, toml(value)),
            };
            text.push_str(&format!("{line:<48}  # {}\n", setting.origin));
        }
        text
    }

    /// The same as JSON: `{"section.key": {"value", "source"}}`.
    #[must_use]
    pub fn show_json(&self) -> Value {
        let entries = self.settings.iter().map(|setting| {
            let key = format!("{}.{}", setting.section, setting.key);
            let source = setting.origin.to_string();
            let entry = serde_json::json!({ "value": setting.value, "source": source });
            (key, entry)
        });
        Value::Object(entries.collect())
    }
}

/// A value as TOML writes it. JSON's texts are TOML's basic strings.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{} = {}", Value::from(key.as_str()), toml(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
