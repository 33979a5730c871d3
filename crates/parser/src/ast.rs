//! The abstract syntax tree, node for node that of `Python.asdl`.
//!
//! Every node lives in a `bumpalo` arena and is `Copy`: links are shared
//! references, sequences are shared slices, and a tree is changed by building
//! new nodes. Variant and field names are those of the ASDL, so a reader who
//! knows the `ast` module knows this one.

/// Where a node stands in its source: lines count from 1, columns are UTF-8
/// byte offsets from 0, the end is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Range {
    /// First line.
    pub lineno: u32,
    /// Byte column of the first byte.
    pub col_offset: u32,
    /// Last line.
    pub end_lineno: u32,
    /// Byte column after the last byte.
    pub end_col_offset: u32,
}

impl Range {
    /// The range from the start of `self` to the end of `last`.
    #[inline]
    pub fn to(self, last: Range) -> Range {
        Range { end_lineno: last.end_lineno, end_col_offset: last.end_col_offset, ..self }
    }
}

/// The root of a tree; which one depends on the start rule.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub enum Mod<'a> {
    /// A file (`"exec"`).
    Module { body: &'a [Stmt<'a>], type_ignores: &'a [TypeIgnore<'a>] },
    /// One interactive statement (`"single"`).
    Interactive { body: &'a [Stmt<'a>] },
    /// One expression (`"eval"`).
    Expression { body: &'a Expr<'a> },
    /// A signature type comment (`"func_type"`).
    FunctionType { argtypes: &'a [&'a Expr<'a>], returns: &'a Expr<'a> },
}

/// A statement.
#[derive(Clone, Copy, Debug)]
pub struct Stmt<'a> {
    /// What it is.
    pub kind: StmtKind<'a>,
    /// Where it is.
    pub range: Range,
}

/// The statements of the ASDL.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub enum StmtKind<'a> {
    FunctionDef {
        name: &'a str,
        args: &'a Arguments<'a>,
        body: &'a [Stmt<'a>],
        decorator_list: &'a [&'a Expr<'a>],
        returns: Option<&'a Expr<'a>>,
        type_comment: Option<&'a str>,
        type_params: &'a [TypeParam<'a>],
    },
    AsyncFunctionDef {
        name: &'a str,
        args: &'a Arguments<'a>,
        body: &'a [Stmt<'a>],
        decorator_list: &'a [&'a Expr<'a>],
        returns: Option<&'a Expr<'a>>,
        type_comment: Option<&'a str>,
        type_params: &'a [TypeParam<'a>],
    },
    ClassDef {
        name: &'a str,
        bases: &'a [&'a Expr<'a>],
        keywords: &'a [Keyword<'a>],
        body: &'a [Stmt<'a>],
        decorator_list: &'a [&'a Expr<'a>],
        type_params: &'a [TypeParam<'a>],
    },
    Return { value: Option<&'a Expr<'a>> },
    Delete { targets: &'a [&'a Expr<'a>] },
    Assign { targets: &'a [&'a Expr<'a>], value: &'a Expr<'a>, type_comment: Option<&'a str> },
    TypeAlias { name: &'a Expr<'a>, type_params: &'a [TypeParam<'a>], value: &'a Expr<'a> },
    AugAssign { target: &'a Expr<'a>, op: Operator, value: &'a Expr<'a> },
    /// `simple` is 1 for a bare name without parentheses.
    AnnAssign { target: &'a Expr<'a>, annotation: &'a Expr<'a>, value: Option<&'a Expr<'a>>, simple: i32 },
    For {
        target: &'a Expr<'a>,
        iter: &'a Expr<'a>,
        body: &'a [Stmt<'a>],
        orelse: &'a [Stmt<'a>],
        type_comment: Option<&'a str>,
    },
    AsyncFor {
        target: &'a Expr<'a>,
        iter: &'a Expr<'a>,
        body: &'a [Stmt<'a>],
        orelse: &'a [Stmt<'a>],
        type_comment: Option<&'a str>,
    },
    While { test: &'a Expr<'a>, body: &'a [Stmt<'a>], orelse: &'a [Stmt<'a>] },
    If { test: &'a Expr<'a>, body: &'a [Stmt<'a>], orelse: &'a [Stmt<'a>] },
    With { items: &'a [WithItem<'a>], body: &'a [Stmt<'a>], type_comment: Option<&'a str> },
    AsyncWith { items: &'a [WithItem<'a>], body: &'a [Stmt<'a>], type_comment: Option<&'a str> },
    Match { subject: &'a Expr<'a>, cases: &'a [MatchCase<'a>] },
    Raise { exc: Option<&'a Expr<'a>>, cause: Option<&'a Expr<'a>> },
    Try {
        body: &'a [Stmt<'a>],
        handlers: &'a [ExceptHandler<'a>],
        orelse: &'a [Stmt<'a>],
        finalbody: &'a [Stmt<'a>],
    },
    TryStar {
        body: &'a [Stmt<'a>],
        handlers: &'a [ExceptHandler<'a>],
        orelse: &'a [Stmt<'a>],
        finalbody: &'a [Stmt<'a>],
    },
    Assert { test: &'a Expr<'a>, msg: Option<&'a Expr<'a>> },
    Import { names: &'a [Alias<'a>] },
    /// The parser always gives a `level`; `None` can only come from `ast` objects.
    ImportFrom { module: Option<&'a str>, names: &'a [Alias<'a>], level: Option<i32> },
    Global { names: &'a [&'a str] },
    Nonlocal { names: &'a [&'a str] },
    Expr { value: &'a Expr<'a> },
    Pass,
    Break,
    Continue,
}

