//! A plain table: columns as wide as their texts, some of them cut so that a line fits.

/// Between two columns.
const GAP: &str = "  ";

/// No column is cut below this, or below its header.
const LEAST: usize = 12;

/// Headers, rows of as many cells, and the columns that give way.
pub struct Table {
    headers: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    flexible: Vec<&'static str>,
    left_out: Vec<&'static str>,
}

impl Table {
    /// `flexible` are the columns that are cut when a line is too long, the first before the others.
    #[must_use]
    pub fn new(headers: &[&'static str], flexible: &[&'static str]) -> Self {
        Self {
            headers: headers.to_vec(),
            rows: Vec::new(),
            flexible: flexible.to_vec(),
            left_out: Vec::new(),
        }
    }

    /// Prints the table without this column.
    pub fn leave_out(&mut self, header: &'static str) {
        self.left_out.push(header);
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, none longer than `width` columns as far as the flexible columns can give way; None cuts nothing.
    #[must_use]
    pub fn lines(&self, width: Option<usize>) -> Vec<String> {
        let widths = self.widths(width);
        let header: Vec<String> = self.headers.iter().map(ToString::to_string).collect();
        let rule = widths.iter().map(|width| "─".repeat(width.unwrap_or(0)));
        [&header, &rule.collect()]
            .into_iter()
            .chain(&self.rows)
            .map(|cells| line(cells, &widths))
            .collect()
    }

    /// Of each column; None for one that is left out.
    fn widths(&self, width: Option<usize>) -> Vec<Option<usize>> {
        let mut widths: Vec<usize> = self.headers.iter().map(|text| length(text)).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = length(cell).max(*widest);
            }
        }
        let shown = |header: &str| !self.left_out.contains(&header);
        let columns = self.headers.iter().zip(widths);
        let mut columns: Vec<(&str, Option<usize>)> = columns
            .map(|(header, width)| (*header, shown(header).then_some(width)))
            .collect();
        let shown: Vec<usize> = columns.iter().filter_map(|(_, width)| *width).collect();
        let total = shown.iter().sum::<usize>() + GAP.len() * shown.len().saturating_sub(1);
        let mut excess = width.map_or(0, |width| total.saturating_sub(width));
        for flexible in &self.flexible {
            let found = columns.iter_mut().find(|(header, _)| header == flexible);
            let Some((header, Some(width))) = found else {
                continue;
            };
            let least = length(header).max(LEAST).min(*width);
            let cut = excess.min(*width - least);
            *width -= cut;
            excess -= cut;
        }
        columns.into_iter().map(|(_, width)| width).collect()
    }
}

fn line(cells: &[String], widths: &[Option<usize>]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .filter_map(|(cell, width)| {
            let cell = shortened(cell, (*width)?);
            let missing = (*width)?.saturating_sub(length(&cell));
            Some(format!("{cell}{}", " ".repeat(missing)))
        })
        .collect();
    padded.join(GAP).trim_end().to_owned()
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The text, its end replaced by `…` if it is longer than `width` characters.
#[must_use]
pub fn shortened(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flexible_column_gives_way() {
        let mut table = Table::new(&["who", "dial string", "ms"], &["dial string"]);
        table.row(vec!["a".into(), "x".repeat(40), "7".into()]);
        let full = table.lines(None);
        assert!(full.iter().all(|line| !line.contains('…')));
        let cut = table.lines(Some(30));
        assert!(cut.iter().all(|line| length(line) <= 30), "{cut:?}");
        assert!(cut[2].contains("x…"), "{cut:?}");
        assert!(cut[2].ends_with('7'), "{cut:?}");
    }

    #[test]
    fn one_column_after_the_other_gives_way_and_some_are_left_out() {
        let headers = ["who", "by", "dial string", "outcome"];
        let mut table = Table::new(&headers, &["dial string", "outcome"]);
        table.row(vec![
            "a".into(),
            "park".into(),
            "x".repeat(40),
            "y".repeat(20),
        ]);
        table.leave_out("by");
        for line in table.lines(Some(35)) {
            assert!(length(&line) <= 35 && !line.contains("park"), "{line}");
        }
        let first_only = table.lines(Some(45));
        assert!(first_only[2].contains("x…") && first_only[2].ends_with('y'));
    }

    #[test]
    fn shortening_counts_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äö…");
    }
}
