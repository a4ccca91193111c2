//! Summaries as CSV (RFC 4180).

use serde_json::Value;

/// One line of names in the order in which the rows bring them, then a line for each row. A row that is no object has
/// the one column `id`.
#[must_use]
pub fn table(rows: &[Value]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for row in rows {
        match row {
            Value::Object(row) => {
                for name in row.keys() {
                    if !columns.contains(&name.as_str()) {
                        columns.push(name);
                    }
                }
            }
            _ if !columns.contains(&"id") => columns.push("id"),
            _ => {}
        }
    }
    let mut text = String::new();
    line(&mut text, columns.iter().map(|name| (*name).to_owned()));
    for row in rows {
        let cells = columns.iter().map(|name| match row {
            Value::Object(row) => row.get(*name).map(cell).unwrap_or_default(),
            other if *name == "id" => cell(other),
            _ => String::new(),
        });
        line(&mut text, cells);
    }
    text
}

fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (number, cell) in cells.enumerate() {
        if number > 0 {
            text.push(',');
        }
        if cell.contains([',', '"', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ') {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(&cell);
        }
    }
    text.push_str("\r\n");
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_become_lines() {
        let rows = [
            json!({"id": "1", "name": "a,\"b\"", "flags": []}),
            json!({"id": "2", "enabled": true, "name": "x\ny"}),
        ];
        assert_eq!(
            table(&rows),
            "id,name,flags,enabled\r\n1,\"a,\"\"b\"\"\",[],\r\n2,\"x\ny\",,true\r\n"
        );
        assert_eq!(table(&[json!("a"), json!("b")]), "id\r\na\r\nb\r\n");
    }
}
