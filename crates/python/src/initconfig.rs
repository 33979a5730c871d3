//! The configuration of the interpreter: from options, environment variables and the place of the executable.

use core::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Text as the operating system gives it.
pub type Bytes = Vec<u8>;

/// What is to be run.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Run {
    /// Standard input, or the interactive shell.
    #[default]
    Stdin,
    /// `-`: standard input, named in `sys.argv`.
    Dash,
    /// `-c`.
    Command(Bytes),
    /// `-m`.
    Module(Bytes),
    /// A script, a directory or a zip file.
    File(Bytes),
}

/// What the command line says, before the environment is looked at.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "named after the options")]
pub struct Options {
    /// The command line as given, the program first.
    pub orig_argv: Vec<Bytes>,
    pub bytes_warning: i32,
    pub dont_write_bytecode: bool,
    pub debug: i32,
    pub ignore_environment: bool,
    pub inspect: bool,
    pub isolated: bool,
    pub optimize: i32,
    pub safe_path: bool,
    pub quiet: i32,
    pub no_user_site: bool,
    pub no_site: bool,
    pub unbuffered: bool,
    /// `-R`: random hashes whatever PYTHONHASHSEED says.
    pub hash_randomization: bool,
    pub verbose: i32,
    pub skip_first_line: bool,
    pub warnoptions: Vec<Bytes>,
    pub xoptions: Vec<Bytes>,
    pub check_hash_pycs: Option<&'static str>,
    pub run: Run,
    /// What follows the script, command or module.
    pub args: Vec<Bytes>,
}

/// How the interpreter was configured (`PyConfig` in Rust's types).
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "PyConfig's fields, documented by CPython's manual")]
pub struct Config {
    pub isolated: i32,
    pub use_environment: i32,
    pub dev_mode: i32,
    pub utf8_mode: i32,
    pub install_signal_handlers: i32,
    pub use_hash_seed: bool,
    pub hash_seed: u32,
    pub faulthandler: i32,
    pub tracemalloc: i32,
    pub perf_profiling: i32,
    pub import_time: i32,
    pub code_debug_ranges: i32,
    pub malloc_stats: i32,
    pub filesystem_encoding: String,
    pub filesystem_errors: &'static str,
    pub pycache_prefix: Option<Bytes>,
    pub orig_argv: Vec<Bytes>,
    pub argv: Vec<Bytes>,
    pub xoptions: Vec<Bytes>,
    pub warnoptions: Vec<Bytes>,
    pub site_import: i32,
    pub bytes_warning: i32,
    pub warn_default_encoding: i32,
    pub inspect: i32,
    pub interactive: i32,
    pub optimization_level: i32,
    pub parser_debug: i32,
    pub write_bytecode: i32,
    pub verbose: i32,
    pub quiet: i32,
    pub user_site_directory: i32,
    pub buffered_stdio: i32,
    pub stdio_encoding: String,
    pub stdio_errors: String,
    pub check_hash_pycs_mode: &'static str,
    pub use_frozen_modules: i32,
    pub safe_path: i32,
    pub int_max_str_digits: i32,
    pub cpu_count: i32,
    pub pathconfig_warnings: i32,
    pub program_name: Bytes,
    pub pythonpath_env: Option<Bytes>,
    pub home: Option<Bytes>,
    pub platlibdir: Bytes,
    pub module_search_paths: Vec<Bytes>,
    pub stdlib_dir: Option<Bytes>,
    /// Where the code of frozen modules is looked for.
    pub frozen_dir: PathBuf,
    pub executable: Bytes,
    pub base_executable: Bytes,
    pub prefix: Bytes,
    pub base_prefix: Bytes,
    pub exec_prefix: Bytes,
    pub base_exec_prefix: Bytes,
    pub skip_source_first_line: i32,
    pub run: Run,
    pub sys_path_0: Option<Bytes>,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// A fatal error: function and text.
    Fatal(&'static str, String),
}

type ConfigResult<T> = Result<T, ConfigError>;

fn err<T>(func: &'static str, msg: impl Into<String>) -> ConfigResult<T> {
    Err(ConfigError::Fatal(func, msg.into()))
}

/// An integer as `strtol` reads it in full, of the size of `int`.
fn to_int(text: &[u8]) -> Option<i32> {
    core::str::from_utf8(text).ok()?.trim_start().parse::<i32>().ok()
}

struct Env {
    enabled: bool,
}
impl Env {
    /// A variable that is set and not empty.
    fn get(&self, name: &str) -> Option<Bytes> {
        if !self.enabled {
            return None;
        }
        std::env::var_os(name).map(OsStringExt::into_vec).filter(|v| !v.is_empty())
    }
    /// Raises a level to what a variable says; text counts as 1.
    fn flag(&self, level: &mut i32, name: &str) {
        if let Some(v) = self.get(name) {
            *level = (*level).max(to_int(&v).filter(|&n| n >= 0).unwrap_or(1));
        }
    }
}

/// `-X name` or `-X name=value`: the value, empty when there is none; the last one counts.
fn xoption<'a>(options: &'a [Bytes], name: &str) -> Option<Option<&'a [u8]>> {
    options.iter().find_map(|o| match o.iter().position(|&b| b == b'=') {
        Some(p) if o[..p] == *name.as_bytes() => Some(Some(&o[p + 1..])),
        None if o[..] == *name.as_bytes() => Some(None),
        _ => None,
    })
}

