//! Covers: images that were given, and plain ones that are drawn.

use std::fmt::Write as _;

use bytes::Bytes;
use tonic::Status;

use super::fault;
use crate::demo::proto::google::api::HttpBody;
use crate::demo::proto::transom::demo::v1::{Book, CoverInfo, Genre};

/// The largest cover, in bytes.
const MAX_COVER: usize = 256 * 1024;

/// Formats by their first bytes. Nothing that a browser would run is among them: no SVG, no HTML.
const FORMATS: &[(&str, &[u8])] = &[
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF8"),
    ("image/webp", b"RIFF"),
];

/// A cover that a book was given.
pub struct Cover {
    content_type: String,
    data: Bytes,
}

impl Cover {
    /// Takes an image whose bytes are what its content type says.
    pub fn parse(body: HttpBody) -> Result<Self, Status> {
        if body.data.len() > MAX_COVER {
            return Err(fault::invalid_field("cover", "larger than 256 KiB"));
        }
        if !FORMATS.iter().any(|(name, _)| *name == body.content_type) {
            let why = "not one of image/png, image/jpeg, image/gif and image/webp";
            return Err(fault::invalid_field("cover.content_type", why));
        }
        if format(&body.data) != Some(&body.content_type) {
            return Err(fault::invalid_field("cover.data", "not an image of its content type"));
        }
        // A copy: the message's bytes may be a slice of a larger buffer and keep it alive.
        Ok(Self { content_type: body.content_type, data: Bytes::copy_from_slice(&body.data) })
    }

    /// The cover as a response's body.
    pub fn body(&self) -> HttpBody {
        HttpBody { content_type: self.content_type.clone(), data: self.data.clone(), extensions: Vec::new() }
    }

    /// What it is.
    pub fn info(&self) -> CoverInfo {
        inspect(&self.body())
    }
}

/// What an image is, whatever it says of itself.
pub fn inspect(body: &HttpBody) -> CoverInfo {
    CoverInfo {
        content_type: body.content_type.clone(),
        size: i64::try_from(body.data.len()).unwrap_or(i64::MAX),
        format: format(&body.data).unwrap_or_default().to_owned(),
    }
}

fn format(data: &[u8]) -> Option<&'static str> {
    // RIFF holds sound and film as well: its kind stands at the ninth byte.
    let fits = |name: &str| name != "image/webp" || data.get(8..12) == Some(b"WEBP");
    let (name, _) = FORMATS.iter().find(|(name, magic)| data.starts_with(magic) && fits(name))?;
    Some(name)
}

/// A plain cover: the title and the authors on cloth of the genre's colour.
pub fn draw(book: &Book) -> HttpBody {
    let cloth = match book.genre() {
        Genre::Unspecified => "#5b5b5b",
        Genre::Classic => "#6e2b2b",
        Genre::ScienceFiction => "#1f3a5f",
        Genre::Mystery => "#2d2a32",
        Genre::Computing => "#2f5d50",
        Genre::Science => "#7a5c1e",
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 300 450\">\n\
         <rect width=\"300\" height=\"450\" rx=\"6\" fill=\"{cloth}\"/>\n\
         <rect x=\"14\" y=\"14\" width=\"272\" height=\"422\" fill=\"none\" stroke=\"#e8dcc0\"/>\n\
         <g fill=\"#f4ecd8\" font-family=\"Georgia, serif\" text-anchor=\"middle\">\n"
    );
    for (line, y) in lines(&book.title).iter().zip((150..).step_by(32)) {
        text(&mut svg, line, y, 26);
    }
    for (author, y) in book.authors.iter().take(3).zip((370..).step_by(22)) {
        text(&mut svg, &format!("{} {}", author.given_name, author.family_name), y, 16);
    }
    svg.push_str("</g>\n</svg>\n");
    HttpBody { content_type: "image/svg+xml".to_owned(), data: svg.into(), extensions: Vec::new() }
}

fn text(svg: &mut String, line: &str, y: u32, size: u32) {
    // Writing to a String cannot fail.
    let _ = writeln!(svg, "<text x=\"150\" y=\"{y}\" font-size=\"{size}\">{}</text>", escape(line));
}

/// A title in at most six lines of about eighteen characters, broken between words.
fn lines(title: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in title.split_whitespace() {
        let room = lines.last().is_some_and(|line| line.chars().count() + word.chars().count() < 18);
        match lines.last_mut() {
            Some(line) if room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.chars().take(24).collect()),
        }
    }
    lines.truncate(6);
    lines
}

/// Character data of XML 1.0: markup escaped, characters that may not occur left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\u{FFFE}' | '\u{FFFF}' => {}
            char if char.is_control() => {}
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(content_type: &str, data: &'static [u8]) -> HttpBody {
        HttpBody { content_type: content_type.into(), data: Bytes::from_static(data), extensions: vec![] }
    }

    #[test]
    fn a_cover_is_what_it_says() {
        for (name, magic) in FORMATS {
            let data = if *name == "image/webp" { b"RIFF\x04\0\0\0WEBP" } else { *magic };
            assert!(Cover::parse(image(name, data)).is_ok(), "{name}");
            assert!(Cover::parse(image(name, b"<script>")).is_err(), "{name}");
        }
        assert!(Cover::parse(image("image/webp", b"RIFF\x04\0\0\0WAVE")).is_err());
        assert!(Cover::parse(image("image/svg+xml", b"<svg/>")).is_err());
        assert!(Cover::parse(image("text/html", b"GIF8")).is_err());
        let mut large = b"GIF8".to_vec();
        large.resize(MAX_COVER + 1, 0);
        let large = HttpBody { data: large.into(), ..image("image/gif", b"") };
        assert!(Cover::parse(large).is_err());
    }

    #[test]
    fn an_image_is_told_by_its_bytes() {
        let info = inspect(&image("text/plain", b"GIF89a"));
        let known = (info.content_type.as_str(), info.size, info.format.as_str());
        assert_eq!(known, ("text/plain", 6, "image/gif"));
        assert_eq!(inspect(&image("", b"")).format, "");
    }

    #[test]
    fn a_drawn_cover_cannot_be_made_to_run_anything() {
        let book = Book { title: "<script>alert(1)</script> & \u{1}more".into(), ..Book::default() };
        let svg = String::from_utf8(draw(&book).data.to_vec()).unwrap();
        assert!(svg.contains(">&lt;script&gt;alert(1)&lt;/script</text>"), "{svg}");
        assert!(svg.contains(">&amp; more</text>"), "{svg}");
        assert!(!svg.contains("<script"));
    }

    #[test]
    fn titles_are_broken_between_words_and_bounded() {
        assert_eq!(lines("The Left Hand of Darkness"), ["The Left Hand of", "Darkness"]);
        assert_eq!(lines(&"word ".repeat(100)).len(), 6);
        assert_eq!(lines(&"x".repeat(100)), ["x".repeat(24)]);
        assert!(lines("").is_empty());
    }
}
