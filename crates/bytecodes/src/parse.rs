//! Reads the definition files into [`Definitions`].

use crate::model::*;

/// A cursor over one definition file.
struct Parser<'a> {
    file: &'a str,
    text: &'a str,
    pos: usize,
}

type Res<T> = Result<T, String>;

/// Adds what `text` defines to `defs`; an error names file and line.
pub fn parse_file(file: &str, text: &str, defs: &mut Definitions) -> Res<()> {
    let mut p = Parser { file, text, pos: 0 };
    while p.skip_blank() {
        p.item(defs)?;
    }
    Ok(())
}

/// Byte offset just past the token that starts at `i` where that token is a comment, a string or a character;
/// otherwise `i`.
fn skip_opaque(text: &str, i: usize) -> usize {
    let rest = &text[i..];
    if rest.starts_with("//") {
        return i + rest.find('\n').unwrap_or(rest.len());
    }
    if let Some(body) = rest.strip_prefix('"') {
        let mut escaped = false;
        for (k, c) in body.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return i + 1 + k + 1,
                _ => {}
            }
        }
    }
    i
}

/// Byte offset of the bracket that closes the one at `open`.
pub fn matching(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut i = open;
    while i < text.len() {
        let j = skip_opaque(text, i);
        if j > i {
            i = j;
            continue;
        }
        match text.as_bytes()[i] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
        i += 1;
    }
    None
}

/// Splits at commas that are outside brackets.
fn split_commas(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|p| !p.is_empty());
    parts
}

impl<'a> Parser<'a> {
    fn error<T>(&self, what: &str) -> Res<T> {
        let line = self.text[..self.pos].matches('\n').count() + 1;
        Err(format!("{}:{line}: {what}", self.file))
    }

    /// Skips blanks and comments; `false` at the end.
    fn skip_blank(&mut self) -> bool {
        loop {
            let rest = &self.text[self.pos..];
            let trimmed = rest.trim_start_matches([' ', '\n', '\t', ';']);
            self.pos += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.pos = skip_opaque(self.text, self.pos);
            } else {
                return !trimmed.is_empty();
            }
        }
    }

    fn word(&mut self) -> Res<&'a str> {
        self.skip_blank();
        let rest = &self.text[self.pos..];
        let len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if len == 0 {
            return self.error("a word is expected here");
        }
        self.pos += len;
        Ok(&rest[..len])
    }

    /// The text inside the bracket that comes next.
    fn bracketed(&mut self, open: u8) -> Res<&'a str> {
        self.skip_blank();
        if self.text.as_bytes().get(self.pos) != Some(&open) {
            return self.error(&format!("'{}' is expected here", open as char));
        }
        let start = self.pos;
        match matching(self.text, start) {
            Some(end) => {
                self.pos = end + 1;
                Ok(&self.text[start + 1..end])
            }
            None => self.error("this bracket is not closed"),
        }
    }

    fn equals(&mut self) -> Res<()> {
        self.skip_blank();
        if !self.text[self.pos..].starts_with('=') {
            return self.error("'=' is expected here");
        }
        self.pos += 1;
        Ok(())
    }

    fn item(&mut self, defs: &mut Definitions) -> Res<()> {
        let (mut pure, mut raw, mut specializing) = (false, false, false);
        loop {
            match self.word()? {
                "pure" => pure = true,
                "raw" => raw = true,
                "specializing" => specializing = true,
                kind @ ("inst" | "op") => {
                    let head = self.bracketed(b'(')?;
                    let body = self.bracketed(b'{')?;
                    let Some((name, effect)) = head.split_once(',') else {
                        return self.error("NAME, (effect) is expected in the parentheses");
                    };
                    let effect = effect.trim().trim_start_matches('(').trim_end_matches(')');
                    // A trailing `if (cond)` has its parenthesis cut by the trim above; put it back.
                    let effect = if effect.matches('(').count() > effect.matches(')').count() {
                        format!("{effect})")
                    } else {
                        effect.to_owned()
                    };
                    let (caches, inputs, outputs) = self.effect(&effect)?;
                    let name = name.trim().to_owned();
                    let op_name = if kind == "inst" { format!("_{name}") } else { name.clone() };
                    defs.ops.push(Op {
                        name: op_name.clone(),
                        caches,
                        inputs,
                        outputs,
                        body: body.to_owned(),
                        pure,
                        raw,
                        specializing,
                    });
                    if kind == "inst" {
                        defs.instructions.push(Instruction { name, parts: vec![Part::Op(op_name)] });
                    }
                    return Ok(());
                }
                "macro" => {
                    let name = self.bracketed(b'(')?.trim().to_owned();
                    self.equals()?;
                    let rest = &self.text[self.pos..];
                    let Some(end) = rest.find(';') else {
                        return self.error("the macro has no ';'");
                    };
                    let mut parts = Vec::new();
                    for part in rest[..end].split('+').map(str::trim) {
                        parts.push(match part.split_once('/') {
                            Some((_, size)) => Part::Skip(size.trim().parse().map_err(|_| format!("{part}: bad size"))?),
                            None => Part::Op(part.to_owned()),
                        });
                    }
                    self.pos += end + 1;
                    defs.instructions.push(Instruction { name, parts });
                    return Ok(());
                }
                kind @ ("family" | "pseudo" | "order") => {
                    let head = self.bracketed(b'(')?.trim().to_owned();
                    self.equals()?;
                    let list = self.bracketed(b'{')?;
                    let members: Vec<String> = split_commas(list).into_iter().map(str::to_owned).collect();
                    match kind {
                        "family" => defs.families.push((head, members)),
                        "pseudo" => defs.pseudos.push((head, members)),
                        _ => {
                            let first = head.parse().map_err(|_| format!("order({head}): not a number"))?;
                            defs.ordered.push((first, members));
                        }
                    }
                    return Ok(());
                }
                other => return self.error(&format!("unknown keyword {other:?}")),
            }
        }
    }

    fn effect(&self, text: &str) -> Res<(Vec<Cache>, Vec<Item>, Vec<Item>)> {
        let Some((left, right)) = text.split_once("--") else {
            return self.error("an effect needs '--'");
        };
        let (mut caches, mut inputs, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        for part in split_commas(left) {
            match part.split_once('/') {
                Some((name, size)) => caches.push(Cache {
                    name: name.trim().to_owned(),
                    size: size.trim().parse().map_err(|_| format!("{part}: bad size"))?,
                }),
                None => inputs.push(item(part)),
            }
        }
        outputs.extend(split_commas(right).into_iter().map(item));
        Ok((caches, inputs, outputs))
    }
}

fn item(text: &str) -> Item {
    let (text, condition) = match text.split_once(" if ") {
        Some((t, c)) => (t.trim(), Some(c.trim().to_owned())),
        None => (text, None),
    };
    let (raw_ref, text) = match text.strip_prefix("ref ") {
        Some(t) => (true, t.trim()),
        None => (false, text),
    };
    let (name, count) = match text.split_once('[') {
        Some((n, c)) => (n.trim().to_owned(), Some(c.trim_end_matches(']').trim().to_owned())),
        None => (text.to_owned(), None),
    };
    Item { name, raw_ref, count, condition }
}