/// `PyPreConfig.allocator`: which allocators were chosen, 0 while nobody did.
static ALLOCATOR: AtomicI32 = AtomicI32::new(0);
/// What `PYTHONMALLOC` may say, by the numbers of `PyMemAllocatorName`.
const ALLOCATOR_NAMES: [&[u8]; 7] = [b"", b"default", b"debug", b"malloc", b"malloc_debug", b"pymalloc", b"pymalloc_debug"];

/// Chooses the allocators, unless that was done: blocks of the old ones can't be freed by the new ones.
pub fn set_up_allocators(name: Option<Bytes>, dev_mode: bool) -> ConfigResult<()> {
    let name = name.unwrap_or_else(|| if dev_mode { b"debug".to_vec() } else { Bytes::new() });
    match ALLOCATOR_NAMES.iter().position(|n| *n == name) {
        Some(number) => {
            set_up_allocator_number(number as i32);
            Ok(())
        }
        None => err("preconfig_init_allocator", "PYTHONMALLOC: unknown allocator"),
    }
}

/// As [`set_up_allocators`], by number; those that are not known, and 0, change nothing.
pub fn set_up_allocator_number(number: i32) {
    let Some(name) = ALLOCATOR_NAMES.get(number as usize).filter(|n| !n.is_empty()) else { return };
    if ALLOCATOR.compare_exchange(0, number, Relaxed, Relaxed).is_ok() {
        taipan_objects::obmalloc::set_up(name);
    }
}

/// The number of the allocators that were chosen.
pub fn allocator_number() -> i32 {
    ALLOCATOR.load(Relaxed)
}

/// [`set_up_allocators`] for embedding programs: by the environment, where they let it in.
pub fn set_up_allocators_from_environment(use_environment: bool) {
    let env = Env { enabled: use_environment };
    if set_up_allocators(env.get("PYTHONMALLOC"), env.get("PYTHONDEVMODE").is_some()).is_err() {
        // Reported when the configuration is read.
    }
}

