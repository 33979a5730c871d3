//! The module `grp`: the database of groups.

use crate::pwd::{encoded_name, look_up, optional_text};
use crate::support::*;
use taipan_abi::*;
use taipan_clinic::{Str, methods, module};

static STRUCT_GROUP: StructType = StructType::new(
    c"grp.struct_group",
    c"grp.struct_group: what getgr*() return\n\nA tuple (gr_name, gr_passwd, gr_gid, gr_mem).\n",
    &[
        (c"gr_name", c"group name"),
        (c"gr_passwd", c"password"),
        (c"gr_gid", c"group id"),
        (c"gr_mem", c"group members"),
    ],
    4,
);

unsafe fn mkgrent(g: &libc::group) -> PyResult<Owned> {
    // SAFETY: [ARGS] a record of the system; the members end with NULL.
    unsafe {
        let mut members = Vec::new();
        let mut m = g.gr_mem;
        while !m.is_null() {
            let p = core::ptr::read_unaligned(m);
            if p.is_null() {
                break;
            }
            members.push(fsdecode(c_bytes(p))?);
            m = m.add(1);
        }
        STRUCT_GROUP.build([optional_text(g.gr_name)?, optional_text(g.gr_passwd)?, id_object(g.gr_gid)?, list(members)?])
    }
}

fn grp_getgrgid(_: (), id: Borrowed<'_>) -> PyResult<Owned> {
    // SAFETY: live; the record points into the buffer.
    unsafe {
        let gid = match id_from_object(id.ob(), "gid") {
            Ok(g) => g,
            Err(e) => {
                if e.matches(PyExc_OverflowError) {
                    e.clear();
                    PyErr_Format(PyExc_KeyError, c"getgrgid(): gid not found: %S".as_ptr(), id.ob());
                    return Err(Raised::assume());
                }
                return Err(e);
            }
        };
        let (mut g, mut buf): (libc::group, _) = (core::mem::zeroed(), Vec::new());
        if !look_up(&mut g, &mut buf, libc::_SC_GETGR_R_SIZE_MAX, |r, b, n, out| libc::getgrgid_r(gid, r, b, n, out)) {
            let shown = if gid == u32::MAX { -1 } else { gid as i64 };
            bail!(PyExc_KeyError, "getgrgid(): gid not found: {shown}");
        }
        mkgrent(&g)
    }
}

fn grp_getgrnam(_: (), name: Str<'_>) -> PyResult<Owned> {
    // SAFETY: live; the record points into the buffer.
    unsafe {
        let c_name = encoded_name(name.ob())?;
        let (mut g, mut buf): (libc::group, _) = (core::mem::zeroed(), Vec::new());
        if !look_up(&mut g, &mut buf, libc::_SC_GETGR_R_SIZE_MAX, |r, b, n, out| libc::getgrnam_r(c_name.as_ptr(), r, b, n, out)) {
            PyErr_Format(PyExc_KeyError, c"getgrnam(): name not found: %R".as_ptr(), name.ob());
            return Err(Raised::assume());
        }
        mkgrent(&g)
    }
}

fn grp_getgrall(_: ()) -> PyResult<Owned> {
    // SAFETY: [GIL] keeps other threads of ours from the database; each record is copied at once.
    unsafe {
        let mut all = Vec::new();
        libc::setgrent();
        let r = loop {
            let g = libc::getgrent();
            if g.is_null() {
                break Ok(());
            }
            match mkgrent(&*g) {
                Ok(e) => all.push(e),
                Err(e) => break Err(e),
            }
        };
        libc::endgrent();
        r?;
        list(all)
    }
}

methods! {
    static METHODS = [
        "getgrgid($module, /, id)" => grp_getgrgid, "The entry of a group's number.";
        "getgrnam($module, /, name)" => grp_getgrnam, "The entry of a group's name.";
        "getgrall($module, /)" => grp_getgrall, "All entries, in no particular order.";
    ];
}

fn exec(module: Borrowed<'_>) -> PyResult<()> {
    STRUCT_GROUP.add_to(module)
}

module! {
    /// Entry point of `grp`.
    pub fn PyInit_grp = "grp", "The database of groups.\n\nEntries are tuples of gr_name, gr_passwd, gr_gid and gr_mem. What isn't found\nraises KeyError.", methods: METHODS, exec: exec;
}
