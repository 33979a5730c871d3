//! The command line, read as CPython reads it.
//!
//! This is not written with clap: options may be joined (`-Bc cmd`), a command or module ends the options even if it is
//! joined to its letter (`-cprint(1) -v` gives `-v` to the program), order decides nothing but that, and every message is
//! fixed by CPython's tests. What clap would leave to do by hand is the whole of the loop below.

use std::os::unix::ffi::OsStringExt;
use taipan_python::initconfig::{Options, Run};

/// What the command line asks for.
pub enum Parsed {
    /// To run the interpreter.
    Run(Box<Options>),
    /// To print a text and exit with a code.
    Print {
        /// The text.
        text: String,
        /// 0 for help, 2 for a misuse, whose text goes to standard error.
        code: i32,
    },
}

/// The letters of the options; `:` marks those that take a value.
const SHORT: &str = "bBc:dEhiIJm:OPqRsStuvVW:xX:?";

fn usage_line(program: &str) -> String {
    format!("usage: {program} [option] ... [-c cmd | -m mod | file | -] [arg] ...\n")
}

fn misuse(program: &str, message: &str) -> Parsed {
    let text = format!("{message}{}Try `python -h' for more information.\n", usage_line(program));
    Parsed::Print { text, code: 2 }
}

/// Reads the process's arguments.
pub fn parse_env() -> Parsed {
    parse(std::env::args_os().map(OsStringExt::into_vec).collect())
}

/// Reads arguments, the program first.
pub fn parse(argv: Vec<Vec<u8>>) -> Parsed {
    let program = argv.first().filter(|p| !p.is_empty()).map_or_else(|| "python3".into(), |p| String::from_utf8_lossy(p).into_owned());
    let mut o = Options { orig_argv: argv.clone(), ..Options::default() };
    let (mut version, mut help, mut help_env, mut help_xoptions, mut help_all) = (0, false, false, false, false);
    let mut i = 1;
    let mut run = None;
    'options: while let Some(arg) = argv.get(i) {
        if arg.first() != Some(&b'-') || arg.len() == 1 {
            break;
        }
        i += 1;
        if arg == b"--" {
            break;
        }
        if let Some(long) = arg.strip_prefix(b"--") {
            match long {
                b"help" => help = true,
                b"help-all" => help_all = true,
                b"help-env" => help_env = true,
                b"help-xoptions" => help_xoptions = true,
                b"version" => version += 1,
                b"check-hash-based-pycs" => {
                    let Some(value) = argv.get(i) else {
                        return misuse(&program, "Argument expected for the --check-hash-based-pycs options\n");
                    };
                    i += 1;
                    o.check_hash_pycs = Some(match &value[..] {
                        b"always" => "always",
                        b"never" => "never",
                        b"default" => "default",
                        _ => return misuse(&program, "--check-hash-based-pycs must be one of 'default', 'always', or 'never'\n"),
                    });
                }
                _ => return misuse(&program, &format!("unknown option {}\n", String::from_utf8_lossy(arg))),
            }
            continue;
        }
        let mut letters = &arg[1..];
        while let Some((&letter, rest)) = letters.split_first() {
            letters = rest;
            if letter == b'J' {
                return misuse(&program, "-J is reserved for Jython\n");
            }
            let takes_value = match SHORT.bytes().position(|c| c == letter && c != b':') {
                Some(p) => SHORT.as_bytes().get(p + 1) == Some(&b':'),
                None => return misuse(&program, &format!("Unknown option: -{}\n", letter as char)),
            };
            let mut value = Vec::new();
            if takes_value {
                value = if !letters.is_empty() {
                    letters.to_vec()
                } else if let Some(next) = argv.get(i) {
                    i += 1;
                    next.clone()
                } else {
                    return misuse(&program, &format!("Argument expected for the -{} option\n", letter as char));
                };
                letters = &[];
            }
            match letter {
                b'b' => o.bytes_warning += 1,
                b'B' => o.dont_write_bytecode = true,
                b'c' => {
                    run = Some(Run::Command(value));
                    break 'options;
                }
                b'm' => {
                    run = Some(Run::Module(value));
                    break 'options;
                }
                b'd' => o.debug += 1,
                b'E' => o.ignore_environment = true,
                b'h' | b'?' => help = true,
                b'i' => o.inspect = true,
                b'I' => o.isolated = true,
                b'O' => o.optimize += 1,
                b'P' => o.safe_path = true,
                b'q' => o.quiet += 1,
                b'R' => o.hash_randomization = true,
                b's' => o.no_user_site = true,
                b'S' => o.no_site = true,
                b'u' => o.unbuffered = true,
                b'v' => o.verbose += 1,
                b'V' => version += 1,
                b'W' => o.warnoptions.push(value),
                b'x' => o.skip_first_line = true,
                b'X' => o.xoptions.push(value),
                // -t has no effect any more.
                _ => {}
            }
        }
    }
    if help_all {
        let text = format!("{}{HELP}\n{ENVIRONMENT}\n{XOPTIONS}", usage_line(&program));
        return Parsed::Print { text, code: 0 };
    }
    if help {
        return Parsed::Print { text: format!("{}{HELP}", usage_line(&program)), code: 0 };
    }
    if help_env {
        return Parsed::Print { text: ENVIRONMENT.into(), code: 0 };
    }
    if help_xoptions {
        return Parsed::Print { text: XOPTIONS.into(), code: 0 };
    }
    if version > 0 {
        let text = if version > 1 { taipan_python::sysmodule_info::version_text() } else { "3.13.5".into() };
        return Parsed::Print { text: format!("Python {text}\n"), code: 0 };
    }
    o.run = match run {
        Some(r) => r,
        None => match argv.get(i) {
            None => Run::Stdin,
            Some(a) => {
                i += 1;
                if a == b"-" { Run::Dash } else { Run::File(a.clone()) }
            }
        },
    };
    o.args = argv[i.min(argv.len())..].to_vec();
    Parsed::Run(Box::new(o))
}