/// Sets the locale, and reads what must be known before anything else: UTF-8 mode.
fn read_preconfig(options: &Options, env: &Env) -> ConfigResult<i32> {
    let set_locale = |category, name: &std::ffi::CStr| {
        // SAFETY: no other thread runs yet.
        unsafe { libc::setlocale(category, name.as_ptr()) }
    };
    set_locale(libc::LC_CTYPE, c"");
    let ctype = || {
        // SAFETY: a query; the text is copied.
        unsafe {
            let p = libc::setlocale(libc::LC_CTYPE, core::ptr::null());
            if p.is_null() { String::new() } else { core::ffi::CStr::from_ptr(p).to_string_lossy().into_owned() }
        }
    };
    let legacy = matches!(ctype().as_str(), "C" | "POSIX");
    // PEP 540: the C locale turns UTF-8 mode on, options and variables decide otherwise.
    let mut utf8_mode = legacy as i32;
    if let Some(v) = xoption(&options.xoptions, "utf8") {
        utf8_mode = match v {
            None | Some(b"1") => 1,
            Some(b"0") => 0,
            _ => return err("preconfig_init_utf8_mode", "invalid -X utf8 option value"),
        };
    } else if let Some(v) = env.get("PYTHONUTF8") {
        utf8_mode = match &v[..] {
            b"1" => 1,
            b"0" => 0,
            _ => return err("preconfig_init_utf8_mode", "invalid PYTHONUTF8 environment variable value"),
        };
    }
    let dev_mode = xoption(&options.xoptions, "dev").is_some() || env.get("PYTHONDEVMODE").is_some();
    set_up_allocators(env.get("PYTHONMALLOC"), dev_mode)?;
    // PEP 538: a C locale that nobody asked for by LC_ALL becomes a UTF-8 one, for child processes too.
    let coerce = env.get("PYTHONCOERCECLOCALE");
    let lc_all = std::env::var_os("LC_ALL").is_some_and(|v| !v.is_empty());
    if ctype() == "C" && !lc_all && coerce.as_deref() != Some(b"0") && !options.isolated {
        for target in [c"C.UTF-8", c"C.utf8", c"UTF-8"] {
            if set_locale(libc::LC_CTYPE, target).is_null() {
                continue;
            }
            let name = target.to_string_lossy();
            // SAFETY: no other thread runs yet.
            unsafe { std::env::set_var("LC_CTYPE", &*name) };
            if coerce.as_deref() == Some(b"warn") {
                crate::errln!(
                    "Python detected LC_CTYPE=C: LC_CTYPE coerced to {name} (set another locale or PYTHONCOERCECLOCALE=0 to disable this locale coercion behavior)."
                );
            }
            set_locale(libc::LC_CTYPE, c"");
            break;
        }
    }
    if coerce.as_deref() == Some(b"warn") && ctype() == "C" {
        crate::errln!(
            "Python runtime initialized with LC_CTYPE=C (a locale with default ASCII encoding), which may cause Unicode compatibility problems. Using C.UTF-8, C.utf8, or UTF-8 (if available) as alternative Unicode-compatible locales is recommended."
        );
    }
    Ok(utf8_mode)
}

