//! `from __future__ import ...`.

use taipan_parser::ast::*;

use crate::codegen::docstring;
use crate::error::{CompileError, Location, NO_LOCATION, Result};
use crate::flags::{CO_FUTURE_ANNOTATIONS, CO_FUTURE_BARRY_AS_BDFL};

/// The future statements of a module.
#[derive(Clone, Copy, Debug)]
pub struct Future {
    /// `CO_FUTURE_*` of those that still mean something.
    pub features: u32,
    /// The last of them.
    pub location: Location,
}

/// What each name means; most features are always on.
fn feature(name: &Alias<'_>) -> Result<u32> {
    match name.name {
        "nested_scopes" | "generators" | "division" | "absolute_import" | "with_statement" | "print_function"
        | "unicode_literals" | "generator_stop" => Ok(0),
        "barry_as_FLUFL" => Ok(CO_FUTURE_BARRY_AS_BDFL),
        "annotations" => Ok(CO_FUTURE_ANNOTATIONS),
        "braces" => Err(CompileError::at(name.range, "not a chance")),
        other => {
            let shown: String = other.chars().take(100).collect();
            Err(CompileError::at(name.range, format!("future feature {shown} is not defined")))
        }
    }
}

/// Reads the future statements at the beginning of a module.
pub fn future_from_ast(module: &Mod<'_>) -> Result<Future> {
    let mut future = Future { features: 0, location: NO_LOCATION };
    let (Mod::Module { body, .. } | Mod::Interactive { body }) = module else { return Ok(future) };
    let start = usize::from(docstring(body).is_some());
    for s in &body[start..] {
        let StmtKind::ImportFrom { module: Some("__future__"), names, level: None | Some(0) } = s.kind else { break };
        for name in names {
            future.features |= feature(name)?;
        }
        future.location = s.range.into();
    }
    Ok(future)
}
