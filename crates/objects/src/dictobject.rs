//! `dict`, its views and iterators; key-sharing tables; managed instance dictionaries.
