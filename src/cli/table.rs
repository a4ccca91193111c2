//! A plain table: columns as wide as their texts, one of them cut so that a line fits.

/// Between two columns.
const GAP: &str = "  ";

/// Headers, rows of as many cells, and the column that gives way.
pub struct Table {
    headers: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    flexible: usize,
}

impl Table {
    /// `flexible` is the column that is cut when a line is too long.
    #[must_use]
    pub fn new(headers: &[&'static str], flexible: usize) -> Self {
        Self {
            headers: headers.to_vec(),
            rows: Vec::new(),
            flexible,
        }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, none longer than `width` columns as far as the flexible column can give way; None cuts nothing.
    #[must_use]
    pub fn lines(&self, width: Option<usize>) -> Vec<String> {
        let widths = self.widths(width);
        let header: Vec<String> = self.headers.iter().map(ToString::to_string).collect();
        let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        [&header, &rule]
            .into_iter()
            .chain(&self.rows)
            .map(|cells| line(cells, &widths))
            .collect()
    }

    fn widths(&self, width: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headers.iter().map(|text| length(text)).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = length(cell).max(*widest);
            }
        }
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        let total = widths.iter().sum::<usize>() + gaps;
        let excess = width.map_or(0, |width| total.saturating_sub(width));
        let least = self
            .headers
            .get(self.flexible)
            .map_or(0, |text| length(text));
        if let Some(flexible) = widths.get_mut(self.flexible) {
            *flexible = flexible.saturating_sub(excess).max(least).max(12);
        }
        widths
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| {
            let cell = shortened(cell, *width);
            let missing = width.saturating_sub(length(&cell));
            format!("{cell}{}", " ".repeat(missing))
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
        let mut table = Table::new(&["who", "dial string", "ms"], 1);
        table.row(vec!["a".into(), "x".repeat(40), "7".into()]);
        let full = table.lines(None);
        assert!(full.iter().all(|line| !line.contains('…')));
        let cut = table.lines(Some(30));
        assert!(cut.iter().all(|line| length(line) <= 30), "{cut:?}");
        assert!(cut[2].contains("x…"), "{cut:?}");
        assert!(cut[2].ends_with('7'), "{cut:?}");
    }

    #[test]
    fn shortening_counts_characters() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüß", 3), "äö…");
    }
}
