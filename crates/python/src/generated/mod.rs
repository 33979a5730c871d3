//! What `taipan-bytecodes` makes of the instruction definitions. See `crates/bytecodes/definitions/README.md`.

pub mod generated_cases;
pub mod opcode_ids;
pub mod opcode_metadata;