const HELP: &str = "\
Options, with the environment variables that do the same:
-b     : warn where bytes are mixed with str or int (-bb: make it an error)
-B     : write no .pyc files; PYTHONDONTWRITEBYTECODE=x
-c cmd : run this text; the rest of the line is for the program
-d     : debug the parser (no effect in this build); PYTHONDEBUG=x
-E     : look at no PYTHON* environment variable
-h     : print this text and exit (also -? or --help)
-i     : go on interactively after the program; PYTHONINSPECT=x
-I     : keep the user's environment out (-E, -P and -s together)
-m mod : run this module as a program; the rest of the line is for it
-O     : leave out assert statements; PYTHONOPTIMIZE=x
-OO    : leave out docstrings as well
-P     : put no unsafe directory in front of sys.path; PYTHONSAFEPATH
-q     : start the interactive shell without its greeting
-s     : leave the user's site-packages out; PYTHONNOUSERSITE=x
-S     : don't import site
-u     : don't buffer standard output and error; PYTHONUNBUFFERED=x
-v     : trace imports (more with each -v); PYTHONVERBOSE=x
-V     : print the version and exit, in full with -VV (also --version)
-W arg : filter warnings: action:message:category:module:line;
         PYTHONWARNINGS=arg
-x     : skip the first line of the program
-X opt : set an option of the implementation
--check-hash-based-pycs always|default|never:
         when .pyc files with hashes are checked
--help-env: print the environment variables and exit
--help-xoptions: print the options of the implementation and exit
--help-all: print everything and exit

Arguments:
file   : program to run: a file, a directory or a zip file
-      : standard input as program (the default)
arg ...: what the program finds in sys.argv[1:]
";

const ENVIRONMENT: &str = "\
Environment variables:
PYTHONBREAKPOINT: what breakpoint() calls; 0 for nothing
PYTHONCASEOK    : ignore case in import statements (Windows)
PYTHONCOERCECLOCALE: 0 leaves the C locale alone, warn reports its coercion
PYTHONHASHSEED  : seed of the hashes of str and bytes: random or a number from
                  0 to 4294967295
PYTHONHOME      : another <prefix> (or <prefix>:<exec_prefix>), where
                  lib/python3.13 is
PYTHONIOENCODING: encoding[:errors] of the standard streams
PYTHONMALLOC    : which allocators serve memory (pymalloc, malloc), and
                  followed by _debug whether they check its use
PYTHONPATH      : directories in front of the default search path, separated
                  by ':'
PYTHONPLATLIBDIR: override sys.platlibdir
PYTHONSTARTUP   : file run when the interactive shell starts
PYTHON_COLORS   : 1 colours output, 0 does not
PYTHON_HISTORY  : where the interactive shell keeps its history

Environment variables with an option that does the same:
PYTHONDEBUG     : debug the parser (-d)
PYTHONDEVMODE   : development mode (-X dev)
PYTHONDONTWRITEBYTECODE: write no .pyc files (-B)
PYTHONFAULTHANDLER: print tracebacks on fatal errors (-X faulthandler)
PYTHONINSPECT   : go on interactively after the program (-i)
PYTHONINTMAXSTRDIGITS: digits of int-str conversions, 0 for any number
                  (-X int_max_str_digits=N)
