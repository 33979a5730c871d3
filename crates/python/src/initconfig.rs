//! PyConfig: command line and environment.
