//! The codecs implemented natively: UTF-7/8/16/32, Latin-1, ASCII, charmap, escapes.
