//! The text signature of a native function, parsed at compile time.

/// What a parameter is when the caller leaves it out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// It can't be left out.
    Required,
    /// Absent, with no value that Python could show (`<unrepresentable>`), or an optional group.
    Absent,
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer literal.
    Int(i64),
    /// A string literal without its quotes.
    Str(&'static str),
    /// Anything else, as written (floats, names): the parameter's type must know "absent".
    Other(&'static str),
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Its default.
    pub default: Default,
}

/// A parsed signature with `N` parameters, `*args` and `**kwargs` included.
#[derive(Clone, Copy, Debug)]
pub struct Signature<const N: usize> {
    /// The function's name.
    pub name: &'static str,
    /// The parameters in order.
    pub params: [Param; N],
    /// How many are positional-only.
    pub posonly: usize,
    /// How many can be given by position (positional-only ones included).
    pub positional: usize,
    /// How many of those must be given.
    pub required: usize,
    /// Whether a `*args` parameter follows the positional ones.
    pub varargs: bool,
    /// Whether the last parameter is `**kwargs`.
    pub varkw: bool,
}

/// A [`Signature`] without its size, for code that is not generic.
#[derive(Clone, Copy, Debug)]
pub struct Sig<'a> {
    /// See [`Signature`].
    pub name: &'static str,
    /// See [`Signature`].
    pub params: &'a [Param],
    /// See [`Signature`].
    pub posonly: usize,
    /// See [`Signature`].
    pub positional: usize,
    /// See [`Signature`].
    pub required: usize,
    /// See [`Signature`].
    pub varargs: bool,
    /// See [`Signature`].
    pub varkw: bool,
}

/// The C convention that suits a signature best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Convention {
    /// METH_NOARGS.
    NoArgs,
    /// METH_O.
    O,
    /// METH_FASTCALL.
    Fast,
    /// METH_FASTCALL | METH_KEYWORDS.
    FastKeywords,
}

