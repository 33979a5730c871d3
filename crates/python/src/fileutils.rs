//! Locale, path and file-descriptor helpers.
