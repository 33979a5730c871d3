//! Numbers shared with `Lib/re/_constants.py`.

/// Version of the code format; `re` checks that it is its own.
pub const MAGIC: i64 = 20230612;
/// Bytes in a code word.
pub const CODESIZE: i64 = 4;
/// "No upper bound" in a repeat.
pub const MAXREPEAT: u32 = u32::MAX;
/// How many groups a pattern may have.
pub const MAXGROUPS: u32 = i32::MAX as u32 / 2;

macro_rules! numbered {
    ($(#[$m:meta])* $($name:ident)*) => { numbered!(@ 0; $($name)*); };
    (@ $n:expr; $name:ident $($rest:ident)*) => {
        #[doc = concat!("`", stringify!($name), "`.")]
        pub const $name: u32 = $n;
        numbered!(@ $n + 1; $($rest)*);
    };
    (@ $n:expr;) => {};
}

numbered! {
    FAILURE SUCCESS ANY ANY_ALL ASSERT ASSERT_NOT AT BRANCH CATEGORY CHARSET BIGCHARSET GROUPREF GROUPREF_EXISTS IN INFO
    JUMP LITERAL MARK MAX_UNTIL MIN_UNTIL NOT_LITERAL NEGATE RANGE REPEAT REPEAT_ONE SUBPATTERN MIN_REPEAT_ONE
    ATOMIC_GROUP POSSESSIVE_REPEAT POSSESSIVE_REPEAT_ONE GROUPREF_IGNORE IN_IGNORE LITERAL_IGNORE NOT_LITERAL_IGNORE
    GROUPREF_LOC_IGNORE IN_LOC_IGNORE LITERAL_LOC_IGNORE NOT_LITERAL_LOC_IGNORE GROUPREF_UNI_IGNORE IN_UNI_IGNORE
    LITERAL_UNI_IGNORE NOT_LITERAL_UNI_IGNORE RANGE_UNI_IGNORE
}
numbered! {
    AT_BEGINNING AT_BEGINNING_LINE AT_BEGINNING_STRING AT_BOUNDARY AT_NON_BOUNDARY AT_END AT_END_LINE AT_END_STRING
    AT_LOC_BOUNDARY AT_LOC_NON_BOUNDARY AT_UNI_BOUNDARY AT_UNI_NON_BOUNDARY
}
numbered! {
    CATEGORY_DIGIT CATEGORY_NOT_DIGIT CATEGORY_SPACE CATEGORY_NOT_SPACE CATEGORY_WORD CATEGORY_NOT_WORD
    CATEGORY_LINEBREAK CATEGORY_NOT_LINEBREAK CATEGORY_LOC_WORD CATEGORY_LOC_NOT_WORD CATEGORY_UNI_DIGIT
    CATEGORY_UNI_NOT_DIGIT CATEGORY_UNI_SPACE CATEGORY_UNI_NOT_SPACE CATEGORY_UNI_WORD CATEGORY_UNI_NOT_WORD
    CATEGORY_UNI_LINEBREAK CATEGORY_UNI_NOT_LINEBREAK
}

/// Bits of INFO's flags.
pub const INFO_PREFIX: u32 = 1;
/// The prefix is the whole pattern.
pub const INFO_LITERAL: u32 = 2;
/// A set of first characters follows.
pub const INFO_CHARSET: u32 = 4;

/// Flags of patterns.
pub const FLAG_IGNORECASE: i32 = 2;
/// See [`FLAG_IGNORECASE`].
pub const FLAG_LOCALE: i32 = 4;
/// See [`FLAG_IGNORECASE`].
pub const FLAG_MULTILINE: i32 = 8;
/// See [`FLAG_IGNORECASE`].
pub const FLAG_DOTALL: i32 = 16;
/// See [`FLAG_IGNORECASE`].
pub const FLAG_UNICODE: i32 = 32;
/// See [`FLAG_IGNORECASE`].
pub const FLAG_VERBOSE: i32 = 64;
/// See [`FLAG_IGNORECASE`].
pub const FLAG_DEBUG: i32 = 128;
/// See [`FLAG_IGNORECASE`].
pub const FLAG_ASCII: i32 = 256;
