//! What the definition files say.

/// A cache entry of a micro-op, `size` 16-bit units long.
pub struct Cache {
    /// Name in the body, or `unused`.
    pub name: String,
    /// 1, 2 or 4 (any number for `unused`).
    pub size: usize,
}

/// One entry of a stack effect.
#[derive(Clone, PartialEq)]
pub struct Item {
    /// Name in the body, or `unused`.
    pub name: String,
    /// Declared `ref`: the body sees the `StackRef` and owns it.
    pub raw_ref: bool,
    /// Number of slots, an expression of `oparg`; one slot if there is none.
    pub count: Option<String>,
    /// The entry is there only if this holds.
    pub condition: Option<String>,
}

/// A micro-op.
pub struct Op {
    /// Its name, with an underscore in front.
    pub name: String,
    /// Cache entries that it reads.
    pub caches: Vec<Cache>,
    /// What it takes from the stack, bottom first.
    pub inputs: Vec<Item>,
    /// What it leaves on the stack, bottom first.
    pub outputs: Vec<Item>,
    /// Rust statements.
    pub body: String,
    /// Cannot raise, run other code or be observed.
    pub pure: bool,
    /// The body moves `sp` itself.
    pub raw: bool,
    /// Part of the generic form only; not in traces.
    pub specializing: bool,
}

/// A part of an instruction.
pub enum Part {
    /// A micro-op.
    Op(String),
    /// Cache entries that nobody reads.
    Skip(usize),
}

/// An instruction: its micro-ops in order.
pub struct Instruction {
    /// CPython's name.
    pub name: String,
    /// Its parts.
    pub parts: Vec<Part>,
}

/// Everything that is defined.
#[derive(Default)]
pub struct Definitions {
    /// All micro-ops.
    pub ops: Vec<Op>,
    /// All instructions.
    pub instructions: Vec<Instruction>,
    /// Generic instruction and its specialised forms.
    pub families: Vec<(String, Vec<String>)>,
    /// Instructions of the compiler, and what they become.
    pub pseudos: Vec<(String, Vec<String>)>,
    /// Instructions that are numbered in the given order.
    pub ordered: Vec<(usize, Vec<String>)>,
}

/// Numbers that the rule of [`Definitions::number`] does not give.
const FIXED: &[(&str, usize)] =
    &[("CACHE", 0), ("BINARY_OP_INPLACE_ADD_UNICODE", 3), ("RESERVED", 17), ("RESUME", 149)];
const FIRST_SPECIALIZED: usize = 150;
const FIRST_PSEUDO: usize = 256;

impl Definitions {
    /// The micro-op called `name`.
    pub fn op(&self, name: &str) -> Result<&Op, String> {
        self.ops.iter().find(|o| o.name == name).ok_or_else(|| format!("there is no micro-op {name}"))
    }

    /// The generic form of `name` (itself if it is no specialised form).
    pub fn head<'a>(&'a self, name: &'a str) -> &'a str {
        self.families.iter().find(|(_, m)| m.iter().any(|n| n == name)).map_or(name, |(h, _)| h)
    }

    /// Micro-ops of an instruction.
    pub fn ops_of<'a>(&'a self, inst: &'a Instruction) -> Result<Vec<&'a Op>, String> {
        inst.parts.iter().filter_map(|p| if let Part::Op(n) = p { Some(self.op(n)) } else { None }).collect()
    }

    /// Size of the inline caches of an instruction.
    pub fn cache_size(&self, inst: &Instruction) -> Result<usize, String> {
        let mut size = 0;
        for part in &inst.parts {
            size += match part {
                Part::Skip(n) => *n,
                Part::Op(n) => self.op(n)?.caches.iter().map(|c| c.size).sum(),
            };
        }
        Ok(size)
    }

    /// Whether an instruction uses its operand.
    pub fn has_arg(&self, inst: &Instruction) -> Result<bool, String> {
        Ok(self.ops_of(inst)?.iter().any(|o| o.mentions("oparg")))
    }

    /// All instructions with their numbers, in CPython's order: those without operand from 1 by name, those with one
    /// by name, specialised forms from 150 by name, instrumented ones in the declared order, pseudo instructions.
    pub fn number(&self) -> Result<Vec<(String, usize)>, String> {
        let ordered = |name: &str| self.ordered.iter().any(|(_, l)| l.iter().any(|n| n == name));
        let fixed = |name: &str| FIXED.iter().any(|(n, _)| *n == name);
        let mut groups: [Vec<&str>; 3] = Default::default();
        for inst in &self.instructions {
            let name = inst.name.as_str();
            if ordered(name) || fixed(name) {
                continue;
            }
            let group = match (self.head(name) != name, self.has_arg(inst)?) {
                (true, _) => 2,
                (false, true) => 1,
                (false, false) => 0,
            };
            groups[group].push(name);
        }
        let mut numbers: Vec<(String, usize)> = FIXED.iter().map(|(n, i)| (n.to_string(), *i)).collect();
        let mut next = 1;
        for (index, group) in groups.iter_mut().enumerate() {
            group.sort_unstable();
            if index == 2 {
                next = FIRST_SPECIALIZED;
            }
            for name in group {
                while FIXED.iter().any(|(_, i)| *i == next) {
                    next += 1;
                }
                numbers.push((name.to_string(), next));
                next += 1;
            }
        }
        for (first, list) in &self.ordered {
            numbers.extend(list.iter().enumerate().map(|(i, n)| (n.clone(), first + i)));
        }
        let mut pseudo: Vec<&str> = self.pseudos.iter().map(|(n, _)| n.as_str()).collect();
        pseudo.sort_unstable();
        numbers.extend(pseudo.iter().enumerate().map(|(i, n)| (n.to_string(), FIRST_PSEUDO + i)));
        numbers.sort_by_key(|(_, i)| *i);
        Ok(numbers)
    }

    /// Checks the rules that hold between definitions.
    pub fn check(&self) -> Result<(), String> {
        for (head, members) in &self.families {
            let find = |n: &str| self.instructions.iter().find(|i| i.name == n).ok_or(format!("no instruction {n}"));
            let size = self.cache_size(find(head)?)?;
            for member in members {
                let own = self.cache_size(find(member)?)?;
                if own != size {
                    return Err(format!("{member} has {own} cache entries, its family {head} {size}"));
                }
            }
        }
        for op in &self.ops {
            let last_guard = op.body.rfind("deopt_if!").max(op.body.rfind("exit_if!"));
            let first_count = op.body.find("Py_INCREF").into_iter().chain(op.body.find(".close()")).min();
            if let (Some(guard), Some(count)) = (last_guard, first_count)
                && count < guard
            {
                return Err(format!("{}: a reference is counted before the last guard", op.name));
            }
        }
        Ok(())
    }
}

impl Op {
    /// Whether the effect or the body uses `word` as a whole word.
    pub fn mentions(&self, word: &str) -> bool {
        let in_text = |t: &str| {
            t.match_indices(word).any(|(i, _)| {
                let ident = |c: char| c.is_alphanumeric() || c == '_';
                !t[..i].chars().next_back().is_some_and(ident) && !t[i + word.len()..].chars().next().is_some_and(ident)
            })
        };
        in_text(&self.body)
            || self.inputs.iter().chain(&self.outputs).any(|i| {
                i.count.as_deref().is_some_and(in_text) || i.condition.as_deref().is_some_and(in_text)
            })
    }
}