/// An expression.
#[derive(Clone, Copy, Debug)]
pub struct Expr<'a> {
    /// What it is.
    pub kind: ExprKind<'a>,
    /// Where it is.
    pub range: Range,
}

/// The expressions of the ASDL.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub enum ExprKind<'a> {
    BoolOp { op: BoolOp, values: &'a [&'a Expr<'a>] },
    NamedExpr { target: &'a Expr<'a>, value: &'a Expr<'a> },
    BinOp { left: &'a Expr<'a>, op: Operator, right: &'a Expr<'a> },
    UnaryOp { op: UnaryOp, operand: &'a Expr<'a> },
    Lambda { args: &'a Arguments<'a>, body: &'a Expr<'a> },
    IfExp { test: &'a Expr<'a>, body: &'a Expr<'a>, orelse: &'a Expr<'a> },
    /// A `None` key stands for `**value`.
    Dict { keys: &'a [Option<&'a Expr<'a>>], values: &'a [&'a Expr<'a>] },
    Set { elts: &'a [&'a Expr<'a>] },
    ListComp { elt: &'a Expr<'a>, generators: &'a [Comprehension<'a>] },
    SetComp { elt: &'a Expr<'a>, generators: &'a [Comprehension<'a>] },
    DictComp { key: &'a Expr<'a>, value: &'a Expr<'a>, generators: &'a [Comprehension<'a>] },
    GeneratorExp { elt: &'a Expr<'a>, generators: &'a [Comprehension<'a>] },
    Await { value: &'a Expr<'a> },
    Yield { value: Option<&'a Expr<'a>> },
    YieldFrom { value: &'a Expr<'a> },
    Compare { left: &'a Expr<'a>, ops: &'a [CmpOp], comparators: &'a [&'a Expr<'a>] },
    Call { func: &'a Expr<'a>, args: &'a [&'a Expr<'a>], keywords: &'a [Keyword<'a>] },
    /// `conversion` is -1, or the code point of `s`, `r` or `a`.
    FormattedValue { value: &'a Expr<'a>, conversion: i32, format_spec: Option<&'a Expr<'a>> },
    JoinedStr { values: &'a [&'a Expr<'a>] },
    /// `kind` is `"u"` for a string whose first literal had that prefix.
    Constant { value: Constant<'a>, kind: Option<&'a str> },
    Attribute { value: &'a Expr<'a>, attr: &'a str, ctx: ExprContext },
    Subscript { value: &'a Expr<'a>, slice: &'a Expr<'a>, ctx: ExprContext },
    Starred { value: &'a Expr<'a>, ctx: ExprContext },
    Name { id: &'a str, ctx: ExprContext },
    List { elts: &'a [&'a Expr<'a>], ctx: ExprContext },
    Tuple { elts: &'a [&'a Expr<'a>], ctx: ExprContext },
    Slice { lower: Option<&'a Expr<'a>>, upper: Option<&'a Expr<'a>>, step: Option<&'a Expr<'a>> },
}

/// A constant value.
///
/// The parser makes no tuple, no frozenset and no negative number; these come
/// from `ast` objects and from the compiler's folding.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are Python's types")]
pub enum Constant<'a> {
    None,
    True,
    False,
    Ellipsis,
    Int(Int<'a>),
    Float(f64),
    Complex { real: f64, imag: f64 },
    /// Generalised UTF-8: a lone surrogate is its three-byte form.
    Str(&'a [u8]),
    Bytes(&'a [u8]),
    Tuple(&'a [Constant<'a>]),
    FrozenSet(&'a [Constant<'a>]),
}

/// An integer constant; `Big` only where `Small` can't hold the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Int<'a> {
    /// Fits in 64 bits.
    Small(i64),
    /// Sign and magnitude.
    Big {
        /// Less than zero.
        negative: bool,
        /// Base 2**30, least significant digit first, as in an int object; no leading zeros.
        digits: &'a [u32],
    },
}

/// How an expression is used: read, assigned or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the ASDL's names")]
pub enum ExprContext {
    Load,
    Store,
    Del,
}

/// A short-circuit operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the ASDL's names")]
pub enum BoolOp {
    And,
    Or,
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the ASDL's names")]
pub enum Operator {
    Add,
    Sub,
    Mult,
    MatMult,
    Div,
    Mod,
    Pow,
    LShift,
    RShift,
    BitOr,
    BitXor,
    BitAnd,
    FloorDiv,
}

/// A unary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the ASDL's names")]
pub enum UnaryOp {
    Invert,
    Not,
    UAdd,
    USub,
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the ASDL's names")]
pub enum CmpOp {
    Eq,
    NotEq,
    Lt,
    LtE,
    Gt,
    GtE,
    Is,
    IsNot,
    In,
    NotIn,
}

/// One `for` clause of a comprehension, with its `if` clauses.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub struct Comprehension<'a> {
    pub target: &'a Expr<'a>,
    pub iter: &'a Expr<'a>,
    pub ifs: &'a [&'a Expr<'a>],
    /// 1 after `async for`.
    pub is_async: i32,
}

/// An `except` clause (the ASDL type has this one variant).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub struct ExceptHandler<'a> {
    pub type_: Option<&'a Expr<'a>>,
    pub name: Option<&'a str>,
    pub body: &'a [Stmt<'a>],
    pub range: Range,
}

/// The parameters of a function.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub struct Arguments<'a> {
    pub posonlyargs: &'a [Arg<'a>],
    pub args: &'a [Arg<'a>],
    pub vararg: Option<&'a Arg<'a>>,
    pub kwonlyargs: &'a [Arg<'a>],
    /// As long as `kwonlyargs`; `None` for a parameter that is required.
    pub kw_defaults: &'a [Option<&'a Expr<'a>>],
    pub kwarg: Option<&'a Arg<'a>>,
    pub defaults: &'a [&'a Expr<'a>],
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub struct Arg<'a> {
    pub arg: &'a str,
    pub annotation: Option<&'a Expr<'a>>,
    pub type_comment: Option<&'a str>,
    pub range: Range,
}

