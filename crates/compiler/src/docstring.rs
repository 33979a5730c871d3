//! Docstrings as they are kept: without the indentation of the source.

/// Replaces tabs by spaces up to the next column that is a multiple of eight.
fn expand_tabs(doc: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(doc.len() + 16);
    let mut column = 0;
    for &byte in doc {
        match byte {
            b'\t' => {
                let n = 8 - column % 8;
                out.resize(out.len() + n, b' ');
                column += n;
            }
            b'\n' | b'\r' => {
                out.push(byte);
                column = 0;
            }
            _ => {
                out.push(byte);
                // Columns count characters, not bytes.
                if byte & 0xC0 != 0x80 {
                    column += 1;
                }
            }
        }
    }
    out
}

fn leading_spaces(line: &[u8]) -> usize {
    line.iter().take_while(|b| **b == b' ').count()
}

/// Does generalised UTF-8 hold a surrogate?
fn has_surrogate(text: &[u8]) -> bool {
    text.windows(2).any(|pair| pair[0] == 0xED && pair[1] >= 0xA0)
}

/// What `inspect.cleandoc` does, except that blank lines at the start and end stay. A docstring with a surrogate is
/// refused: then its text with tabs expanded comes back.
pub fn clean_doc(doc: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let doc = expand_tabs(doc);
    if has_surrogate(&doc) {
        return Err(doc);
    }
    let mut lines = doc.split_inclusive(|b| *b == b'\n');
    let first = lines.next().unwrap_or(&[]);
    let margin = lines
        .clone()
        .filter_map(|line| {
            let spaces = leading_spaces(line);
            (spaces < line.len() && line[spaces] != b'\n').then_some(spaces)
        })
        .min()
        .unwrap_or(0);
    let first_spaces = leading_spaces(first);
    if first_spaces == 0 && margin == 0 {
        return Ok(doc);
    }
    let mut out = Vec::with_capacity(doc.len());
    out.extend_from_slice(&first[first_spaces..]);
    for line in lines {
        out.extend_from_slice(&line[leading_spaces(line).min(margin)..]);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_removed() {
        let clean = |s: &str| String::from_utf8(clean_doc(s.as_bytes()).unwrap()).unwrap();
        assert_eq!(clean("one"), "one");
        assert_eq!(clean("  one\n    two\n      three\n\n    "), "one\ntwo\n  three\n\n");
        assert_eq!(clean("\n\ttwo\n\t    three"), "\ntwo\n    three");
        assert_eq!(clean("one\ntwo\n  three"), "one\ntwo\n  three");
        assert_eq!(clean("é\tx\n"), "é       x\n");
        assert_eq!(clean_doc(b"\t\xED\xB2\x80"), Err(b"        \xED\xB2\x80".to_vec()));
        assert_eq!(clean("\u{d7ff}"), "\u{d7ff}");
    }
}
