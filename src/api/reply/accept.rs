//! What form of answer the client takes.

use super::Refusal;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Json,
    Csv,
}

impl Form {
    /// From the Accept header, or what overrides it; `rows`: a listing, which can be CSV.
    ///
    /// # Errors
    /// 406 when nothing that is wanted can be made.
    pub fn wanted(accept: Option<&str>, rows: bool) -> Result<Form, Refusal> {
        let accept = accept.unwrap_or_default();
        if accept.trim().is_empty() {
            return Ok(Form::Json);
        }
        let mut csv = false;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let refused = parts.any(|part| {
                let weight = part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok());
                weight == Some(0.0)
            });
            match kind.as_str() {
                _ if refused => {}
                // The first that can be made wins unless CSV was named before.
                "application/json" | "application/x-json" | "application/*" | "*/*" | "json"
                    if !csv =>
                {
                    return Ok(Form::Json);
                }
                "text/csv" | "csv" | "application/octet-stream" | "text/*" if rows => csv = true,
                _ => {}
            }
        }
        if csv {
            Ok(Form::Csv)
        } else {
            Err(Refusal::not_acceptable())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_made_is_chosen() {
        let wanted = |accept, rows| Form::wanted(accept, rows).ok();
        assert_eq!(wanted(None, false), Some(Form::Json));
        assert_eq!(
            wanted(Some("text/html, */*;q=0.8"), false),
            Some(Form::Json)
        );
        assert_eq!(wanted(Some("text/csv"), true), Some(Form::Csv));
        assert_eq!(wanted(Some("csv"), true), Some(Form::Csv));
        assert_eq!(wanted(Some("text/csv, */*"), true), Some(Form::Csv));
        assert_eq!(wanted(Some("text/csv"), false), None);
        assert_eq!(wanted(Some("application/xml"), true), None);
        assert_eq!(wanted(Some("application/json;q=0"), true), None);
    }
}