PYTHONNODEBUGRANGES: no columns in code objects (-X no_debug_ranges)
PYTHONNOUSERSITE: leave the user's site-packages out (-s)
PYTHONOPTIMIZE  : leave out assert statements (-O)
PYTHONPERFSUPPORT: support the perf profiler (-X perf)
PYTHONPROFILEIMPORTTIME: time imports (-X importtime)
PYTHONPYCACHEPREFIX: directory tree for .pyc files (-X pycache_prefix)
PYTHONSAFEPATH  : put no unsafe directory in front of sys.path (-P)
PYTHONTRACEMALLOC: trace memory allocations (-X tracemalloc)
PYTHONUNBUFFERED: don't buffer standard output and error (-u)
PYTHONUTF8      : UTF-8 mode (-X utf8)
PYTHONVERBOSE   : trace imports (-v)
PYTHONWARNDEFAULTENCODING: warn of implicit encodings
                  (-X warn_default_encoding)
PYTHONWARNINGS  : filter warnings (-W)
PYTHON_CPU_COUNT: what os.cpu_count() returns (-X cpu_count)
PYTHON_FROZEN_MODULES: whether frozen modules are used (-X frozen_modules)
";

const XOPTIONS: &str = "\
Options of the implementation:
-X cpu_count=N: what os.cpu_count() returns, default for the true number;
         PYTHON_CPU_COUNT
-X dev : development mode; PYTHONDEVMODE
-X faulthandler: print tracebacks on fatal errors; PYTHONFAULTHANDLER
-X frozen_modules=[on|off]: whether frozen modules are used;
         PYTHON_FROZEN_MODULES
-X importtime: time imports; PYTHONPROFILEIMPORTTIME
-X int_max_str_digits=N: digits of int-str conversions, 0 for any number;
         PYTHONINTMAXSTRDIGITS
-X no_debug_ranges: no columns in code objects; PYTHONNODEBUGRANGES
-X perf: support the perf profiler; PYTHONPERFSUPPORT=1
-X perf_jit: support the perf profiler with DWARF; PYTHON_PERF_JIT_SUPPORT=1
-X pycache_prefix=PATH: directory tree for .pyc files; PYTHONPYCACHEPREFIX
-X showrefcount: print the total of reference counts (debug builds)
-X tracemalloc[=N]: trace memory allocations, N frames deep (1);
         PYTHONTRACEMALLOC=N
-X utf8[=0|1]: UTF-8 mode on (1) or off (0); PYTHONUTF8
-X warn_default_encoding: warn of implicit encodings;
         PYTHONWARNDEFAULTENCODING
";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str]) -> Parsed {
        parse(["python3"].iter().chain(args).map(|a| a.as_bytes().to_vec()).collect())
    }
    fn options(args: &[&str]) -> Options {
        match check(args) {
            Parsed::Run(o) => *o,
            Parsed::Print { text, .. } => panic!("{text}"),
        }
    }
    fn text(args: &[&str]) -> (String, i32) {
        match check(args) {
            Parsed::Print { text, code } => (text, code),
            Parsed::Run(_) => panic!("runs"),
        }
    }

    #[test]
    fn commands_end_the_options() {
        let o = options(&["-Bc", "print(1)", "-v", "x"]);
        assert_eq!(o.run, Run::Command(b"print(1)".to_vec()));
        assert_eq!(o.args, [b"-v".to_vec(), b"x".to_vec()]);
        assert!(o.dont_write_bytecode && o.verbose == 0);
        assert_eq!(options(&["-cprint(1)", "-v"]).args, [b"-v".to_vec()]);
        assert_eq!(options(&["-mjson.tool"]).run, Run::Module(b"json.tool".to_vec()));
    }

    #[test]
    fn files_and_dashes() {
        assert_eq!(options(&["-O", "-O", "x.py", "-h"]).run, Run::File(b"x.py".to_vec()));
        assert_eq!(options(&["-"]).run, Run::Dash);
        assert_eq!(options(&["--", "-x"]).run, Run::File(b"-x".to_vec()));
        assert_eq!(options(&[]).run, Run::Stdin);
        assert_eq!(options(&["-Wignore", "-X", "dev"]).warnoptions, [b"ignore".to_vec()]);
    }

    #[test]
    fn misuse_is_told() {
        assert!(text(&["-Z"]).0.starts_with("Unknown option: -Z\nusage: python3"));
        assert_eq!(text(&["-Z"]).1, 2);
        assert!(text(&["-c"]).0.starts_with("Argument expected for the -c option\n"));
        assert!(text(&["--nope"]).0.starts_with("unknown option --nope\n"));
        assert_eq!(text(&["-V"]), ("Python 3.13.5\n".into(), 0));
    }
}
