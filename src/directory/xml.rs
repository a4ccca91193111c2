//! The one writer of what mod_xml_curl gets to read.
//!
//! FreeSWITCH runs a reply through the preprocessor of its configuration files before it parses it (event socket
//! specification 6.3): line by line, it expands `$${name}`, obeys `X-PRE-PROCESS`, `exec` included, and drops lines that
//! hold `<?` or `<include>`. Escaping is no protection from that, so texts are checked when a [`Value`] is made; there
//! is no XML declaration, as the line that holds one is lost.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, Event};

/// The preprocessor looks for it anywhere in a line, in any case of letters.
const PREPROCESSOR: &str = "x-pre-process";

/// Why a text can't stand in a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("it holds a $, which FreeSWITCH would expand")]
    Dollar,
    #[error("it names FreeSWITCH's preprocessor")]
    Preprocessor,
    #[error("it holds characters that XML can't carry")]
    Lossy,
}

/// The value of an attribute. Control characters are dropped, line ends among them, so that it stays on its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(String);

impl Value {
    /// # Errors
    /// The preprocessor would act on the text.
    pub fn new(text: &str) -> Result<Self, Unfit> {
        let kept: String = text.chars().filter(|c| is_xml(*c)).collect();
        if kept.contains('$') {
            return Err(Unfit::Dollar);
        }
        if kept.to_ascii_lowercase().contains(PREPROCESSOR) {
            return Err(Unfit::Preprocessor);
        }
        Ok(Self(kept))
    }

    /// A text of which no character may be missing.
    ///
    /// # Errors
    /// As [`Value::new`], and where that would drop something.
    pub fn exact(text: &str) -> Result<Self, Unfit> {
        let value = Self::new(text)?;
        if value.0 == text {
            Ok(value)
        } else {
            Err(Unfit::Lossy)
        }
    }

    #[must_use]
    pub const fn empty() -> Self {
        Self(String::new())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// XML has no form for these, or readers differ about them.
fn is_xml(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}')
}

/// An element. Names are ours, values are [`Value`]s; there is no text between elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, Value)>,
    children: Vec<Element>,
}

impl Element {
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            children: Vec::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.attributes.push((name, value));
        self
    }

    /// With a value that is ours, of plain letters.
    #[must_use]
    pub fn fixed(self, name: &'static str, value: &'static str) -> Self {
        debug_assert!(Value::new(value).is_ok());
        self.with(name, Value(value.to_owned()))
    }

    #[must_use]
    pub fn holding(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The document, one element a line.
    #[must_use]
    pub fn render(&self) -> String {
        let mut writer = Writer::new_with_indent(Vec::with_capacity(1024), b' ', 1);
        // Writing into memory can't fail; what could not be written would be an empty reply, which FreeSWITCH takes as
        // an error and asks the next binding.
        let written = self.write(&mut writer);
        let mut text = String::from_utf8(writer.into_inner()).unwrap_or_default();
        if written.is_err() {
            text.clear();
        }
        text.push('\n');
        text
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name);
        for (name, value) in &self.attributes {
            start.push_attribute((*name, value.as_str()));
        }
        if self.children.is_empty() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        for child in &self.children {
            child.write(writer)?;
        }
        writer.write_event(Event::End(BytesEnd::new(self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_preprocessor_acts_on_is_refused() {
        assert_eq!(Value::new("$${domain}"), Err(Unfit::Dollar));
        assert_eq!(Value::new("a$"), Err(Unfit::Dollar));
        for text in ["x-pre-process", "a X-PRE-\u{1}PROCESS b"] {
            assert_eq!(Value::new(text), Err(Unfit::Preprocessor), "{text}");
        }
    }

    #[test]
    fn what_must_be_whole_is_whole() {
        assert_eq!(Value::exact("a<b"), Value::new("a<b"));
        assert_eq!(Value::exact("a\u{1f}b"), Err(Unfit::Lossy));
        assert_eq!(Value::exact("$"), Err(Unfit::Dollar));
    }

    #[test]
    fn values_stay_on_their_line_and_in_their_quotes() {
        let value = Value::new("a\r\n<?b\"'&<include>\u{85}\0é").unwrap();
        assert_eq!(value.as_str(), "a<?b\"'&<include>é");
        let text = Element::new("param").with("value", value).render();
        assert_eq!(
            text,
            "<param value=\"a&lt;?b&quot;&apos;&amp;&lt;include&gt;é\"/>\n"
        );
    }

    #[test]
    fn one_element_a_line_and_no_declaration() {
        let inner = Element::new("result").fixed("status", "not found");
        let text = Element::new("section").holding([inner]).render();
        assert_eq!(
            text,
            "<section>\n <result status=\"not found\"/>\n</section>\n"
        );
    }
}
