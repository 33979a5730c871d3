//! The native modules that the executable contains.

use taipan_abi::{PyImport_AppendInittab, PyObject};

type Init = unsafe extern "C" fn() -> *mut PyObject;

/// Name and entry point of each, in alphabetical order.
const MODULES: &[(&core::ffi::CStr, Init)] = &[
    (c"_abc", taipan_mod_functional::abc::PyInit__abc),
    (c"_ast", taipan_mod_lang::ast::PyInit__ast),
    (c"_bisect", taipan_mod_text::bisect::PyInit__bisect),
    (c"_blake2", taipan_mod_hash::blake2module::PyInit__blake2),
    (c"_bz2", taipan_mod_compression::bz2::PyInit__bz2),
    (c"_codecs_cn", taipan_mod_cjkcodecs::modules::PyInit__codecs_cn),
    (c"_codecs_hk", taipan_mod_cjkcodecs::modules::PyInit__codecs_hk),
    (c"_codecs_iso2022", taipan_mod_cjkcodecs::modules::PyInit__codecs_iso2022),
    (c"_codecs_jp", taipan_mod_cjkcodecs::modules::PyInit__codecs_jp),
    (c"_codecs_kr", taipan_mod_cjkcodecs::modules::PyInit__codecs_kr),
    (c"_codecs_tw", taipan_mod_cjkcodecs::modules::PyInit__codecs_tw),
    (c"_collections", taipan_mod_functional::collections::PyInit__collections),
    (c"_csv", taipan_mod_data::_csv::PyInit__csv),
    (c"_ctypes", taipan_mod_ctypes::module::PyInit__ctypes),
    (c"_curses", taipan_mod_curses::cursesmodule::PyInit__curses),
    (c"_curses_panel", taipan_mod_curses::panel::PyInit__curses_panel),
    (c"_datetime", taipan_mod_datetime::module::PyInit__datetime),
    (c"_functools", taipan_mod_functional::functools::PyInit__functools),
    (c"_heapq", taipan_mod_text::heapq::PyInit__heapq),
    (c"_interpchannels", taipan_mod_interp::channels::PyInit__interpchannels),
    (c"_interpqueues", taipan_mod_interp::queues::PyInit__interpqueues),
    (c"_interpreters", taipan_mod_interp::interpreters::PyInit__interpreters),
    (c"_io", taipan_mod_io::module::PyInit__io),
    (c"_json", taipan_mod_data::_json::PyInit__json),
    (c"_locale", taipan_mod_text::locale::PyInit__locale),
    (c"_lzma", taipan_mod_compression::lzma::PyInit__lzma),
    (c"_md5", taipan_mod_hash::digest::PyInit__md5),
    (c"_multibytecodec", taipan_mod_cjkcodecs::multibytecodec::PyInit__multibytecodec),
    (c"_multiprocessing", taipan_mod_thread::multiprocessing::PyInit__multiprocessing),
    (c"_opcode", taipan_mod_lang::opcode::PyInit__opcode),
    (c"_operator", taipan_mod_functional::operator::PyInit__operator),
    (c"_pickle", taipan_mod_pickle::module::PyInit__pickle),
    (c"_posixshmem", taipan_mod_posix::posixshmem::PyInit__posixshmem),
    (c"_posixsubprocess", taipan_mod_posix::posixsubprocess::PyInit__posixsubprocess),
    (c"_queue", taipan_mod_thread::queue::PyInit__queue),
    (c"_random", taipan_mod_math::random::PyInit__random),
    (c"_sha1", taipan_mod_hash::digest::PyInit__sha1),
    (c"_sha2", taipan_mod_hash::digest::PyInit__sha2),
    (c"_sha3", taipan_mod_hash::sha3module::PyInit__sha3),
    (c"_socket", taipan_mod_socket::module::PyInit__socket),
    (c"_sre", taipan_mod_sre::module::PyInit__sre),
    (c"_stat", taipan_mod_functional::stat::PyInit__stat),
    (c"_statistics", taipan_mod_math::statistics::PyInit__statistics),
    (c"_string", taipan_mod_text::string::PyInit__string),
    (c"_struct", taipan_mod_data::_struct::PyInit__struct),
    (c"_suggestions", taipan_mod_lang::suggestions::PyInit__suggestions),
    (c"_symtable", taipan_mod_lang::symtable::PyInit__symtable),
    (c"_sysconfig", taipan_mod_lang::sysconfig::PyInit__sysconfig),
    (c"_thread", taipan_mod_posix::thread::PyInit__thread),
    (c"_tokenize", taipan_mod_lang::tokenize::PyInit__tokenize),
    (c"_tracemalloc", taipan_mod_thread::tracemalloc::PyInit__tracemalloc),
    (c"_typing", taipan_mod_lang::typing::PyInit__typing),
    (c"_uuid", taipan_mod_thread::uuid::PyInit__uuid),
    (c"_weakref", taipan_mod_functional::weakref::PyInit__weakref),
    (c"array", taipan_mod_data::array::PyInit_array),
    (c"atexit", taipan_mod_functional::atexit::PyInit_atexit),
    (c"binascii", taipan_mod_data::binascii::PyInit_binascii),
    (c"cmath", taipan_mod_math::cmath::PyInit_cmath),
    (c"errno", taipan_mod_functional::errno::PyInit_errno),
    (c"faulthandler", taipan_mod_fault::PyInit_faulthandler),
    (c"fcntl", taipan_mod_posix::fcntlmodule::PyInit_fcntl),
    (c"gc", taipan_mod_functional::gcmodule::PyInit_gc),
    (c"grp", taipan_mod_posix::grp::PyInit_grp),
    (c"itertools", taipan_mod_functional::itertools::PyInit_itertools),
    (c"math", taipan_mod_math::math::PyInit_math),
    (c"mmap", taipan_mod_posix::mmap::PyInit_mmap),
    (c"posix", taipan_mod_posix::posixmodule::PyInit_posix),
    (c"pwd", taipan_mod_posix::pwd::PyInit_pwd),
    (c"readline", taipan_mod_curses::readline::PyInit_readline),
    (c"resource", taipan_mod_posix::resource::PyInit_resource),
    (c"select", taipan_mod_posix::select::PyInit_select),
    (c"syslog", taipan_mod_posix::syslog::PyInit_syslog),
    (c"termios", taipan_mod_posix::termios::PyInit_termios),
    (c"time", taipan_mod_posix::timemodule::PyInit_time),
    (c"unicodedata", taipan_mod_unicodedata::unicodedata::PyInit_unicodedata),
    (c"zlib", taipan_mod_compression::zlib::PyInit_zlib),
];

/// Adds them to the import system's table, before the interpreter is initialised.
pub fn register() {
    for &(name, init) in MODULES {
        // SAFETY: name and function are static.
        let status = unsafe { PyImport_AppendInittab(name.as_ptr(), Some(init)) };
        assert!(status == 0, "out of memory at start-up");
    }
}