/// A keyword argument of a call or a class; no `arg` for `**value`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub struct Keyword<'a> {
    pub arg: Option<&'a str>,
    pub value: &'a Expr<'a>,
    pub range: Range,
}

/// An imported name.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub struct Alias<'a> {
    pub name: &'a str,
    pub asname: Option<&'a str>,
    pub range: Range,
}

/// One context manager of a `with` statement.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub struct WithItem<'a> {
    pub context_expr: &'a Expr<'a>,
    pub optional_vars: Option<&'a Expr<'a>>,
}

/// A `case` block.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub struct MatchCase<'a> {
    pub pattern: &'a Pattern<'a>,
    pub guard: Option<&'a Expr<'a>>,
    pub body: &'a [Stmt<'a>],
}

/// A pattern of a `case` block.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'a> {
    /// What it is.
    pub kind: PatternKind<'a>,
    /// Where it is.
    pub range: Range,
}

/// The patterns of the ASDL.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub enum PatternKind<'a> {
    MatchValue { value: &'a Expr<'a> },
    MatchSingleton { value: Constant<'a> },
    MatchSequence { patterns: &'a [&'a Pattern<'a>] },
    MatchMapping { keys: &'a [&'a Expr<'a>], patterns: &'a [&'a Pattern<'a>], rest: Option<&'a str> },
    MatchClass {
        cls: &'a Expr<'a>,
        patterns: &'a [&'a Pattern<'a>],
        kwd_attrs: &'a [&'a str],
        kwd_patterns: &'a [&'a Pattern<'a>],
    },
    MatchStar { name: Option<&'a str> },
    MatchAs { pattern: Option<&'a Pattern<'a>>, name: Option<&'a str> },
    MatchOr { patterns: &'a [&'a Pattern<'a>] },
}

/// A `# type: ignore` comment (the ASDL type has this one variant).
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub struct TypeIgnore<'a> {
    pub lineno: u32,
    pub tag: &'a str,
}

/// A type parameter of a function, class or type alias.
#[derive(Clone, Copy, Debug)]
pub struct TypeParam<'a> {
    /// What it is.
    pub kind: TypeParamKind<'a>,
    /// Where it is.
    pub range: Range,
}

/// The type parameters of the ASDL.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the ASDL documents the fields")]
pub enum TypeParamKind<'a> {
    TypeVar { name: &'a str, bound: Option<&'a Expr<'a>>, default_value: Option<&'a Expr<'a>> },
    ParamSpec { name: &'a str, default_value: Option<&'a Expr<'a>> },
    TypeVarTuple { name: &'a str, default_value: Option<&'a Expr<'a>> },
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Expr>() <= 64);
    assert!(size_of::<Stmt>() <= 128);
};