/// Makes the configuration.
pub fn read_config(options: &Options) -> ConfigResult<Config> {
    let isolated = options.isolated;
    let env = Env { enabled: !(options.ignore_environment || isolated) };
    let utf8_mode = read_preconfig(options, &env)?;
    let x = |name: &str| xoption(&options.xoptions, name);

    let mut dev_mode = x("dev").is_some() as i32;
    if dev_mode == 0 && env.get("PYTHONDEVMODE").is_some() {
        dev_mode = 1;
    }
    let (mut debug, mut verbose, mut optimize, mut inspect) = (options.debug, options.verbose, options.optimize, options.inspect as i32);
    env.flag(&mut debug, "PYTHONDEBUG");
    env.flag(&mut verbose, "PYTHONVERBOSE");
    env.flag(&mut optimize, "PYTHONOPTIMIZE");
    env.flag(&mut inspect, "PYTHONINSPECT");
    let (mut dont_write, mut no_user_site, mut unbuffered) = (options.dont_write_bytecode as i32, (options.no_user_site || isolated) as i32, options.unbuffered as i32);
    env.flag(&mut dont_write, "PYTHONDONTWRITEBYTECODE");
    env.flag(&mut no_user_site, "PYTHONNOUSERSITE");
    env.flag(&mut unbuffered, "PYTHONUNBUFFERED");
    let safe_path = options.safe_path || isolated || env.get("PYTHONSAFEPATH").is_some();

    let (mut use_hash_seed, mut hash_seed) = (false, 0);
    if let Some(v) = env.get("PYTHONHASHSEED").filter(|_| !options.hash_randomization)
        && v != b"random"
    {
        match core::str::from_utf8(&v).ok().and_then(|t| t.trim_start().parse::<u32>().ok()) {
            Some(n) => (use_hash_seed, hash_seed) = (true, n),
            None => return err("config_init_hash_seed", "PYTHONHASHSEED must be \"random\" or an integer in range [0; 4294967295]"),
        }
    }
    for gil in [env.get("PYTHON_GIL"), x("gil").map(|v| v.unwrap_or(b"").to_vec())].into_iter().flatten() {
        match &gil[..] {
            b"0" => return err("config_read_gil", "Disabling the GIL is not supported by this build"),
            b"1" => {}
            _ => return err("config_read_gil", "PYTHON_GIL / -X gil must be \"0\" or \"1\""),
        }
    }
    let mut tracemalloc = -1;
    if let Some(v) = env.get("PYTHONTRACEMALLOC") {
        match to_int(&v).filter(|&n| n >= 0) {
            Some(n) => tracemalloc = n,
            None => return err("config_init_tracemalloc", "PYTHONTRACEMALLOC: invalid number of frames"),
        }
    }
    if let Some(v) = x("tracemalloc") {
        match v.map_or(Some(1), |v| to_int(v).filter(|&n| n >= 0)) {
            Some(n) => tracemalloc = n,
            None => return err("config_init_tracemalloc", "-X tracemalloc=NFRAME: invalid number of frames"),
        }
    }
    let mut int_max_str_digits = 4300;
    let valid_digits = |v: Option<i32>| v.filter(|&n| n == 0 || n >= 640);
    if let Some(v) = env.get("PYTHONINTMAXSTRDIGITS") {
        match valid_digits(to_int(&v)) {
            Some(n) => int_max_str_digits = n,
            None => return err("config_init_int_max_str_digits", "PYTHONINTMAXSTRDIGITS: invalid limit; must be >= 640 or 0 for unlimited."),
        }
    }
    if let Some(v) = x("int_max_str_digits") {
        match valid_digits(v.and_then(to_int)) {
            Some(n) => int_max_str_digits = n,
            None => return err("config_init_int_max_str_digits", "-X int_max_str_digits: invalid limit; must be >= 640 or 0 for unlimited."),
        }
    }
    let mut cpu_count = -1;
    for v in [env.get("PYTHON_CPU_COUNT"), x("cpu_count").map(|v| v.unwrap_or(b"").to_vec())].into_iter().flatten() {
        cpu_count = match &v[..] {
            b"default" => -1,
            t => match to_int(t).filter(|&n| n >= 1) {
                Some(n) => n,
                None => {
                    return err("config_init_cpu_count", "-X cpu_count=n option: n is missing or an invalid number, n must be greater than 0");
                }
            },
        };
    }
    let mut use_frozen_modules = 1;
    if let Some(v) = env.get("PYTHON_FROZEN_MODULES") {
        use_frozen_modules = match &v[..] {
            b"on" => 1,
            b"off" => 0,
            _ => return err("", "bad value for PYTHON_FROZEN_MODULES environment variable (expected \"on\" or \"off\")"),
        };
    }
    if let Some(v) = x("frozen_modules") {
        use_frozen_modules = match v {
            None | Some(b"on" | b"") => 1,
            Some(b"off") => 0,
            _ => return err("", "bad value for option -X frozen_modules (expected \"on\" or \"off\")"),
        };
    }
    let pycache_prefix = match x("pycache_prefix") {
        Some(v) => v.filter(|v| !v.is_empty()).map(<[u8]>::to_vec),
        None => env.get("PYTHONPYCACHEPREFIX"),
    };

    let mut warnoptions: Vec<Bytes> = Vec::new();
    let mut add = |o: &[u8]| {
        if !warnoptions.iter().any(|w| w == o) {
            warnoptions.push(o.to_vec());
        }
    };
    if dev_mode != 0 {
        add(b"default");
    }
    if let Some(v) = env.get("PYTHONWARNINGS") {
        v.split(|&b| b == b',').filter(|o| !o.is_empty()).for_each(&mut add);
    }
    options.warnoptions.iter().for_each(|o| add(o));
    match options.bytes_warning {
        0 => {}
        1 => add(b"default::BytesWarning"),
        _ => add(b"error::BytesWarning"),
    }

    let locale_encoding = if utf8_mode > 0 { "utf-8".to_string() } else { normalized(&crate::fileutils::codeset()) };
    let (filesystem_encoding, filesystem_errors) = (locale_encoding.clone(), "surrogateescape");
    let (mut stdio_encoding, mut stdio_errors) = (None, None);
    if let Some(v) = env.get("PYTHONIOENCODING") {
        let text = String::from_utf8_lossy(&v).into_owned();
        let (enc, errors) = match text.split_once(':') {
            Some((e, r)) => (e, Some(r).filter(|r| !r.is_empty())),
            None => (text.as_str(), None),
        };
        if !enc.is_empty() {
            stdio_encoding = Some(enc.to_string());
            stdio_errors = Some(errors.unwrap_or("strict").to_string());
        } else {
            stdio_errors = errors.map(str::to_string);
        }
    }
    let stdio_encoding = stdio_encoding.unwrap_or(locale_encoding);
    let stdio_errors = stdio_errors.unwrap_or_else(|| stdio_errors_of_locale(utf8_mode).into());

    let mut argv: Vec<Bytes> = match &options.run {
        Run::Stdin => vec![b"".to_vec()],
        Run::Dash => vec![b"-".to_vec()],
        Run::Command(_) => vec![b"-c".to_vec()],
        Run::Module(_) => vec![b"-m".to_vec()],
        Run::File(f) => vec![f.clone()],
    };
    argv.extend(options.args.iter().cloned());

    let program_name = options.orig_argv.first().cloned().filter(|p| !p.is_empty()).unwrap_or_else(|| b"python3".to_vec());
    let platlibdir = env.get("PYTHONPLATLIBDIR").unwrap_or_else(|| b"lib".to_vec());
    let mut config = Config {
        isolated: isolated as i32,
        use_environment: env.enabled as i32,
        dev_mode,
        utf8_mode,
        install_signal_handlers: 1,
        use_hash_seed,
        hash_seed,
        faulthandler: (x("faulthandler").is_some() || env.get("PYTHONFAULTHANDLER").is_some() || dev_mode != 0) as i32,
        tracemalloc: tracemalloc.max(0),
        perf_profiling: 0,
        import_time: (x("importtime").is_some() || env.get("PYTHONPROFILEIMPORTTIME").is_some()) as i32,
        code_debug_ranges: (x("no_debug_ranges").is_none() && env.get("PYTHONNODEBUGRANGES").is_none()) as i32,
        malloc_stats: env.get("PYTHONMALLOCSTATS").is_some() as i32,
        filesystem_encoding,
        filesystem_errors,
        pycache_prefix,
        orig_argv: options.orig_argv.clone(),
        argv,
        xoptions: options.xoptions.clone(),
        warnoptions,
        site_import: !options.no_site as i32,
        bytes_warning: options.bytes_warning,
        warn_default_encoding: (x("warn_default_encoding").is_some() || env.get("PYTHONWARNDEFAULTENCODING").is_some()) as i32,
        inspect,
        interactive: options.inspect as i32,
        optimization_level: optimize,
        parser_debug: debug,
        write_bytecode: (dont_write == 0) as i32,
        verbose,
        quiet: options.quiet,
        user_site_directory: (no_user_site == 0) as i32,
        buffered_stdio: (unbuffered == 0) as i32,
        stdio_encoding,
        stdio_errors,
        check_hash_pycs_mode: options.check_hash_pycs.unwrap_or("default"),
        use_frozen_modules,
        safe_path: safe_path as i32,
        int_max_str_digits,
        cpu_count,
        pathconfig_warnings: 1,
        program_name,
        pythonpath_env: env.get("PYTHONPATH"),
        home: crate::pathconfig::given_home().or_else(|| env.get("PYTHONHOME")),
        platlibdir,
        module_search_paths: Vec::new(),
        stdlib_dir: None,
        frozen_dir: PathBuf::new(),
        executable: Vec::new(),
        base_executable: Vec::new(),
        prefix: Vec::new(),
        base_prefix: Vec::new(),
        exec_prefix: Vec::new(),
        base_exec_prefix: Vec::new(),
        skip_source_first_line: options.skip_first_line as i32,
        run: options.run.clone(),
        sys_path_0: None,
    };
    calculate_path(&mut config);
    Ok(config)
}

