//! Modules and multi-phase initialisation.