const fn slice(text: &'static str, from: usize, to: usize) -> &'static str {
    let (_, tail) = text.as_bytes().split_at(from);
    let (part, _) = tail.split_at(to - from);
    match core::str::from_utf8(part) {
        Ok(s) => s,
        Err(_) => panic!("signature is not UTF-8"),
    }
}

/// Length of the name, which ends at the opening parenthesis.
pub const fn name_len(text: &str) -> usize {
    let b = text.as_bytes();
    let mut i = 0;
    while i < b.len() && b[i] != b'(' {
        i += 1;
    }
    i
}

/// The name as a NUL-terminated array.
pub const fn name_bytes<const L: usize>(text: &str) -> [u8; L] {
    let b = text.as_bytes();
    let mut out = [0; L];
    let mut i = 0;
    while i + 1 < L {
        out[i] = b[i];
        i += 1;
    }
    out
}

/// Position of the comma or parenthesis that ends the piece starting at `i`.
const fn piece_end(b: &[u8], mut i: usize) -> usize {
    let mut depth = 0;
    let mut quote = 0u8;
    while i < b.len() {
        let c = b[i];
        if quote != 0 {
            if c == quote {
                quote = 0;
            }
        } else if c == b'\'' || c == b'"' {
            quote = c;
        } else if c == b'(' || c == b'[' || c == b'{' {
            depth += 1;
        } else if depth > 0 && (c == b')' || c == b']' || c == b'}') {
            depth -= 1;
        } else if depth == 0 && (c == b',' || c == b')') {
            return i;
        }
        i += 1;
    }
    panic!("signature lacks its closing parenthesis");
}

const fn skip_spaces(b: &[u8], mut i: usize) -> usize {
    while i < b.len() && (b[i] == b' ' || b[i] == b'\n') {
        i += 1;
    }
    i
}

/// How many parameters `text` declares, `$self` and the markers `/` and `*` not counted.
pub const fn count(text: &str) -> usize {
    let b = text.as_bytes();
    let mut i = name_len(text) + 1;
    let mut n = 0;
    loop {
        i = skip_spaces(b, i);
        if b[i] == b')' {
            return n;
        }
        let end = piece_end(b, i);
        let marker = end - i == 1 && (b[i] == b'/' || b[i] == b'*');
        if !marker && b[i] != b'$' {
            n += 1;
        }
        i = end;
        if b[i] == b',' {
            i += 1;
        }
    }
}

const fn equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

const fn default_of(text: &'static str) -> Default {
    if equal(text, "None") {
        return Default::None;
    }
    if equal(text, "True") {
        return Default::Bool(true);
    }
    if equal(text, "False") {
        return Default::Bool(false);
    }
    if equal(text, "<unrepresentable>") || equal(text, "...") {
        return Default::Absent;
    }
    let b = text.as_bytes();
    if b.len() >= 2 && (b[0] == b'\'' || b[0] == b'"') {
        return Default::Str(slice(text, 1, b.len() - 1));
    }
    let negative = b[0] == b'-';
    let mut i = negative as usize;
    let mut value: i64 = 0;
    while i < b.len() {
        if b[i] < b'0' || b[i] > b'9' {
            return Default::Other(text);
        }
        value = value * 10 + (b[i] - b'0') as i64;
        i += 1;
    }
    Default::Int(if negative { -value } else { value })
}

impl<const N: usize> Signature<N> {
    /// Parses a text signature; a malformed one fails the build.
    pub const fn parse(text: &'static str) -> Self {
        let b = text.as_bytes();
        let mut params = [Param { name: "", default: Default::Required }; N];
        let (mut posonly, mut positional, mut required) = (0, 0, 0);
        let (mut varargs, mut varkw, mut keyword_only) = (false, false, false);
        let mut n = 0;
        let mut i = name_len(text) + 1;
        loop {
            i = skip_spaces(b, i);
            if b[i] == b')' {
                break;
            }
            let end = piece_end(b, i);
            if b[i] == b'$' {
            } else if end - i == 1 && b[i] == b'/' {
                posonly = n;
            } else if end - i == 1 && b[i] == b'*' {
                keyword_only = true;
            } else if b[i] == b'*' && b[i + 1] == b'*' {
                params[n] = Param { name: slice(text, i + 2, end), default: Default::Absent };
                varkw = true;
                n += 1;
            } else if b[i] == b'*' {
                params[n] = Param { name: slice(text, i + 1, end), default: Default::Absent };
                varargs = true;
                keyword_only = true;
                n += 1;
            } else {
                let mut eq = i;
                while eq < end && b[eq] != b'=' {
                    eq += 1;
                }
                let default = if eq < end { default_of(slice(text, eq + 1, end)) } else { Default::Required };
                params[n] = Param { name: slice(text, i, eq), default };
                if !keyword_only {
                    positional += 1;
                    if eq == end {
                        required = positional;
                    }
                }
                n += 1;
            }
            i = end;
            if b[i] == b',' {
                i += 1;
            }
        }
        Signature { name: slice(text, 0, name_len(text)), params, posonly, positional, required, varargs, varkw }
    }

    /// Without the size.
    pub const fn erase(&self) -> Sig<'_> {
        Sig {
            name: self.name,
            params: &self.params,
            posonly: self.posonly,
            positional: self.positional,
            required: self.required,
            varargs: self.varargs,
            varkw: self.varkw,
        }
    }

    /// The convention that needs the least work per call.
    pub const fn convention(&self) -> Convention {
        if N == 0 {
            Convention::NoArgs
        } else if N == 1 && self.posonly == 1 && self.required == 1 {
            Convention::O
        } else if self.posonly == self.positional && N == self.positional + self.varargs as usize {
            Convention::Fast
        } else {
            Convention::FastKeywords
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_parameters() {
        const S: Signature<5> = Signature::parse("f($self, a, b=-12, /, c='x,y', *, d=None, **kw)");
        assert_eq!(count("f($self, a, b=-12, /, c='x,y', *, d=None, **kw)"), 5);
        assert_eq!((S.posonly, S.positional, S.required), (2, 3, 1));
        assert_eq!(S.params[1].default, Default::Int(-12));
        assert_eq!(S.params[2].default, Default::Str("x,y"));
        assert_eq!(S.params[4].name, "kw");
        assert!(S.varkw && !S.varargs);
    }

    #[test]
    fn conventions() {
        assert_eq!(Signature::<0>::parse("f($self, /)").convention(), Convention::NoArgs);
        assert_eq!(Signature::<1>::parse("f($self, x, /)").convention(), Convention::O);
        assert_eq!(Signature::<1>::parse("f($self, x=1, /)").convention(), Convention::Fast);
        assert_eq!(Signature::<1>::parse("f($self, x)").convention(), Convention::FastKeywords);
        assert_eq!(Signature::<1>::parse("f(*args)").convention(), Convention::Fast);
    }
}
