//! Token kinds, with CPython's numbers, and tokens.

macro_rules! tokens {
    ($($name:ident $number:literal $text:literal,)*) => {
        /// A kind of token.
        ///
        /// The numbers up to [`Tok::ENCODING`] are those of the `token` module; reserved words,
        /// which that module calls NAME, have numbers of their own after them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the names are those of the token module")]
        pub enum Tok { $($name = $number,)* }

        impl Tok {
            /// All kinds.
            pub const ALL: &[Tok] = &[$(Tok::$name),*];

            /// The name of the kind in the `token` module.
            pub fn name(self) -> &'static str {
                if self.is_keyword() { return "NAME"; }
                match self { $(Tok::$name => stringify!($name),)* }
            }

            /// The text of an operator, a delimiter or a reserved word; empty for the others.
            pub fn text(self) -> &'static str {
                match self { $(Tok::$name => $text,)* }
            }
        }
    };
}

tokens! {
    ENDMARKER 0 "", NAME 1 "", NUMBER 2 "", STRING 3 "", NEWLINE 4 "", INDENT 5 "", DEDENT 6 "",
    LPAR 7 "(", RPAR 8 ")", LSQB 9 "[", RSQB 10 "]", COLON 11 ":", COMMA 12 ",", SEMI 13 ";",
    PLUS 14 "+", MINUS 15 "-", STAR 16 "*", SLASH 17 "/", VBAR 18 "|", AMPER 19 "&", LESS 20 "<",
    GREATER 21 ">", EQUAL 22 "=", DOT 23 ".", PERCENT 24 "%", LBRACE 25 "{", RBRACE 26 "}",
    EQEQUAL 27 "==", NOTEQUAL 28 "!=", LESSEQUAL 29 "<=", GREATEREQUAL 30 ">=", TILDE 31 "~",
    CIRCUMFLEX 32 "^", LEFTSHIFT 33 "<<", RIGHTSHIFT 34 ">>", DOUBLESTAR 35 "**",
    PLUSEQUAL 36 "+=", MINEQUAL 37 "-=", STAREQUAL 38 "*=", SLASHEQUAL 39 "/=",
    PERCENTEQUAL 40 "%=", AMPEREQUAL 41 "&=", VBAREQUAL 42 "|=", CIRCUMFLEXEQUAL 43 "^=",
    LEFTSHIFTEQUAL 44 "<<=", RIGHTSHIFTEQUAL 45 ">>=", DOUBLESTAREQUAL 46 "**=",
    DOUBLESLASH 47 "//", DOUBLESLASHEQUAL 48 "//=", AT 49 "@", ATEQUAL 50 "@=", RARROW 51 "->",
    ELLIPSIS 52 "...", COLONEQUAL 53 ":=", EXCLAMATION 54 "!", OP 55 "", TYPE_IGNORE 56 "",
    TYPE_COMMENT 57 "", SOFT_KEYWORD 58 "", FSTRING_START 59 "", FSTRING_MIDDLE 60 "",
    FSTRING_END 61 "", COMMENT 62 "", NL 63 "", ERRORTOKEN 64 "", ENCODING 65 "",
    FALSE 70 "False", NONE 71 "None", TRUE 72 "True", AND 73 "and", AS 74 "as",
    ASSERT 75 "assert", ASYNC 76 "async", AWAIT 77 "await", BREAK 78 "break", CLASS 79 "class",
    CONTINUE 80 "continue", DEF 81 "def", DEL 82 "del", ELIF 83 "elif", ELSE 84 "else",
    EXCEPT 85 "except", FINALLY 86 "finally", FOR 87 "for", FROM 88 "from", GLOBAL 89 "global",
    IF 90 "if", IMPORT 91 "import", IN 92 "in", IS 93 "is", LAMBDA 94 "lambda",
    NONLOCAL 95 "nonlocal", NOT 96 "not", OR 97 "or", PASS 98 "pass", RAISE 99 "raise",
    RETURN 100 "return", TRY 101 "try", WHILE 102 "while", WITH 103 "with", YIELD 104 "yield",
}