/// The default configuration of an embedding program that was given nothing.
pub fn default_config() -> Config {
    let program = crate::pathconfig::given_program_name().unwrap_or_else(|| b"python3".to_vec());
    let options = Options { orig_argv: vec![program], ..Options::default() };
    match read_config(&options) {
        Ok(mut c) => {
            crate::pathconfig::apply(&mut c);
            c
        }
        Err(ConfigError::Fatal(_, msg)) => taipan_abi::fatal(&msg),
    }
}

/// The name of an encoding as Python writes the common ones.
fn normalized(name: &str) -> String {
    let n: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match n.as_str() {
        "utf8" => "utf-8".into(),
        "ansix341968" | "ansix341986" | "usascii" | "iso646us" | "ascii" | "646" | "us" => "ascii".into(),
        _ => name.into(),
    }
}

/// The error handler of standard streams: undecodable bytes pass through where the locale says little about encodings.
fn stdio_errors_of_locale(utf8_mode: i32) -> &'static str {
    if utf8_mode > 0 {
        return "surrogateescape";
    }
    // SAFETY: a query; the text is compared at once.
    unsafe {
        let p = libc::setlocale(libc::LC_CTYPE, core::ptr::null());
        if p.is_null() {
            return "strict";
        }
        match core::ffi::CStr::from_ptr(p).to_bytes() {
            b"C" | b"POSIX" | b"C.UTF-8" | b"C.utf8" | b"UTF-8" => "surrogateescape",
            _ => "strict",
        }
    }
}

