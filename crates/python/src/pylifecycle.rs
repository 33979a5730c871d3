//! Initialisation and finalisation.