impl Tok {
    /// Is this a reserved word?
    #[inline]
    pub fn is_keyword(self) -> bool {
        self as u8 >= Tok::FALSE as u8
    }

    /// The number of the kind in the `token` module, with which reserved words are names.
    pub fn number(self) -> u8 {
        if self.is_keyword() { Tok::NAME as u8 } else { self as u8 }
    }

    /// Whitespace and the end, which never are the last token of a node.
    pub(crate) fn is_whitespace(self) -> bool {
        matches!(self, Tok::ENDMARKER | Tok::NEWLINE | Tok::INDENT | Tok::DEDENT)
    }

    /// STRING and FSTRING_MIDDLE, which may have several lines.
    pub(crate) fn is_string_part(self) -> bool {
        matches!(self, Tok::STRING | Tok::FSTRING_MIDDLE)
    }
}

/// The kind of a name: NAME, or that of the reserved word it is.
#[inline]
pub(crate) fn keyword_or_name(text: &[u8]) -> Tok {
    use Tok::*;
    if text.len() < 2 || text.len() > 8 {
        return NAME;
    }
    match text {
        b"if" => IF,
        b"as" => AS,
        b"in" => IN,
        b"or" => OR,
        b"is" => IS,
        b"del" => DEL,
        b"def" => DEF,
        b"for" => FOR,
        b"try" => TRY,
        b"and" => AND,
        b"not" => NOT,
        b"from" => FROM,
        b"pass" => PASS,
        b"with" => WITH,
        b"elif" => ELIF,
        b"else" => ELSE,
        b"None" => NONE,
        b"True" => TRUE,
        b"raise" => RAISE,
        b"yield" => YIELD,
        b"break" => BREAK,
        b"async" => ASYNC,
        b"class" => CLASS,
        b"while" => WHILE,
        b"False" => FALSE,
        b"await" => AWAIT,
        b"return" => RETURN,
        b"import" => IMPORT,
        b"assert" => ASSERT,
        b"global" => GLOBAL,
        b"except" => EXCEPT,
        b"lambda" => LAMBDA,
        b"finally" => FINALLY,
        b"continue" => CONTINUE,
        b"nonlocal" => NONLOCAL,
        _ => NAME,
    }
}

/// The words that are keywords in some places only.
pub(crate) fn is_soft_keyword(text: &[u8]) -> bool {
    matches!(text, b"_" | b"case" | b"match" | b"type")
}

/// A token: its kind, its text as a range of the tokenizer's buffer, and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Tok,
    /// How many brackets are open after it.
    pub level: u8,
    /// Its text has bytes above 127.
    pub nonascii: bool,
    /// Where its text begins in the buffer; meaningless without a column.
    pub start: u32,
    /// Where its text ends in the buffer.
    pub end: u32,
    /// First line, from 1.
    pub lineno: u32,
    /// Byte column of its start, or -1 for a token without text.
    pub col_offset: i32,
    /// Last line.
    pub end_lineno: u32,
    /// Byte column of its end, or -1.
    pub end_col_offset: i32,
}

impl Token {
    /// A stand-in for "no token yet".
    pub(crate) const NOTHING: Token = Token {
        kind: Tok::ENDMARKER,
        level: 0,
        nonascii: false,
        start: 0,
        end: 0,
        lineno: 0,
        col_offset: -1,
        end_lineno: 0,
        end_col_offset: -1,
    };

    /// Does the token have a text?
    pub(crate) fn has_text(&self) -> bool {
        self.col_offset >= 0
    }

    /// Where it stands, as a node has it.
    #[inline]
    pub(crate) fn range(&self) -> crate::ast::Range {
        crate::ast::Range {
            lineno: self.lineno,
            col_offset: self.col_offset as u32,
            end_lineno: self.end_lineno,
            end_col_offset: self.end_col_offset as u32,
        }
    }
}