// ---- where things are (getpath)

const VERSION_DIR: &str = "python3.13";
const ZIP_NAME: &str = "python313.zip";
/// Where Python is taken to be when nothing is found.
const PREFIX: &str = "/usr/local";

fn path(b: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(b))
}

fn bytes(p: impl Into<OsString>) -> Bytes {
    p.into().into_vec()
}

fn is_executable(p: &Path) -> bool {
    let Ok(c) = std::ffi::CString::new(p.as_os_str().as_bytes()) else { return false };
    // SAFETY: NUL-terminated.
    p.is_file() && unsafe { libc::access(c.as_ptr(), libc::X_OK) == 0 }
}

/// The program as an absolute path: with a slash relative to the current directory, otherwise looked up in PATH.
fn find_executable(program: &Path) -> PathBuf {
    if program.as_os_str().as_bytes().contains(&b'/') {
        if program.is_absolute() {
            return program.to_path_buf();
        }
        if let Ok(cwd) = std::env::current_dir() {
            let joined = cwd.join(program);
            return path(&crate::fileutils::normpath(joined.as_os_str().as_bytes()));
        }
        return program.to_path_buf();
    }
    if let Some(p) = std::env::var_os("PATH") {
        for dir in std::env::split_paths(&p) {
            let candidate = dir.join(program);
            if is_executable(&candidate) {
                return candidate;
            }
        }
    }
    PathBuf::new()
}

/// Follows the links of a file, but not those of the directories on the way.
fn resolve_links(p: &Path) -> PathBuf {
    let mut p = p.to_path_buf();
    for _ in 0..40 {
        let Ok(target) = std::fs::read_link(&p) else { break };
        p = match p.parent() {
            Some(dir) if target.is_relative() => path(&crate::fileutils::normpath(dir.join(target).as_os_str().as_bytes())),
            _ => target,
        };
    }
    p
}

/// The `home` that a virtual environment's `pyvenv.cfg` names, one directory up from the executable or next to it.
fn venv_home(executable_dir: &Path) -> Option<PathBuf> {
    let candidates = [executable_dir.parent(), Some(executable_dir)];
    let text = candidates.into_iter().flatten().find_map(|dir| std::fs::read(dir.join("pyvenv.cfg")).ok())?;
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        key.trim().eq_ignore_ascii_case("home").then(|| PathBuf::from(value.trim()))
    })
}

/// The nearest directory from `start` upwards for which `test` holds.
fn search_up(start: &Path, test: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    start.ancestors().find(|d| !d.as_os_str().is_empty() && test(d)).map(Path::to_path_buf)
}

/// A path from the current directory, or as it is when it is absolute.
fn absolute(p: &[u8]) -> Bytes {
    let p = p.strip_prefix(b"./").unwrap_or(p);
    if p.first() == Some(&b'/') {
        return p.to_vec();
    }
    let Ok(cwd) = std::env::current_dir() else { return p.to_vec() };
    if p.is_empty() || p == b"." { bytes(cwd) } else { bytes(cwd.join(path(p))) }
}

/// The `._pth` file of an executable: where it lies and its lines.
fn pth_file(executables: [&Path; 2]) -> Option<(PathBuf, Vec<String>)> {
    executables.into_iter().filter(|e| !e.as_os_str().is_empty()).find_map(|e| {
        let mut name = e.as_os_str().to_os_string();
        name.push("._pth");
        let text = std::fs::read(&name).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        Some((Path::new(&name).parent()?.to_path_buf(), text.lines().map(str::to_string).collect()))
    })
}

/// Fills the paths: executable, prefixes, library, `sys.path`.
fn calculate_path(c: &mut Config) {
    let program = path(&c.program_name);
    let executable = find_executable(&program);
    c.executable = bytes(executable.clone());
    let platlibdir = path(&c.platlibdir);
    let subdir = platlibdir.join(VERSION_DIR);
    let has_library = |d: &Path| ["os.py", "os.pyc"].iter().any(|f| d.join(&subdir).join(f).is_file());
    let running = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    let mut real_executable = resolve_links(&executable);
    if executable.as_os_str().is_empty() {
        // A program name that leads nowhere still leaves the running file to find the library by.
        real_executable = running.clone();
    }
    let mut base_executable = executable.clone();
    if c.home.is_none()
        && let Some(dir) = executable.parent()
        && let Some(venv) = venv_home(dir)
    {
        // The environment's python3 is a link to, or a copy of, the one in its home.
        let real = resolve_links(&executable);
        base_executable = if real != executable {
            real
        } else {
            let name = executable.file_name().unwrap_or(OsStr::new("python3"));
            [name, OsStr::new("python3"), OsStr::new(VERSION_DIR)].iter().map(|n| venv.join(n)).find(|p| p.is_file()).unwrap_or(venv.join(name))
        };
        real_executable = resolve_links(&base_executable);
    }
    c.base_executable = bytes(base_executable);
    let real_dir = real_executable.parent().map(Path::to_path_buf).unwrap_or_default();

    let pth = pth_file([&executable, &real_executable]);
    let mut home = c.home.clone();
    if let Some((dir, _)) = &pth {
        home = Some(bytes(dir.clone()));
    }
    let warn = |c: &Config, what: &str| {
        if c.pathconfig_warnings != 0 {
            crate::errln!("Could not find platform {what}");
        }
    };
    let (prefix, exec_prefix) = if let Some(home) = &home {
        let mut parts = home.splitn(2, |&b| b == b':');
        let prefix = path(parts.next().unwrap_or_default());
        let exec = parts.next().map_or_else(|| prefix.clone(), path);
        (prefix, exec)
    } else {
        let zip = |d: &Path| d.join(&platlibdir).join(ZIP_NAME).is_file();
        let prefix = search_up(&real_dir, zip).or_else(|| search_up(&real_dir, has_library)).unwrap_or_else(|| {
            warn(c, "independent libraries <prefix>");
            PathBuf::from(PREFIX)
        });
        let dynload = |d: &Path| d.join(&subdir).join("lib-dynload").is_dir();
        let exec_prefix = search_up(&real_dir, dynload).unwrap_or_else(|| {
            if !dynload(Path::new(PREFIX)) {
                warn(c, "dependent libraries <exec_prefix>");
            }
            PathBuf::from(PREFIX)
        });
        (prefix, exec_prefix)
    };
    let stdlib = prefix.join(&subdir);
    let mut search: Vec<Bytes> = Vec::new();
    if let Some(pp) = &c.pythonpath_env {
        search.extend(pp.split(|&b| b == b':').map(absolute));
    }
    search.push(bytes(prefix.join(&platlibdir).join(ZIP_NAME)));
    search.push(bytes(stdlib.clone()));
    search.push(bytes(exec_prefix.join(&subdir).join("lib-dynload")));
    c.module_search_paths = search;
    c.frozen_dir = if has_library(&prefix) {
        stdlib.clone()
    } else {
        // The code of frozen modules belongs to the executable, wherever the library is told to be.
        let own = running.parent().and_then(|d| search_up(d, has_library)).unwrap_or_else(|| PathBuf::from(PREFIX));
        own.join(&subdir)
    };
    c.stdlib_dir = Some(bytes(stdlib));
    c.prefix = bytes(prefix.clone());
    c.base_prefix = bytes(prefix);
    c.exec_prefix = bytes(exec_prefix.clone());
    c.base_exec_prefix = bytes(exec_prefix);
    if let Some((dir, lines)) = pth {
        c.isolated = 1;
        c.use_environment = 0;
        c.site_import = 0;
        c.safe_path = 1;
        c.module_search_paths.clear();
        for line in lines {
            match line.split('#').next().unwrap_or_default().trim() {
                "" => {}
                "import site" => c.site_import = 1,
                l if l.starts_with("import ") => crate::errln!("unsupported 'import' line in ._pth file"),
                l => c.module_search_paths.push(crate::fileutils::normpath(dir.join(l).as_os_str().as_bytes())),
            }
        }
    }
}

/// What `sys.path[0]` becomes for a command line: `None` when nothing is to be added.
pub fn compute_sys_path_0(c: &Config) -> Option<Bytes> {
    match &c.run {
        Run::Module(_) => std::env::current_dir().ok().map(bytes),
        Run::File(f) => {
            let file = path(f);
            // A link to a script stands for the script; then the directory with all links resolved.
            let mut target = file.clone();
            if let Ok(link) = std::fs::read_link(&file) {
                target = match file.parent() {
                    Some(dir) if link.is_relative() => dir.join(link),
                    _ => link,
                };
            }
            let full = std::fs::canonicalize(&target).unwrap_or(target);
            let b = full.as_os_str().as_bytes();
            match b.iter().rposition(|&c| c == b'/') {
                Some(0) => Some(b"/".to_vec()),
                Some(i) => Some(b[..i].to_vec()),
                None => Some(Vec::new()),
            }
        }
        _ => Some(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_with_values() {
        let o = vec![b"utf8=1".to_vec(), b"dev".to_vec()];
        assert_eq!(xoption(&o, "utf8"), Some(Some(&b"1"[..])));
        assert_eq!(xoption(&o, "dev"), Some(None));
        assert_eq!(xoption(&o, "de"), None);
    }

    #[test]
    fn script_directory() {
        let mut c = default_config();
        c.run = Run::File(b"/nonexistent/dir/x.py".to_vec());
        assert_eq!(compute_sys_path_0(&c), Some(b"/nonexistent/dir".to_vec()));
        c.run = Run::Command(b"1".to_vec());
        assert_eq!(compute_sys_path_0(&c), Some(Vec::new()));
    }
}
